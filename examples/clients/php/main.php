<?php

// Starts a password reset with Guzzle, pointed at authreset by the URL alone.

declare(strict_types=1);

// Composer's autoloader when `composer install` made one, else that of Debian's php-guzzlehttp-guzzle.
$composer = __DIR__ . '/vendor/autoload.php';
require file_exists($composer) ? $composer : '/usr/share/php/GuzzleHttp/autoload.php';

use GuzzleHttp\Client;
use GuzzleHttp\ClientInterface;
use GuzzleHttp\Exception\BadResponseException;
use Psr\Http\Message\ResponseInterface;

final class Answer
{
    private function __construct(
        public readonly int $status,
        public readonly ?string $text,
        public readonly ?string $explanation,
        public readonly ?string $errorType,
    ) {
    }

    public static function of(ResponseInterface $response, ?string $errorType = null): self
    {
        $raw = (string) $response->getBody();
        $body = json_decode($raw, associative: true);
        return new self(
            $response->getStatusCode(),
            is_array($body) ? $body['responseText'] ?? null : $raw,
            $body['responseData']['explanation'] ?? null,
            $errorType,
        );
    }

    public function isAsPromised(int $expected): bool
    {
        $told = $expected === 200 ? $this->text === 'Success' : $this->text && $this->explanation;
        return $this->status === $expected && $told;
    }
}

function setting(string $name): string
{
    $value = getenv($name);
    return $value !== false ? $value : throw new RuntimeException("$name is not set");
}

function ask(Client $client, string $token, string $body): Answer
{
    try {
        return Answer::of($client->request('POST', setting('AUTHRESET_BASE_URL') . '/User/authreset', [
            'body' => $body,
            'headers' => ['Content-Type' => 'application/json', 'requestToken' => $token],
        ]));
    } catch (BadResponseException $refused) {
        return Answer::of($refused->getResponse(), $refused::class);
    }
}

// One line per call; `ok` says whether the answer is the one that the contract promises.
function report(string $call, int $expected, Answer $answer): bool
{
    $ok = $answer->isAsPromised($expected);
    $line = [
        'call' => $call,
        'status' => $answer->status,
        'ok' => $ok,
        'text' => $answer->text,
        'explanation' => $answer->explanation,
        'error_type' => $answer->errorType,
        'client' => 'guzzlehttp/guzzle',
        'version' => guzzleVersion(),
    ];
    echo json_encode($line, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES), "\n";
    return $ok;
}

// Composer knows the exact version; Guzzle itself, as Debian packs it, only the major one.
function guzzleVersion(): string
{
    return class_exists('Composer\InstalledVersions')
        ? Composer\InstalledVersions::getPrettyVersion('guzzlehttp/guzzle')
        : (string) ClientInterface::MAJOR_VERSION;
}

$client = new Client(['timeout' => 20]);
$token = setting('AUTHRESET_TOKEN');
$address = [
    'email' => setting('AUTHRESET_EMAIL'),
    'entry' => setting('AUTHRESET_ENTRY'),
    'entryType' => (int) setting('AUTHRESET_ENTRY_TYPE'),
];

$results = [
    report('empty', 200, ask($client, $token, '{}')),
    report('address', 200, ask($client, $token, json_encode($address, JSON_THROW_ON_ERROR))),
    report('refused_token', 401, ask($client, 'o.never-issued', '{}')),
    report('bad_email', 400, ask($client, $token, '{"email": "not-an-address"}')),
];
exit(in_array(false, $results, true) ? 1 : 0);
