"""A person who signs in through the hub and CAS, opens their lab and computes in a notebook.

Used against the demo and against the compose deployment alike.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from typing import Self

from playwright.sync_api import Error, Locator

from tests.support.browser import Browser, JourneyError

LAB_WAIT = 180_000  # ms: a lab's start and JupyterLab's first drawing, on a slow machine
RUN_WAIT = 60_000  # ms: a kernel's start and one small cell


class Journey(Browser):
    """One person's way, from the hub's first page on."""

    def __init__(self, hub_url: str, *, name: str) -> None:
        super().__init__(name=name)
        self.hub_url = hub_url.rstrip("/")
        self.user = ""

    def __enter__(self) -> Self:
        super().__enter__()
        # JupyterLab takes a lost connection for a stopped server, asks, and goes on connecting meanwhile.
        lost = self.page.locator(".jp-Dialog", has_text="Server unavailable or unreachable")
        self.page.add_locator_handler(lost, lambda dialog: dialog.get_by_role("button", name="Dismiss").click())
        return self

    def open_hub(self) -> None:
        """Go to the hub's front door, which shows one button."""
        with self.step("open the hub"):
            self.goto(f"{self.hub_url}/")
            self._sign_in_button().wait_for()

    def sign_in(self, user: str, password: str) -> float:
        """From the hub's page over the CAS form into JupyterLab; seconds from the last click to a lab that is ready."""
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
        """Type name and password at CAS and send them."""
        with self.step("sign in at CAS"):
            self.page.get_by_label("Username").fill(user)
            self.page.get_by_label("Password").fill(password)
            self.page.get_by_role("button", name=re.compile("sign in|login", re.I)).click()

    def wait_for_lab(self) -> None:
        """Until JupyterLab stands there and can be used; starts the server if the hub asks for a click."""
        with self.step("reach JupyterLab"):
            self.page.wait_for_url(re.compile(r"/(user/[^/]+/lab|hub/(home|spawn-pending))"), timeout=LAB_WAIT)
            if "/hub/home" in self.page.url:
                self.page.locator("#start").click()
            self.wait(self._lab_is_ready, "JupyterLab", LAB_WAIT)

    def _lab_is_ready(self) -> bool:
        if self.lost:
            # What a person does with a page that came half: load it again.
            self.lost.clear()
            with contextlib.suppress(Error):  # it may be on its way elsewhere by itself
                self.page.reload()
        splash = self.page.locator("#jupyterlab-splash")
        usable = self._launcher_card().or_(self._cells()).first
        return "/lab" in self.page.url and splash.count() == 0 and usable.is_visible()

    def restart_lab(self) -> float:
        """Start my stopped server from the hub's home; seconds until the lab is ready."""
        with self.step("start my server"):
            self.goto(f"{self.hub_url}/hub/home")
            began = time.monotonic()
            self.page.locator("#start").click()
        self.wait_for_lab()
        return time.monotonic() - began

    def open_notebook(self) -> None:
        """A new Python notebook, with its kernel waiting for work."""
        with self.step("open a notebook"):
            if not self._launcher_card().first.is_visible():
                # JupyterLab came back with the tabs of last time; a notebook of today is easier to reason about.
                self.goto(f"{self.page.url.partition('/lab')[0]}/lab?reset")
            self._launcher_card().first.click(timeout=LAB_WAIT)
            self.wait(self._notebook_is_there, "a notebook", RUN_WAIT)
            self._wait_for_kernel()

    def _notebook_is_there(self) -> bool:
        lost = self.page.locator(".jp-Dialog", has_text="Failed to fetch")
        if lost.is_visible():
            # A request that a change of network cost: what a person does is to close it and click again.
            lost.get_by_role("button").last.click()
            self._launcher_card().first.click(timeout=LAB_WAIT)
        return self._cells().first.is_visible()

    def run_cell(self, code: str) -> str:
        """Type code into the last cell, run it, and read what comes out."""
        with self.step(f"run {code!r}"):
            before = self._cells().count()
            cell = self._cells().last
            cell.locator(".cm-content").click()
            # As typing, but without the editor's help, which would indent a second time.
            self.page.keyboard.insert_text(code)
            self.page.keyboard.press("Shift+Enter")
            self.wait(lambda: self._cells().count() > before, "a new cell below", RUN_WAIT)
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

        The button's own answer may be lost to a change of network; the hub stops the lab all the same.
        """
        with self.step("stop my server"):
            self.goto(f"{self.hub_url}/hub/home")
            self.page.locator("#stop").click()
        self.wait(lambda: not self.whoami()["servers"], "stopped server", LAB_WAIT)

    def sign_out(self) -> None:
        """Sign out of the hub, and of the bridge where it leads."""
        with self.step("sign out of the hub"):
            self.goto(f"{self.hub_url}/hub/logout")
            self.page.get_by_role("heading", name="Sign out?").wait_for()
        with self.step("sign out of the bridge"):
            self.page.get_by_role("button", name="Sign out").click()
            self._sign_in_button().wait_for()

    def needs_password(self) -> bool:
        """Whether the next sign-in leads to CAS's form, rather than in by a session that is left somewhere."""
        with self.step("go to sign in again"):
            self._sign_in_button().click()
            self.page.wait_for_url(re.compile(r"/cas/login\?|/user/|/hub/(home|spawn)"))
            return "/cas/login?" in self.page.url and self.page.get_by_label("Password").is_visible()

    def whoami(self) -> dict[str, object]:
        """What the hub knows about me."""
        with self.step("ask the hub who I am"):
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
        """Until the kernel is connected and idle. The notebook's own sign already says idle while there is none."""
        self.page.locator("#jp-main-statusbar").get_by_text(re.compile(r"\| Idle$")).wait_for(timeout=RUN_WAIT)
