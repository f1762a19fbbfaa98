// Exchanges a client id and secret for an access token; the SDK of this version knows no OAuth.

// What the token endpoint says when it refuses; its shape is not that of the other calls.
interface TokenRefusal {
    errorType?: string;
    errorMessage?: string;
}

export class TokenError extends Error {
    override readonly name = "TokenError";

    constructor(
        readonly status: number,
        readonly errorType: string,
        readonly errorMessage: string,
    ) {
        super(`${status} ${errorType}: ${errorMessage}`);
    }
}

/** The access token for the pair. Throws TokenError when the server refuses it. */
export async function exchange(baseUrl: string, clientId: string, clientSecret: string): Promise<string> {
    const response = await fetch(`${baseUrl}/v2/Token/serverside`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ clientId, clientSecret }),
        signal: AbortSignal.timeout(20_000),
    });
    if (!response.ok) {
        throw await refusal(response);
    }
    const granted = (await response.json()) as { access_token: string };
    return granted.access_token;
}

async function refusal(response: Response): Promise<TokenError> {
    // A proxy's error page is no JSON; its status is still worth telling.
    const body: TokenRefusal = await response.json().catch(() => ({}));
    return new TokenError(response.status, body.errorType ?? "", body.errorMessage ?? "");
}
