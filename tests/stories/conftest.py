"""What the stories share: one browser, and one running installation."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.stories.house import House
from tests.support.chromium import browser as run_browser
from tests.support.server import service
from tests.support.smtp import SmtpServer

NAVIGATION_MS = 20_000
WHOLE = 3
"""A supervisor, a web process and a worker."""


@contextmanager
def open_house(home: Path, **settings: str) -> Iterator[House]:
    """Set up an installation with a mail server, and serve it."""
    with SmtpServer() as smtp:
        # A short time-out makes short leases, so that a crash delays letters by seconds.
        given = {"smtp_url": smtp.url(starttls="off", timeout=2)} | settings
        with service(home, **given) as installed:
            house = House(installed, installed.run("demo"), smtp)
            installed.start()
            try:
                yield house
            finally:
                house.hang_up()


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Serve one installation to all stories that leave it running; each has users of its own."""
    with open_house(tmp_path_factory.mktemp("house"), limit_address="off") as house:
        yield house


@pytest.fixture(scope="module")
def battered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Serve one installation to the stories of a module that end or break its processes."""
    with open_house(tmp_path_factory.mktemp("battered")) as house:
        yield house


@pytest.fixture
def own_house(battered: House) -> House:
    """Return it whole, whatever the story before has done to it."""
    if len(battered.service.processes()) < WHOLE:
        battered.service.kill9()
        battered.service.start()
    return battered


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Run one browser for all stories, and for no longer: it keeps an event loop in this thread."""
    with run_browser() as running:
        yield running


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """Open a fresh profile: the story runs once with JavaScript and once without."""
    opened = browser.new_context(java_script_enabled=request.param)
    opened.set_default_timeout(NAVIGATION_MS)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """Open a page."""
    return context.new_page()
