"""Starts a password reset through the `payabli` SDK, pointed at authreset by its base URL alone."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from payabli import Asyncpayabli, PayabliErrorBody, payabli
from payabli.core.api_error import ApiError


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str | None
    explanation: str | None = None
    error_type: str | None = None


def connect(**credentials: Any) -> payabli:
    return payabli(base_url=os.environ["AUTHRESET_BASE_URL"], timeout=20, **credentials)


def ask(client: payabli, **fields: Any) -> Answer:
    try:
        answer = client.user.with_raw_response.auth_reset_user(**fields)
    except ApiError as error:
        return refusal(error)
    return Answer(answer.status_code, answer.data.response_text)


async def ask_async(token: str) -> Answer:
    client = Asyncpayabli(base_url=os.environ["AUTHRESET_BASE_URL"], timeout=20, api_key=token)
    try:
        answer = await client.user.with_raw_response.auth_reset_user()
    except ApiError as error:
        return refusal(error)
    return Answer(answer.status_code, answer.data.response_text)


def refusal(error: ApiError) -> Answer:
    """Read the error: the SDK gives a model for some statuses and the bare JSON for others."""
    body = error.body
    if isinstance(body, PayabliErrorBody):
        body = body.model_dump(by_alias=True)
    if not isinstance(body, dict):
        body = {"responseText": str(body)}
    data = body.get("responseData") or {}
    return Answer(
        status=error.status_code or 0,
        text=body.get("responseText") or body.get("errorType"),
        explanation=data.get("explanation") or body.get("errorMessage"),
        error_type=type(error).__name__,
    )


def report(call: str, expected: tuple[int, ...], answer: Answer) -> bool:
    """Print one line; `ok` says whether the answer is the one that the contract promises."""
    told = answer.text == "Success" if 200 in expected else bool(answer.text and answer.explanation)
    ok = answer.status in expected and told
    line = {
        "call": call,
        "status": answer.status,
        "ok": ok,
        "text": answer.text,
        "explanation": answer.explanation,
        "error_type": answer.error_type,
        "client": "payabli",
        "version": version("payabli"),
    }
    print(json.dumps(line), flush=True)
    return ok


def calls(prefix: str, client: payabli, stranger: payabli, refused: tuple[int, ...]) -> list[bool]:
    empty = ask(client)
    address = ask(
        client,
        email=os.environ["AUTHRESET_EMAIL"],
        entry=os.environ["AUTHRESET_ENTRY"],
        entry_type=int(os.environ["AUTHRESET_ENTRY_TYPE"]),
    )
    return [
        report(f"{prefix}empty", (200,), empty),
        report(f"{prefix}address", (200,), address),
        report(f"{prefix}refused_token", refused, ask(stranger)),
        report(f"{prefix}bad_email", (400,), ask(client, email="not-an-address")),
    ]


def main() -> int:
    token = os.environ["AUTHRESET_TOKEN"]
    results = calls("", connect(api_key=token), connect(api_key="o.never-issued"), (401,))
    results.append(report("async_empty", (200,), asyncio.run(ask_async(token))))
    client_id = os.environ.get("AUTHRESET_CLIENT_ID")
    if client_id:
        secret = os.environ["AUTHRESET_CLIENT_SECRET"]
        known = connect(client_id=client_id, client_secret=secret)
        stranger = connect(client_id=client_id, client_secret="wrong")
        results += calls("oauth_", known, stranger, (400, 401))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
