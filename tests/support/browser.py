"""A real Chromium with a temporary profile.

A failure leaves a screenshot and the text of the page in the artifacts folder (TEST_ARTIFACTS, default
test-artifacts/).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from playwright.sync_api import Error, Page, Request, sync_playwright

T = TypeVar("T")
CHROMIUM_FLAGS = [
    "--no-sandbox",  # Chromium refuses to run its sandbox as root
    "--disable-gpu",
    "--disable-quic",
    # If Chromium learns of a network change in spite of chromium.py, it closes every HTTP/2 connection with all its
    # requests; with HTTP/1.1 it aborts only requests that are connecting.
    "--disable-http2",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGE_WAIT = 30_000  # ms, for a page of the hub, the bridge or CAS


class JourneyError(AssertionError):
    """A failed step; the message names the step, the page and the evidence."""


def artifacts_dir() -> Path:
    """Return the folder for screenshots."""
    folder = Path(os.environ.get("TEST_ARTIFACTS") or "test-artifacts").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def chromium_path() -> str:
    """Return the path of a program that runs the installed Chromium."""
    return str(Path(__file__).with_name("chromium.py"))


class Browser:
    """A browser that runs inside a `with` block; `page` is its tab."""

    def __init__(self, *, name: str) -> None:
        self.name = name
        self.console: list[str] = []
        self.lost: list[str] = []  # requests aborted by a network change

    def __enter__(self) -> Self:
        self._playwright = sync_playwright().start()
        try:
            # A new profile each time, so that no session is left. Chromium resolves *.localhost to loopback.
            self._browser = self._playwright.chromium.launch(
                executable_path=chromium_path(), headless=True, args=CHROMIUM_FLAGS
            )
            # The certificate is self-signed; other tests check it.
            context = self._browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 900})
            context.set_default_timeout(PAGE_WAIT)
            self.page: Page = context.new_page()
            self.page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
            self.page.on("requestfailed", self._note_lost_request)
        except BaseException:
            self._playwright.stop()
            raise
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            self._browser.close()
        finally:
            self._playwright.stop()

    def screenshot(self, label: str) -> Path:
        """Save a screenshot and return its path."""
        path = artifacts_dir() / f"{self.name}-{label}.png"
        self.page.screenshot(path=path)
        return path

    def goto(self, url: str) -> None:
        """Open a URL."""
        self.retry_on_network_change(lambda: self.page.goto(url))

    @staticmethod
    def retry_on_network_change(action: Callable[[], T]) -> T:
        """Run an action, and retry it up to three times after a network change."""
        for _ in range(3):
            try:
                return action()
            except Error as error:
                if not re.search("ERR_NETWORK_CHANGED|Failed to fetch|reading 'xsrf_token'|chrome-error:", str(error)):
                    raise
        return action()

    def wait(self, is_true: Callable[[], bool], what: str, milliseconds: float) -> None:
        """Poll until a condition holds that playwright cannot wait for."""
        deadline = time.monotonic() + milliseconds / 1000
        while not is_true():
            if time.monotonic() > deadline:
                raise JourneyError(f"no {what} within {milliseconds / 1000:.0f} s")
            self.page.wait_for_timeout(50)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Turn a failure inside the block into one message that names the evidence."""
        try:
            yield
        except (Error, JourneyError) as error:
            raise JourneyError(self._evidence(what, error)) from error

    def _note_lost_request(self, request: Request) -> None:
        if "ERR_NETWORK_CHANGED" in (request.failure or ""):
            self.lost.append(request.url.partition("?")[0])

    def _evidence(self, what: str, error: Exception) -> str:
        label = f"failed-{re.sub(r'[^a-z0-9]+', '-', what.lower())[:40].strip('-')}"
        try:
            shot = self.screenshot(label)
            text = self.page.inner_text("body", timeout=2_000)
            shot.with_suffix(".txt").write_text(
                "\n".join([self.page.url, text, "--- console", *self.console]), encoding="utf-8"
            )
            where = f"{self.page.url.partition('?')[0]} ({self.page.title()!r})"
        except Error as failure:
            return f"{self.name}: could not {what}: {error} (and no screenshot: {failure})"
        return f"{self.name}: could not {what} at {where}: {error}\nSee {shot} and the .txt beside it.\n{text[:1500]}"
