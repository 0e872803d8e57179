"""User journeys in a real browser: sign in through the hub and CAS, open the lab, run cells in a notebook.

The tests of the demo and of the compose deployment use them.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from typing import Self
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import Error, Locator

from tests.support.browser import Browser, JourneyError

LAB_WAIT = 180_000  # ms, for the start of a lab and the first rendering of JupyterLab on a slow machine
CLICK_WAIT = 15_000  # ms, for the effect of a click before it is repeated
RUN_WAIT = 60_000  # ms, for the start of a kernel and one small cell


class Journey(Browser):
    """The browser of one user of the hub."""

    def __init__(self, hub_url: str, *, name: str) -> None:
        super().__init__(name=name)
        self.hub_url = hub_url.rstrip("/")
        self.user = ""

    def __enter__(self) -> Self:
        super().__enter__()
        # JupyterLab shows a dialog when it loses the connection, and reconnects by itself.
        lost = self.page.locator(".jp-Dialog", has_text="Server unavailable or unreachable")
        self.page.add_locator_handler(lost, lambda dialog: dialog.get_by_role("button", name="Dismiss").click())
        return self

    def open_hub(self) -> None:
        """Open the hub's login page, which shows one button."""
        with self.step("open the hub"):
            self.goto(f"{self.hub_url}/")
            self._sign_in_button().wait_for()

    def sign_in(self, user: str, password: str) -> float:
        """Sign in at the hub through CAS; return the seconds from the last click to a ready lab."""
        self.user = user
        self.open_hub()
        with self.step("go from the hub to CAS"):
            self._sign_in_button().click()
            self.page.wait_for_url(re.compile(r"/cas/login\?"))
        self.fill_cas_form(user, password)
        began = time.monotonic()
        self.wait_for_lab()
        return time.monotonic() - began

    def fill_cas_form(self, user: str, password: str) -> None:
        """Submit the login form of CAS."""
        with self.step("sign in at CAS"):
            self.page.get_by_label("Username").fill(user)
            self.page.get_by_label("Password").fill(password)
            self.page.get_by_role("button", name=re.compile("sign in|login", re.I)).click()

    def wait_for_lab(self) -> None:
        """Wait for a usable JupyterLab; start the server if the hub shows its home page."""
        with self.step("reach JupyterLab"):
            self.wait(self._lab_is_ready, "JupyterLab", LAB_WAIT)

    def _lab_is_ready(self) -> bool:
        if "/hub/home" in self.page.url:
            # The page may already be leaving: a browser may drop the click, and the next page has no such button.
            with contextlib.suppress(Error):
                self.page.locator("#start").click(timeout=CLICK_WAIT)
                self.page.wait_for_url(lambda url: "/hub/home" not in url, timeout=CLICK_WAIT)
        if self.lost:
            # Reload a page that loaded only in part, as a user would.
            self.lost.clear()
            with contextlib.suppress(Error):  # a navigation may already be under way
                self.page.reload()
        splash = self.page.locator("#jupyterlab-splash")
        usable = self._launcher_card().or_(self._cells()).first
        return "/lab" in urlsplit(self.page.url).path and splash.count() == 0 and usable.is_visible()

    def restart_lab(self) -> float:
        """Start the stopped server from the hub's home page; return the seconds until the lab is ready."""
        with self.step("start the server"):
            self.goto(f"{self.hub_url}/hub/home")
        began = time.monotonic()
        self.wait_for_lab()
        return time.monotonic() - began

    def open_notebook(self) -> None:
        """Open a new Python notebook and wait for its kernel."""
        with self.step("open a notebook"):
            if not self._launcher_card().first.is_visible():
                # JupyterLab restored the tabs of the last session; start without them.
                server = urlsplit(self.page.url).path.partition("/lab")[0]
                self.goto(urljoin(self.page.url, f"{server}/lab?reset"))
            self._launcher_card().first.click(timeout=LAB_WAIT)
            self.wait(self._notebook_is_there, "a notebook", RUN_WAIT)
            self._wait_for_kernel()

    def _notebook_is_there(self) -> bool:
        lost = self.page.locator(".jp-Dialog", has_text="Failed to fetch")
        if lost.is_visible():
            # A network change aborted the request; close the dialog and click again, as a user would.
            lost.get_by_role("button").last.click()
            self._launcher_card().first.click(timeout=LAB_WAIT)
        return self._cells().first.is_visible()

    def run_cell(self, code: str) -> str:
        """Run code in the last cell and return its output."""
        return self.finish_cell(self.start_cell(code))

    def start_cell(self, code: str) -> Locator:
        """Start to run code in the last cell and return the cell."""
        with self.step(f"start {code!r}"):
            before = self._cells().count()
            self._cells().last.locator(".cm-content").click()
            # Inserted as text, because the editor would indent typed lines a second time.
            self.page.keyboard.insert_text(code)
            self.page.keyboard.press("Shift+Enter")
            self.wait(lambda: self._cells().count() > before, "a new cell below", RUN_WAIT)
            return self._cells().nth(before - 1)

    def finish_cell(self, cell: Locator) -> str:
        """Wait until a cell has run and return its output."""
        with self.step("run a cell"):
            # The prompt is "[*]:" while the cell runs and "[3]:" afterwards.
            cell.locator(".jp-InputPrompt", has_text=re.compile(r"\[\d+\]")).wait_for(timeout=RUN_WAIT)
            self._wait_for_kernel()
            return self.output_of(cell)

    @staticmethod
    def output_of(cell: Locator) -> str:
        """Return the output of a cell so far."""
        return "\n".join(cell.locator(".jp-OutputArea-output").all_inner_texts()).strip()

    def write_home_file(self, name: str, text: str) -> None:
        """Write a file into the user's home from the notebook."""
        self.run_cell(
            f"from pathlib import Path; Path.home().joinpath({name!r}).write_text({text!r}); print('written')"
        )

    def read_home_file(self, name: str) -> str:
        """Return the content of a file in the user's home, read from the notebook."""
        return self.run_cell(f"from pathlib import Path; print(Path.home().joinpath({name!r}).read_text())")

    def stop_server(self) -> None:
        """Stop the server with the hub's button and wait until it has stopped."""
        with self.step("stop the server"):
            self.wait(self._server_has_stopped, "stopped server", LAB_WAIT)

    def _server_has_stopped(self) -> bool:
        # A click has no effect before the page's script has run, and a network change aborts its request or hides the
        # response: a removed container is one to a Chromium on the engine's machine.
        with contextlib.suppress(Error, JourneyError):
            if not self.whoami()["servers"]:
                return True
            self.goto(f"{self.hub_url}/hub/home")
            with self.page.expect_response(lambda answer: answer.request.method == "DELETE", timeout=CLICK_WAIT):
                self.page.locator("#stop").click(timeout=CLICK_WAIT)
        return False

    def sign_out(self) -> None:
        """Sign out of the hub and then of the bridge."""
        with self.step("sign out of the hub"):
            self.goto(f"{self.hub_url}/hub/logout")
            self.page.get_by_role("heading", name="Sign out?").wait_for()
        with self.step("sign out of the bridge"):
            self.page.get_by_role("button", name="Sign out").click()
            self._sign_in_button().wait_for()

    def needs_password(self) -> bool:
        """Return whether the next sign-in shows the login form of CAS, so that no session is left."""
        with self.step("start the next sign-in"):
            self._sign_in_button().click()
            self.page.wait_for_url(re.compile(r"/cas/login\?|/user/|/hub/(home|spawn)"))
            return "/cas/login?" in self.page.url and self.page.get_by_label("Password").is_visible()

    def whoami(self) -> dict[str, object]:
        """Return the hub's model of the user."""
        with self.step("fetch the user's model from the hub"):
            return self.retry_on_network_change(self._ask_the_hub)

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

    def _sign_in_button(self) -> Locator:
        return self.page.get_by_role("button", name="Sign in with CAS")

    def _launcher_card(self) -> Locator:
        return self.page.locator(".jp-LauncherCard[data-category='Notebook']")

    def _cells(self) -> Locator:
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell")

    def _wait_for_kernel(self) -> None:
        """Wait until the kernel is connected and idle; the notebook's own indicator shows idle without a kernel."""
        self.page.locator("#jp-main-statusbar").get_by_text(re.compile(r"\| Idle$")).wait_for(timeout=RUN_WAIT)
