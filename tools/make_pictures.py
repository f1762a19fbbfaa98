"""Takes the pictures in docs/images from a demo server of its own, as a person's browser shows it.

Wants the development environment and a Chromium on the machine: `python tools/make_pictures.py`.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).parents[1] / "docs" / "images"
MOST_BYTES = 150_000
PATIENCE_SECONDS = 30.0
ADDRESS, PASSWORD = "ada@example.com", "paper boat under lantern"

T = TypeVar("T")


@dataclass(frozen=True)
class Screen:
    """A screen to take pictures of, in CSS pixels."""

    name: str
    width: int
    height: int
    scale: float


SCREENS = (Screen("desktop", 1000, 770, 1.5), Screen("phone", 360, 770, 1.5))


def main() -> None:
    """Serve a demo, ask for a link, and take the page that it leads to on each screen."""
    with tempfile.TemporaryDirectory() as data_dir, served(data_dir) as demo:
        link = ask_for_link(demo)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=find_chromium(), args=["--no-sandbox"]
            )
            for screen in SCREENS:
                take(browser, screen, link)
            browser.close()


@contextmanager
def served(data_dir: str) -> Iterator[dict[str, Any]]:
    """Fill a demo, serve it on a free port and yield what `authreset demo --json` says."""
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AUTHRESET_")},
        "AUTHRESET_DATA_DIR": data_dir,
    }
    port = str(free_port())
    program = [sys.executable, "-m", "authreset"]
    filled = subprocess.check_output([*program, "demo", "--port", port, "--json"], env=environ)
    demo = json.loads(filled)
    server = subprocess.Popen(
        [*program, "serve", "--port", port],
        env={**environ, "AUTHRESET_LOG_LEVEL": "error"},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: ask(f"{demo['base_url']}/readyz"))
        yield demo
    finally:
        server.terminate()
        server.wait()


def ask_for_link(demo: dict[str, Any]) -> str:
    """Ask for a reset as an application does, and read its link in the mailbox."""
    body = {"email": ADDRESS, "entry": demo["entry"], "entryType": demo["entry_type"]}
    headers = {"requestToken": demo["organization_token"]}
    httpx.post(f"{demo['api_url']}/User/authreset", json=body, headers=headers).raise_for_status()
    letters = wait_for(lambda: ask(f"{demo['base_url']}/mailbox.json")["letters"])
    text: str = letters[0]["text"]
    return next(word for word in text.split() if "/reset/" in word)


def take(browser: Browser, screen: Screen, link: str) -> None:
    """Take the page with a good password typed."""
    page: Page = browser.new_page(
        viewport={"width": screen.width, "height": screen.height},
        device_scale_factor=screen.scale,
        color_scheme="light",
        reduced_motion="reduce",
    )
    page.goto(link)
    page.fill("#password", PASSWORD)
    path = IMAGES / f"reset-{screen.name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path)
    page.close()
    print(f"{path}: {path.stat().st_size} bytes")
    if path.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{path} is larger than {MOST_BYTES} bytes")


def ask(url: str) -> Any:
    """Return what a URL answers as JSON, None while nobody answers."""
    with suppress(httpx.TransportError):
        return httpx.get(url).raise_for_status().json()
    return None


def wait_for(look: Callable[[], T | None]) -> T:
    """Look until something is there."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        if time.monotonic() > until:
            raise SystemExit("the demo server did not answer in time")
        time.sleep(0.05)
    return found


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_chromium() -> str:
    """Return the system's Chromium."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    raise SystemExit("no Chromium: install the package chromium")


if __name__ == "__main__":
    main()
