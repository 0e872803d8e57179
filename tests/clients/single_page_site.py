"""A single-page application on a server that has nothing but files, and the Chromium in which somebody opens it."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import ssl
import threading
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from playwright.sync_api import Browser, Error, Page, Playwright, expect

from tests.support.bridge.certificate_authority import ServerFiles
from tests.support.browser import CHROMIUM_FLAGS, chromium_path
from tests.support.cas.real_cas import KnownUser

SOURCE = Path(__file__).with_name("single_page")
WAIT = 15_000  # ms
CHANCES = 3


class SinglePage:
    """Serves between __enter__ and __exit__, by https; its address is known before, for the registration.

    At the address of the bridge, but for the port, so that both are one site to a browser: else it would send the
    bridge no cookie from the frame of a silent renewal.
    """

    def __init__(self, folder: Path, *, packages: Path, files: ServerFiles) -> None:
        self._folder = folder
        shutil.copytree(SOURCE, folder, dirs_exist_ok=True)
        libraries = packages / "node_modules"
        shutil.copy(libraries / "oidc-client-ts" / "dist" / "esm" / "oidc-client-ts.js", folder)
        shutil.copytree(libraries / "jwt-decode" / "build" / "esm", folder / "jwt-decode")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(folder)))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(files.certificate, files.key)
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self._server.server_port}"

    def pastes(self, script: str) -> None:
        """What the recipe prints."""
        (self._folder / "cas.js").write_text(script, encoding="utf-8")

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Files(SimpleHTTPRequestHandler):
    """Of which the page is at every address that it has for itself."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}

    def do_GET(self) -> None:
        if self.path.startswith("/callback?"):
            self.path = "/"
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Not in the output of the tests."""


class Surfer:
    """Somebody at a page of it, with the eyes on what it shows."""

    def __init__(self, page: Page, user: KnownUser) -> None:
        self.page, self._user = page, user

    def presses(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()

    def duplicates_the_tab(self) -> Surfer:
        """The new one gets a copy of what the page keeps for its session, tokens included."""
        with self.page.expect_popup() as open_store:
            self.page.evaluate("window.open(location.href)")
        return Surfer(open_store.value, self._user)

    def is_led_to_cas(self) -> None:
        """To its form, where a password is asked for."""
        self.page.wait_for_url("**/cas/login?**")
        expect(self.page.locator("input[name=password]")).to_be_visible(timeout=WAIT)

    def submit_password(self) -> None:
        """At CAS's form."""
        self.page.locator("input[name=username]").fill(self._user.name)
        self.page.locator("input[name=password]").fill(self._user.password)
        self.page.locator("input[name=password]").press("Enter")

    def sees(self) -> dict[str, Any]:
        """What the page shows next."""
        expect(self.page.locator("output")).to_contain_text(":", timeout=WAIT)
        return dict(json.loads(self.page.locator("output").inner_text()))


def launched(playwright: Playwright, *, trusts: ServerFiles) -> Browser:
    """A Chromium that takes this one key for good, and any other only if an authority of the system says so."""
    certificate = load_pem_x509_certificate(trusts.certificate.read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    flags = [*CHROMIUM_FLAGS, f"--ignore-certificate-errors-spki-list={pin}"]
    return playwright.chromium.launch(executable_path=chromium_path(), headless=True, args=flags)


def walks(browser: Browser, steps: Callable[[Surfer], None], user: KnownUser) -> None:
    """As somebody whose browser knows nobody yet.

    Containers that come and go are to it a network that changes, and what it was loading is lost: then they begin anew.
    """
    for chance in range(CHANCES):
        failures: list[str] = []
        with browser.new_context() as context:
            context.set_default_timeout(WAIT)
            context.on("requestfailed", lambda request, to=failures: to.append(request.failure or ""))
            try:
                return steps(Surfer(context.new_page(), user))
            except (AssertionError, Error):
                if chance == CHANCES - 1 or not any("ERR_NETWORK_CHANGED" in failure for failure in failures):
                    raise
