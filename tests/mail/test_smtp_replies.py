"""What replies mean, which queue ids are found in them, and what is kept of their text."""

from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authreset.mail.carriers import Deferred, Refused
from authreset.mail.smtp_replies import clean_reason, find_queue_id, judge
from tests.mail.examples import ALICE, LINK, TOKEN, mail

MAIL = mail()


@pytest.mark.parametrize("code", [550, 551, 553, 554, 500, 501, 555, 599])
def test_permanent_codes_are_refusals(code):
    assert judge(code, "no") == Refused(code, "no")


@pytest.mark.parametrize("code", [421, 450, 451, 452, 552, 530, 535, 250, 354])
def test_the_others_are_deferred(code):
    assert judge(code, "later") == Deferred(code, "later")


@pytest.mark.parametrize(
    ("text", "queue_id"),
    [
        ("2.0.0 Ok: queued as 4ZkB1x3zVbz9sX", "4ZkB1x3zVbz9sX"),
        ("2.0.0 Ok: queued as 7B4F21A0C3.", "7B4F21A0C3"),
        ("Ok: queued as wDzR9zRnQ0y-7yy7Kq_1uA", "wDzR9zRnQ0y-7yy7Kq_1uA"),
        ("OK id=1rABcD-0001Xx-2y", "1rABcD-0001Xx-2y"),
        ("OK id=1rABcD-000000001Xx-0abC", "1rABcD-000000001Xx-0abC"),
        ("2.0.0 49ABCDEF012345 Message accepted for delivery", "49ABCDEF012345"),
        ("49ABCDEF012345 Message accepted for delivery", "49ABCDEF012345"),
        (
            "Ok 0102018d7e3f9a2b-6e1b1c1c-1a2b-4c3d-9e8f-0123456789ab-000000",
            "0102018d7e3f9a2b-6e1b1c1c-1a2b-4c3d-9e8f-0123456789ab-000000",
        ),
        ("2.0.0 OK", None),
        ("Ok", None),
        ("Great success", None),
        ("queued as alice@example.com", "alice"),
        ("", None),
    ],
)
def test_queue_ids_of_the_usual_servers(text, queue_id):
    assert find_queue_id(text) == queue_id


@pytest.mark.parametrize(
    "text",
    [
        f"rejected: {LINK} is listed",
        f"rejected: <{LINK.upper()}>",
        f"rejected: {TOKEN}",
        f"rejected: hxxps://x/{TOKEN[:12]}...",
        f"rejected: {TOKEN[5:25]} listed",
        f"rejected: {TOKEN[:20]}\n{TOKEN[20:]}",
    ],
)
def test_a_server_that_quotes_the_link_is_not_quoted(text):
    reason = clean_reason(text, MAIL).lower()
    pieces = {TOKEN[at : at + 8].lower() for at in range(len(TOKEN) - 7)}
    assert reason.startswith("rejected: [link]")
    assert not [piece for piece in pieces if piece in reason]


def test_a_servers_own_advice_is_kept():
    advice = "5.1.1 no such user; learn more at https://support.google.com/mail/?p=NoSuchUser"
    assert clean_reason(advice, MAIL) == advice


def test_addresses_are_masked():
    reason = clean_reason(f"5.1.1 <{ALICE}>: Recipient address rejected: {ALICE.upper()}", MAIL)
    assert reason == "5.1.1 <a***@example.com>: Recipient address rejected: a***@example.com"


@given(st.text(st.characters(exclude_categories=()), max_size=400))
def test_reasons_are_short_and_printable_whatever_the_server_says(text):
    reason = clean_reason(text, MAIL)
    assert len(reason) <= 200
    assert reason.isprintable()


def test_a_flood_is_cut_soon():
    assert len(clean_reason("x" * 10_000_000, MAIL)) == 200


def test_a_mail_without_a_text_part_has_no_secrets():
    message = EmailMessage()
    message.set_content("<p>x</p>", subtype="html")
    assert clean_reason("no", message) == "no"
