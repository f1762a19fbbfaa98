"""A real browser: the system's Chromium, driven by Playwright. A missing one is a failure."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_browser() -> str:
    """Return the path of the system's browser."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, f"the stories need a browser, one of: {', '.join(NAMES)}"
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """Run a browser without a window."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=find_browser(), args=list(ARGUMENTS), headless=True
        )
        try:
            yield running
        finally:
            running.close()
