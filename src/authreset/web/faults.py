"""Every answer that is not a success: the only place that knows status codes and their words."""

from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer in the contract's error shape. `retry_after` is in seconds."""

    status: int
    text: str
    explanation: str
    todo: str
    retry_after: int | None = None

    def body(self, request_id: str = "") -> bytes:
        """Return the JSON body. A request id is told where the fault is ours."""
        told_id = f" Request id: {request_id}." if request_id else ""
        return msgspec.json.encode(
            {
                "isSuccess": False,
                "responseCode": self.status,
                "responseText": self.text,
                "responseData": {
                    "explanation": self.explanation + told_id,
                    "todoAction": self.todo,
                },
            }
        )


def bad_request(explanation: str, todo: str = "Correct the request and send it again.") -> Fault:
    """The request itself is wrong."""
    return Fault(400, "Bad request", explanation, todo)


UNAUTHORIZED = Fault(
    401,
    "Unauthorized",
    "The API token is missing or not valid for this call.",
    "Send a valid token in the requestToken header.",
)
NOT_ALLOWED = Fault(
    403,
    "Forbidden",
    "This kind of token may not make this call.",
    "Use a private application token.",
)
NOT_FOUND = Fault(
    404, "Not found", "There is nothing at this address.", "Check the path against /docs."
)
NOT_ALLOWED_METHOD = Fault(
    405, "Method not allowed", "This address knows other methods only.", "See the Allow header."
)
INTERNAL = Fault(
    500, "Internal error", "Something failed on our side.", "Try again, or name the request id."
)


def too_many(seconds: float) -> Fault:
    """The API token or the client address sends more than it may."""
    wait = max(1, int(-(-seconds // 1)))
    return Fault(
        429,
        "Too many requests",
        "Too many requests from this caller.",
        "Wait as long as the Retry-After header says.",
        wait,
    )


UNAVAILABLE = Fault(
    503,
    "Service unavailable",
    "The request could not be recorded just now.",
    "Send it again after the time in the Retry-After header.",
    2,
)
