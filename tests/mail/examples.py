"""Letters to test with."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from authreset.mail.letters import Brand, Envelope, PasswordChangedLetter, ResetLetter
from authreset.mail.rendering import render

AT = datetime(2026, 11, 17, 14, 3, tzinfo=UTC)
ALICE = "alice@example.com"
SENDER = "no-reply@pilgrim.example"
TOKEN = "r.Zk3x0Vb2T9wQ7aL1cHn5uEo8sRy4mJpD6gKfXtBi_qU-"
LINK = f"https://accounts.pilgrim.example/reset/{TOKEN}"
FORGOT_URL = "https://accounts.pilgrim.example/forgot"

RESET = ResetLetter(
    link=LINK,
    lifetime=timedelta(minutes=60),
    requested_at=AT,
    account_address=ALICE,
    client_address="203.0.113.7",
)
CHANGED = PasswordChangedLetter(
    changed_at=AT,
    account_address=ALICE,
    forgot_url=FORGOT_URL,
    client_address="203.0.113.7",
)
BRAND = Brand("Pilgrim", support_address="support@pilgrim.example")


def envelope(letter=RESET, brand=BRAND, **changes):
    plain = Envelope(
        letter_id=UUID("0190c0de-0000-7000-8000-000000000001"),
        sender_name="Pilgrim",
        sender_address=SENDER,
        recipient=ALICE,
        brand=brand,
        created_at=AT,
        letter=letter,
    )
    return replace(plain, **changes)


def mail(**changes):
    return render(envelope(**changes))
