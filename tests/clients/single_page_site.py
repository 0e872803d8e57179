"""A single-page application on a server that has nothing but files, and the Chromium in which somebody opens it."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from playwright.sync_api import Page, expect, sync_playwright

from tests.support.authority import ServerFiles
from tests.support.browser import CHROMIUM_FLAGS, PAGE_WAIT, chromium_path
from tests.support.real_cas import KnownUser

SOURCE = Path(__file__).with_name("single_page")
LIBRARY = Path("node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js")


class SinglePage:
    """Serves between __enter__ and __exit__, by https; the same page at several paths, each a client of its own."""

    def __init__(self, folder: Path, *, library: Path, files: ServerFiles) -> None:
        self._folder = folder
        (folder / library.name).write_bytes(library.read_bytes())
        (folder / "application.mjs").write_bytes((SOURCE / "application.mjs").read_bytes())
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(folder)))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(files.certificate, files.key)
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    def at(self, name: str) -> str:
        """Its address, which is also where people come back to."""
        return f"https://127.0.0.1:{self._server.server_port}/{name}/"

    def knows(self, name: str, settings: Mapping[str, str]) -> None:
        """Which client it is at this path."""
        place = self._folder / name
        place.mkdir()
        (place / "index.html").write_bytes((SOURCE / "index.html").read_bytes())
        (place / "settings.json").write_text(json.dumps(settings))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Files(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}

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
        with self.page.expect_popup() as opened:
            self.page.evaluate("window.open(location.href)")
        return Surfer(opened.value, self._user)

    def types_password(self) -> None:
        """At CAS's form."""
        self.page.wait_for_url("**/cas/login?**")
        self.page.locator("input[name=username]").fill(self._user.name)
        self.page.locator("input[name=password]").fill(self._user.password)
        self.page.locator("input[name=password]").press("Enter")

    def sees(self) -> dict[str, Any]:
        """What the page shows next."""
        expect(self.page.locator("output")).to_contain_text(":")
        return dict(json.loads(self.page.locator("output").inner_text()))


@contextmanager
def surfing(files: ServerFiles, user: KnownUser) -> Iterator[Surfer]:
    """A Chromium that takes this one key for good, and any other only if an authority of the system says so."""
    certificate = load_pem_x509_certificate(files.certificate.read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    flags = [*CHROMIUM_FLAGS, f"--ignore-certificate-errors-spki-list={pin}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), headless=True, args=flags)
        try:
            page = browser.new_page()
            page.set_default_timeout(PAGE_WAIT)
            yield Surfer(page, user)
        finally:
            browser.close()
