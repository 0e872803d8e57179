"""A form of the bridge whose target redirects to another origin, in a real browser (docs/decisions/0008)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.support.bridge.live_bridge import LiveBridge
from tests.support.browser import Browser
from tests.support.cas.scripted_cas import ScriptedCas

pytestmark = [pytest.mark.e2e, pytest.mark.needs("browser")]
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636, appendix B


class Application(BaseHTTPRequestHandler):
    """A client that receives the response at 127.0.0.1 and redirects to another origin."""

    def do_GET(self) -> None:
        if self.path.startswith("/cb"):
            self.send_response(303)
            self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/arrived")  # type: ignore[str-bytes-safe]  # a number
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "16")
        self.end_headers()
        self.wfile.write(b"<h1>Arrived</h1>")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Log nothing, because the URLs contain codes."""


@pytest.fixture
def application() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Application) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/cb"
        server.shutdown()


@pytest.mark.parametrize("response_mode", ["query", "form_post"])
def test_client_may_redirect_after_consent(tmp_path: Path, application: str, response_mode: str) -> None:
    client = {"client_id": "broker", "client_secret": "s" * 32, "redirect_uris": [application], "consent": True}
    request = {
        "client_id": "broker",
        "response_type": "code",
        "scope": "openid",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "response_mode": response_mode,
    }
    with (
        ScriptedCas() as cas,
        LiveBridge(tmp_path, cas_url=cas.url, clients=[client]) as bridge,
        Browser(name=f"form-{response_mode}") as browser,
    ):
        browser.goto(f"{bridge.url}/authorize?{urlencode(request)}")
        browser.page.get_by_role("button", name="Allow", exact=True).click()

        browser.page.get_by_role("heading", name="Arrived").wait_for(timeout=15_000)
