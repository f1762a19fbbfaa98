// Starts a password reset through @payabli/sdk-node, pointed at authreset by its base URL alone.
import { createRequire } from "node:module";
import { type Payabli, PayabliClient, PayabliError } from "@payabli/sdk-node";
import { exchange, TokenError } from "./oauth.js";

const sdk = createRequire(import.meta.url)("@payabli/sdk-node/package.json") as { version: string };

interface Answer {
    status: number;
    text?: string;
    explanation?: string;
    errorType?: string;
}

// The SDK types an error's body as unknown; this is the shape that every refusal has.
interface Refusal {
    responseText?: string;
    responseData?: { explanation?: string };
}

function setting(name: string): string {
    const value = process.env[name];
    if (!value) {
        throw new Error(`${name} is not set`);
    }
    return value;
}

function connect(apiKey: string): PayabliClient {
    return new PayabliClient({ baseUrl: setting("AUTHRESET_BASE_URL"), apiKey });
}

async function ask(client: PayabliClient, request: Payabli.UserAuthResetRequest): Promise<Answer> {
    try {
        const { data, rawResponse } = await client.user.authResetUser(request).withRawResponse();
        return { status: rawResponse.status, text: data.responseText };
    } catch (error) {
        if (!(error instanceof PayabliError)) {
            throw error;
        }
        const body = error.body as Refusal | undefined;
        return {
            status: error.statusCode ?? 0,
            text: body?.responseText ?? error.message,
            explanation: body?.responseData?.explanation,
            errorType: error.constructor.name,
        };
    }
}

// One line per call; `ok` says whether the answer is the one that the contract promises.
function report(call: string, expected: number, answer: Answer): boolean {
    const asPromised =
        expected === 200 ? answer.text === "Success" : Boolean(answer.text && answer.explanation);
    const ok = answer.status === expected && asPromised;
    const { status, text = null, explanation = null, errorType = null } = answer;
    const client = { client: "@payabli/sdk-node", version: sdk.version };
    console.log(JSON.stringify({ call, status, ok, text, explanation, error_type: errorType, ...client }));
    return ok;
}

async function calls(prefix: string, client: PayabliClient): Promise<boolean[]> {
    const address = {
        email: setting("AUTHRESET_EMAIL"),
        entry: setting("AUTHRESET_ENTRY"),
        entryType: Number(setting("AUTHRESET_ENTRY_TYPE")),
    };
    return [
        report(`${prefix}empty`, 200, await ask(client, {})),
        report(`${prefix}address`, 200, await ask(client, address)),
        report(`${prefix}bad_email`, 400, await ask(client, { email: "not-an-address" })),
    ];
}

// An access token is taken in either header: the SDK sends it as requestToken, this as OAuth does.
async function askWithBearer(accessToken: string): Promise<Answer> {
    const response = await fetch(`${setting("AUTHRESET_BASE_URL")}/User/authreset`, {
        method: "POST",
        headers: { Authorization: `Bearer ${accessToken}`, "Content-Type": "application/json" },
        body: "{}",
        signal: AbortSignal.timeout(20_000),
    });
    const body = (await response.json()) as Refusal;
    return {
        status: response.status,
        text: body.responseText,
        explanation: body.responseData?.explanation,
    };
}

async function exchangeWrongly(clientId: string): Promise<Answer> {
    try {
        await exchange(setting("AUTHRESET_BASE_URL"), clientId, "wrong");
    } catch (error) {
        if (!(error instanceof TokenError)) {
            throw error;
        }
        const { status, errorType, errorMessage, name } = error;
        return { status, text: errorType, explanation: errorMessage, errorType: name };
    }
    return { status: 200, text: "a wrong secret got a token" };
}

async function oauthCalls(clientId: string): Promise<boolean[]> {
    const secret = setting("AUTHRESET_CLIENT_SECRET");
    const accessToken = await exchange(setting("AUTHRESET_BASE_URL"), clientId, secret);
    return [
        ...(await calls("oauth_", connect(accessToken))),
        report("oauth_refused_token", 400, await exchangeWrongly(clientId)),
        report("oauth_bearer", 200, await askWithBearer(accessToken)),
    ];
}

async function main(): Promise<boolean> {
    const results = await calls("", connect(setting("AUTHRESET_TOKEN")));
    results.push(report("refused_token", 401, await ask(connect("o.never-issued"), {})));
    const clientId = process.env["AUTHRESET_CLIENT_ID"];
    if (clientId) {
        results.push(...(await oauthCalls(clientId)));
    }
    return results.every(Boolean);
}

process.exitCode = (await main()) ? 0 : 1;
