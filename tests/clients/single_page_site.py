"""A single-page application on a static file server, and the Chromium that opens it."""

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
MAX_ATTEMPTS = 3


class SinglePage:
    """Serves over https between __enter__ and __exit__; its URL is known before, for the registration.

    It has the host of the bridge, so that both are same-site: otherwise the browser would send the bridge no cookie
    from the frame of a silent renewal.
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

    def paste(self, script: str) -> None:
        """Write the script of the recipe."""
        (self._folder / "cas.js").write_text(script, encoding="utf-8")

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Files(SimpleHTTPRequestHandler):
    """Serves the page at its callback as well."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}

    def do_GET(self) -> None:
        if self.path.startswith("/callback?"):
            self.path = "/"
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Keep the output of the tests clean."""


class BrowserUser:
    """A user with a page of the application."""

    def __init__(self, page: Page, user: KnownUser) -> None:
        self.page, self._user = page, user

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()

    def duplicate_tab(self) -> BrowserUser:
        """Open a second tab, which copies the session storage with its tokens."""
        with self.page.expect_popup() as popup:
            self.page.evaluate("window.open(location.href)")
        return BrowserUser(popup.value, self._user)

    def expect_cas_form(self) -> None:
        """Wait for CAS's login form."""
        self.page.wait_for_url("**/cas/login?**")
        expect(self.page.locator("input[name=password]")).to_be_visible(timeout=WAIT)

    def submit_password(self) -> None:
        """Fill in and submit CAS's form."""
        self.page.locator("input[name=username]").fill(self._user.name)
        self.page.locator("input[name=password]").fill(self._user.password)
        self.page.locator("input[name=password]").press("Enter")

    def read_output(self) -> dict[str, Any]:
        """Return the next output of the page."""
        expect(self.page.locator("output")).to_contain_text(":", timeout=WAIT)
        return dict(json.loads(self.page.locator("output").inner_text()))


def launch_browser(playwright: Playwright, *, trusts: ServerFiles) -> Browser:
    """Start a Chromium that trusts this key in addition to the authorities of the system."""
    certificate = load_pem_x509_certificate(trusts.certificate.read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    flags = [*CHROMIUM_FLAGS, f"--ignore-certificate-errors-spki-list={pin}"]
    return playwright.chromium.launch(executable_path=chromium_path(), headless=True, args=flags)


def run_steps(browser: Browser, steps: Callable[[BrowserUser], None], user: KnownUser) -> None:
    """Run the steps of a test in a new browser context.

    Chromium aborts requests when containers change the network interfaces; then the steps start again.
    """
    for attempt in range(MAX_ATTEMPTS):
        failures: list[str] = []
        with browser.new_context() as context:
            context.set_default_timeout(WAIT)
            context.on("requestfailed", lambda request, to=failures: to.append(request.failure or ""))
            try:
                return steps(BrowserUser(context.new_page(), user))
            except (AssertionError, Error):
                if attempt == MAX_ATTEMPTS - 1 or not any("ERR_NETWORK_CHANGED" in failure for failure in failures):
                    raise
