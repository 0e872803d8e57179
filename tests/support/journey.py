"""A person with a real browser: signs in through the hub and CAS, opens their lab, computes in a notebook.

Used against the demo and against the compose deployment alike. Every wait is for something to become true; whatever
fails leaves a screenshot and the text of the page in the artifacts folder (TEST_ARTIFACTS, default test-artifacts/).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from playwright.sync_api import Error, Locator, Page, sync_playwright

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_FLAGS = [
    "--no-sandbox",  # Chromium refuses its sandbox to root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGE_WAIT = 30_000  # ms: a page of the hub, the bridge or CAS
LAB_WAIT = 180_000  # ms: a lab's start and JupyterLab's first drawing, on a slow machine
RUN_WAIT = 60_000  # ms: a kernel's start and one small cell
T = TypeVar("T")


class JourneyError(AssertionError):
    """A step of the journey did not succeed: which one, where the browser was, where the evidence is."""


def artifacts_dir() -> Path:
    """Where screenshots go."""
    folder = Path(os.environ.get("TEST_ARTIFACTS") or "test-artifacts").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def chromium_path() -> str | None:
    """The browser of this machine, if it has one."""
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


class Journey:
    """One person's browser, from the first page on. Use it as a context manager."""

    def __init__(self, hub_url: str, *, name: str) -> None:
        self.hub_url = hub_url.rstrip("/")
        self.name = name
        self.user = ""
        self.console: list[str] = []

    def __enter__(self) -> Self:
        self._playwright = sync_playwright().start()
        try:
            # A fresh profile each time, so that no earlier sign-in helps. *.localhost is loopback to Chromium itself.
            self._browser = self._playwright.chromium.launch(
                executable_path=chromium_path(), headless=True, args=CHROMIUM_FLAGS
            )
            # The certificate is self-signed on purpose; that it is the right one is checked elsewhere.
            context = self._browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 900})
            context.set_default_timeout(PAGE_WAIT)
            self.page: Page = context.new_page()
            self.page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
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

    def open_hub(self) -> None:
        """Go to the hub's front door, which shows one button."""
        with self._step("open the hub"):
            self._goto(f"{self.hub_url}/")
            self._sign_in_button().wait_for()

    def sign_in(self, user: str, password: str) -> float:
        """From the hub's page over the CAS form into JupyterLab; seconds from the last click to a lab that is ready."""
        self.user = user
        self.open_hub()
        with self._step("go from the hub to CAS"):
            self._sign_in_button().click()
            self.page.wait_for_url(re.compile(r"/cas/login\?"))
        self.fill_cas_form(user, password)
        began = time.monotonic()
        self.wait_for_lab()
        return time.monotonic() - began

    def fill_cas_form(self, user: str, password: str) -> None:
        """Type name and password at CAS and send them."""
        with self._step("sign in at CAS"):
            self.page.get_by_label("Username").fill(user)
            self.page.get_by_label("Password").fill(password)
            self.page.get_by_role("button", name=re.compile("sign in|login", re.I)).click()

    def wait_for_lab(self) -> None:
        """Until JupyterLab stands there and can be used; starts the server if the hub asks for a click."""
        with self._step("reach JupyterLab"):
            self.page.wait_for_url(re.compile(r"/(user/[^/]+/lab|hub/home)"), timeout=LAB_WAIT)
            if "/hub/home" in self.page.url:
                self.page.locator("#start").click()
                self.page.wait_for_url(re.compile(r"/user/[^/]+/lab"), timeout=LAB_WAIT)
            self.page.locator("#jp-main-dock-panel").wait_for(timeout=LAB_WAIT)
            self.page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=LAB_WAIT)
            self._launcher_card().or_(self._cells()).first.wait_for(timeout=LAB_WAIT)

    def start_again(self) -> float:
        """Start my stopped server from the hub's home; seconds until the lab is ready."""
        with self._step("start my server"):
            self._goto(f"{self.hub_url}/hub/home")
            began = time.monotonic()
            self.page.locator("#start").click()
        self.wait_for_lab()
        return time.monotonic() - began

    def open_notebook(self) -> None:
        """A new Python notebook, with its kernel waiting for work."""
        with self._step("open a notebook"):
            if not self._launcher_card().first.is_visible():
                # JupyterLab came back with the tabs of last time; a notebook of today is easier to reason about.
                self._goto(f"{self.page.url.partition('/lab')[0]}/lab?reset")
            self._launcher_card().first.click(timeout=LAB_WAIT)
            self._cells().first.wait_for(timeout=RUN_WAIT)
            self._wait_for_kernel()

    def run_cell(self, code: str) -> str:
        """Type code into the last cell, run it, and read what comes out."""
        with self._step(f"run {code!r}"):
            before = self._cells().count()
            cell = self._cells().last
            cell.locator(".cm-content").click()
            # As typing, but without the editor's help, which would indent a second time.
            self.page.keyboard.insert_text(code)
            self.page.keyboard.press("Shift+Enter")
            self._wait(lambda: self._cells().count() > before, "a new cell below", RUN_WAIT)
            done = self._cells().nth(before - 1)
            # "[*]:" while it runs, "[3]:" once it is done.
            done.locator(".jp-InputPrompt", has_text=re.compile(r"\[\d+\]")).wait_for(timeout=RUN_WAIT)
            self._wait_for_kernel()
            return "\n".join(done.locator(".jp-OutputArea-output").all_inner_texts()).strip()

    def write_home_file(self, name: str, text: str) -> None:
        """Put a file into my home, from the notebook."""
        self.run_cell(
            f"from pathlib import Path; Path.home().joinpath({name!r}).write_text({text!r}); print('written')"
        )

    def read_home_file(self, name: str) -> str:
        """What a file in my home holds, read from the notebook."""
        return self.run_cell(f"from pathlib import Path; print(Path.home().joinpath({name!r}).read_text())")

    def stop_server(self) -> None:
        """Stop my server with the hub's own button, and see it gone.

        The button's own answer is not waited for: a container that ends takes its network interface with it, and a
        Chromium on the same machine then drops all its open requests. The hub stops the lab all the same.
        """
        with self._step("stop my server"):
            self._goto(f"{self.hub_url}/hub/home")
            self.page.locator("#stop").click()
        self._wait(lambda: not self.whoami()["servers"], "stopped server", LAB_WAIT)

    def whoami(self) -> dict[str, object]:
        """What the hub knows about me."""
        with self._step("ask the hub who I am"):
            return self._despite_network_changes(self._ask_the_hub)

    def screenshot(self, label: str) -> Path:
        """Keep what the browser shows."""
        path = artifacts_dir() / f"{self.name}-{label}.png"
        self.page.screenshot(path=path)
        return path

    def _ask_the_hub(self) -> dict[str, object]:
        with self.page.context.new_page() as page:
            page.goto(f"{self.hub_url}/hub/home")
            answer = page.evaluate(
                """async () => {
                    const headers = {"X-XSRFToken": window.jhdata.xsrf_token};
                    const answer = await fetch("/hub/api/user", {headers});
                    return [answer.status, await answer.text()];
                }"""
            )
        if answer[0] != 200:
            raise JourneyError(f"the hub answered {answer}")
        return dict(json.loads(answer[1]))

    def _goto(self, url: str) -> None:
        self._despite_network_changes(lambda: self.page.goto(url))

    @staticmethod
    def _despite_network_changes(action: Callable[[], T]) -> T:
        """Do it again if the machine's network changed meanwhile: containers come and go on it."""
        for _ in range(3):
            try:
                return action()
            except Error as error:
                if not re.search("ERR_NETWORK_CHANGED|Failed to fetch", str(error)):
                    raise
        return action()

    def _sign_in_button(self) -> Locator:
        return self.page.get_by_role("button", name="Sign in with CAS")

    def _launcher_card(self) -> Locator:
        return self.page.locator(".jp-LauncherCard[data-category='Notebook']")

    def _cells(self) -> Locator:
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell")

    def _wait_for_kernel(self) -> None:
        """Until the kernel is connected and idle. The notebook's own sign already says idle while there is none."""
        self.page.locator("#jp-main-statusbar").get_by_text(re.compile(r"\| Idle$")).wait_for(timeout=RUN_WAIT)

    def _wait(self, is_true: Callable[[], bool], what: str, milliseconds: float) -> None:
        deadline = time.monotonic() + milliseconds / 1000
        while not is_true():
            if time.monotonic() > deadline:
                raise JourneyError(f"no {what} within {milliseconds / 1000:.0f} s")
            self.page.wait_for_timeout(50)

    @contextmanager
    def _step(self, what: str) -> Iterator[None]:
        """Whatever goes wrong inside ends as one message with the evidence beside it."""
        try:
            yield
        except (Error, JourneyError) as error:
            raise JourneyError(self._evidence(what, error)) from error

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
