"""The page way: a person asks on the hosted page, with JavaScript and without."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.stories.house import House, unique_address
from tests.stories.test_reset import NEW, fill

HEADING = {"level": 1}


def ask(page: Page, house: House, email: str) -> None:
    page.goto(f"{house.service.url}/forgot?entry={house.entry}")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("button", name="Send the link").click()


@pytest.fixture
def email(house: House, request: pytest.FixtureRequest) -> str:
    """Add a user of this test's own."""
    email = unique_address(request.node.name)
    house.add_users([email])
    return email


def test_from_the_page_to_a_new_password(
    house: House, page: Page, context: BrowserContext, email: str
):
    ask(page, house, email)
    expect(page.get_by_role("heading", **HEADING)).to_have_text("Check your mail")

    page.goto(house.await_mail(email).links[0])
    fill(page, NEW)
    expect(page.get_by_role("heading", **HEADING)).to_have_text("Your new password is set")
    assert house.can_log_in(email, NEW)
    assert context.cookies() == []


def test_page_says_the_same_of_an_address_that_nobody_has(house: House, page: Page, email: str):
    unknown, shown = f"no-{email}", []
    for asked in (email, unknown):
        ask(page, house, asked)
        expect(page.get_by_role("heading", **HEADING)).to_have_text("Check your mail")
        shown.append(page.get_by_role("main").inner_text().replace(asked, "…"))
    assert shown[0] == shown[1]
    house.await_mail(email)
    house.wait_until_settled()
    assert house.mails_to(unknown) == []


def test_slip_of_the_finger_is_told_and_the_address_kept(house: House, page: Page):
    ask(page, house, "ada@example")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("E-mail address")).to_have_value("ada@example")


def test_nothing_is_loaded_from_elsewhere(house: House, page: Page, email: str):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(f"{house.service.url}/forgot?entry={house.entry}")
    page.goto(house.mail_link(email))
    assert asked
    assert [url for url in asked if not url.startswith(house.service.url)] == []
    assert refused == []
