"""A person who forgot the password, a program with the published SDK, and a mail between them."""

import pytest
from payabli import UnauthorizedError
from playwright.sync_api import Page, expect

from tests.stories.house import House, unique_address

OLD = "seven lanterns over the harbour"
NEW = "eleven kites above a quiet meadow"
WEAK = "passwordpassword"


def fill(page: Page, password: str) -> None:
    page.get_by_label("New password", exact=True).fill(password)
    again = page.get_by_label("New password, once more")
    if again.is_visible():
        again.fill(password)
    page.get_by_role("button", name="Set the new password").click()


@pytest.fixture
def email(request: pytest.FixtureRequest) -> str:
    return unique_address(request.node.name)


def test_from_the_sdk_to_a_new_password_and_back(house: House, page: Page, email: str):
    house.add_user(email, OLD)
    application = house.sdk(house.demo["application_token"])
    session = log_in(application, house, email, OLD)
    assert house.sdk(session).user.auth_refresh_user().is_success

    answer = house.sdk().user.auth_reset_user(email=email, entry=house.entry, entry_type=0)
    assert (answer.is_success, answer.response_text) == (True, "Success")

    mail = house.await_mail(email)
    assert "Pilgrim" in mail.message["Subject"]
    page.goto(mail.links[0])
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose a new password")
    expect(page.get_by_label("Account")).to_have_value(email)

    fill(page, WEAK)
    expect(page.get_by_role("alert")).to_contain_text("Please choose another password")
    expect(page.get_by_role("alert").get_by_role("listitem")).not_to_have_count(0)
    assert house.can_log_in(email, OLD)

    fill(page, NEW)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your new password is set")

    assert log_in(application, house, email, NEW).startswith("u.")
    with pytest.raises(UnauthorizedError):
        log_in(application, house, email, OLD)
    with pytest.raises(UnauthorizedError):
        house.sdk(session).user.auth_refresh_user()

    notice = house.await_mail(email, 2)
    assert "was changed" in notice.message["Subject"]
    assert "/reset/" not in notice.text + notice.html

    page.goto(mail.links[0])
    expect(page.get_by_role("heading", level=1)).to_have_text("This link no longer works")
    page.get_by_role("link", name="Ask for a new link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Forgot your password?")


def log_in(application, house: House, email: str, password: str) -> str:
    """Log in through the SDK and return the session's token."""
    answer = application.user.auth_user(
        "local", email=email, psw=password, entry=house.entry, entry_type=0
    )
    assert answer.is_success
    return str(answer.response_data)


def test_going_back_to_a_form_that_was_sent_changes_nothing(house: House, page: Page, email: str):
    house.add_user(email, OLD)
    link = house.mail_link(email)
    page.goto(link)
    fill(page, NEW)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your new password is set")
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("This link no longer works")
    assert house.can_log_in(email, NEW)


def test_session_asks_for_its_own_user(house: House):
    email = "session@example.com"
    house.add_user(email, OLD)
    session = log_in(house.sdk(house.demo["application_token"]), house, email, OLD)
    assert house.sdk(session).user.auth_reset_user().is_success
    assert house.await_mail(email).links


def test_program_sets_the_password_itself(house: House):
    """The way on the wire: the token of the link in place of an API token."""
    email = "wire@example.com"
    house.add_user(email, OLD)
    token = house.mail_link(email).rpartition("/")[2]
    assert house.sdk(token).user.change_psw_user(psw=NEW).is_success
    assert house.can_log_in(email, NEW)
    with pytest.raises(UnauthorizedError):
        house.sdk(token).user.change_psw_user(psw=OLD)
