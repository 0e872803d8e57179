"""Providers that time out or reject a sign-in."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tornado import web
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse

from hub.auth.oauth import SILENT, SPENT, OAuthRefreshMixin, OidcAuthenticator

PATIENCE = 0.3  # seconds
TOKEN = {"access_token": "x", "token_type": "Bearer"}


class Provider(ThreadingHTTPServer):
    """Drops a number of requests, then returns claims."""

    daemon_threads = True
    drops = 0
    status = 200

    def __init__(self) -> None:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if provider.drops:
                    provider.drops -= 1
                    time.sleep(3 * PATIENCE)
                    return
                self.send_response(provider.status)
                self.end_headers()
                self.wfile.write(b'{"sub": "bob", "preferred_username": "bob"}')

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def request_claims(provider: Provider) -> dict[str, Any]:
    async def request() -> dict[str, Any]:
        authenticator = OidcAuthenticator(
            userdata_url=f"http://127.0.0.1:{provider.server_port}/userinfo",
            http_request_kwargs={"request_timeout": PATIENCE},
        )
        return await authenticator.token_to_user(TOKEN)

    return asyncio.run(request())


def test_userinfo_request_is_retried_once(provider: Provider) -> None:
    provider.drops = 1
    assert request_claims(provider)["preferred_username"] == "bob"


def test_second_timeout_is_an_error(provider: Provider) -> None:
    provider.drops = 3
    with pytest.raises(HTTPClientError) as caught:
        request_claims(provider)
    assert caught.value.code == 599
    assert provider.drops == 1


def test_rejection_is_not_retried(provider: Provider) -> None:
    provider.status = 403
    with pytest.raises(HTTPClientError) as caught:
        request_claims(provider)
    assert caught.value.code == 403


def http_error(code: int, body: bytes) -> HTTPClientError:
    request = HTTPRequest("http://bridge/token")
    return HTTPClientError(code, response=HTTPResponse(request, code, buffer=io.BytesIO(body)))


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        (HTTPClientError(599, "Timeout while connecting"), 503, SILENT),
        (http_error(400, b'{"error": "invalid_grant"}'), 400, SPENT),
    ],
)
def test_sign_in_error_says_what_to_do(fault: HTTPClientError, status: int, message: str) -> None:
    with pytest.raises(web.HTTPError) as caught:
        sign_in(fault)
    assert (caught.value.status_code, caught.value.log_message) == (status, message)


@pytest.mark.parametrize("body", [b'{"error": "invalid_client"}', b"<html>", b"[]", b""])
def test_misconfiguration_is_not_reported_as_expired_code(body: bytes) -> None:
    with pytest.raises(HTTPClientError):
        sign_in(http_error(400, body))


def sign_in(fault: HTTPClientError) -> None:
    class FailingAuthenticator:
        async def authenticate(self, *_: object, **__: object) -> None:
            raise fault

    class Authenticator(OAuthRefreshMixin, FailingAuthenticator):  # type: ignore[misc]
        pass

    asyncio.run(Authenticator().authenticate(None))
