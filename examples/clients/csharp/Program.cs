// Starts a password reset through PayabliApi, pointed at authreset by its base URL alone.
using System.Text.Json;
using PayabliApi;

var ok = await Calls("", Connect(apiKey: Setting("AUTHRESET_TOKEN")));
var refused = await Ask(Connect(apiKey: "o.never-issued"), new UserAuthResetRequest());
ok = Report("refused_token", refused, 401) && ok;

if (Environment.GetEnvironmentVariable("AUTHRESET_CLIENT_ID") is { Length: > 0 } clientId)
{
    var secret = Setting("AUTHRESET_CLIENT_SECRET");
    ok = await Calls("oauth_", Connect(clientId: clientId, clientSecret: secret)) && ok;

    var stranger = Connect(clientId: clientId, clientSecret: "wrong");
    refused = await Ask(stranger, new UserAuthResetRequest());
    ok = Report("oauth_refused_token", refused, 400, 401) && ok;
}
return ok ? 0 : 1;

static async Task<bool> Calls(string prefix, PayabliApiClient client)
{
    var empty = await Ask(client, new UserAuthResetRequest());
    var address = await Ask(
        client,
        new UserAuthResetRequest
        {
            Email = Setting("AUTHRESET_EMAIL"),
            Entry = Setting("AUTHRESET_ENTRY"),
            EntryType = int.Parse(Setting("AUTHRESET_ENTRY_TYPE")),
        }
    );
    var badEmail = await Ask(client, new UserAuthResetRequest { Email = "not-an-address" });
    bool[] results =
    [
        Report(prefix + "empty", empty, 200),
        Report(prefix + "address", address, 200),
        Report(prefix + "bad_email", badEmail, 400),
    ];
    return results.All(asPromised => asPromised);
}

static PayabliApiClient Connect(
    string? apiKey = null,
    string? clientId = null,
    string? clientSecret = null
)
{
    var options = new ClientOptions
    {
        BaseUrl = Setting("AUTHRESET_BASE_URL"),
        Timeout = TimeSpan.FromSeconds(20),
    };
    return new PayabliApiClient(
        clientId: clientId,
        clientSecret: clientSecret,
        apiKey: apiKey,
        clientOptions: options
    );
}

static async Task<Answer> Ask(PayabliApiClient client, UserAuthResetRequest request)
{
    try
    {
        var response = await client.User.AuthResetUserAsync(request).WithRawResponse();
        return new Answer((int)response.RawResponse.StatusCode, response.Data.ResponseText);
    }
    catch (PayabliApiApiException refused)
    {
        return Answer.Of(refused);
    }
}

// One line per call; `ok` says whether the answer is the one that the contract promises.
static bool Report(string call, Answer answer, params int[] expected)
{
    var told = expected.Contains(200)
        ? answer.Text == "Success"
        : !string.IsNullOrEmpty(answer.Text) && !string.IsNullOrEmpty(answer.Explanation);
    var ok = expected.Contains(answer.Status) && told;
    var line = new
    {
        call,
        status = answer.Status,
        ok,
        text = answer.Text,
        explanation = answer.Explanation,
        error_type = answer.ErrorType,
        client = "PayabliApi",
        version = typeof(PayabliApiClient).Assembly.GetName().Version?.ToString(3),
    };
    Console.WriteLine(JsonSerializer.Serialize(line));
    return ok;
}

static string Setting(string name) =>
    Environment.GetEnvironmentVariable(name)
    ?? throw new InvalidOperationException($"{name} is not set");

internal record Answer(int Status, string? Text, string? Explanation = null, string? ErrorType = null)
{
    // The SDK's Body is its own model, a JsonElement or the bare text; each prints as what was sent.
    public static Answer Of(PayabliApiApiException refused)
    {
        var raw = refused.Body.ToString() ?? "";
        var body = Refusal.Read(raw);
        return new Answer(
            refused.StatusCode,
            body?.ResponseText ?? body?.ErrorType ?? raw,
            body?.ResponseData?.Explanation ?? body?.ErrorMessage,
            refused.GetType().Name
        );
    }
}

// The error of the API, and that of the token endpoint (ErrorType, ErrorMessage).
internal record Refusal(
    string? ResponseText,
    RefusalData? ResponseData,
    string? ErrorType,
    string? ErrorMessage
)
{
    private static readonly JsonSerializerOptions Web = new(JsonSerializerDefaults.Web);

    public static Refusal? Read(string raw)
    {
        try
        {
            return JsonSerializer.Deserialize<Refusal>(raw, Web);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

internal record RefusalData(string? Explanation, string? TodoAction);
