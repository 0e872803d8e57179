"""A provider that does not answer in time, as on a machine where a whole class starts."""

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
    """Is silent for as many requests as it is told to, and then knows who somebody is."""

    daemon_threads = True
    silent_times = 0
    status = 200

    def __init__(self) -> None:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if provider.silent_times:
                    provider.silent_times -= 1
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


def asked(provider: Provider) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        ours = OidcAuthenticator(
            userdata_url=f"http://127.0.0.1:{provider.server_port}/userinfo",
            http_request_kwargs={"request_timeout": PATIENCE},
        )
        return await ours.token_to_user(TOKEN)

    return asyncio.run(ask())


def test_it_is_asked_once_more_because_the_code_is_spent(provider: Provider) -> None:
    provider.silent_times = 1
    assert asked(provider)["preferred_username"] == "bob"


def test_it_is_not_asked_for_ever(provider: Provider) -> None:
    provider.silent_times = 3
    with pytest.raises(HTTPClientError) as caught:
        asked(provider)
    assert caught.value.code == 599
    assert provider.silent_times == 1


def test_a_refusal_is_not_asked_again(provider: Provider) -> None:
    provider.status = 403
    with pytest.raises(HTTPClientError) as caught:
        asked(provider)
    assert caught.value.code == 403


def refused(code: int, body: bytes) -> HTTPClientError:
    request = HTTPRequest("http://bridge/token")
    return HTTPClientError(code, response=HTTPResponse(request, code, buffer=io.BytesIO(body)))


@pytest.mark.parametrize(
    ("fault", "status", "told"),
    [
        (HTTPClientError(599, "Timeout while connecting"), 503, SILENT),
        (refused(400, b'{"error": "invalid_grant"}'), 400, SPENT),
    ],
)
def test_whoever_signs_in_reads_what_to_do(fault: HTTPClientError, status: int, told: str) -> None:
    with pytest.raises(web.HTTPError) as caught:
        signs_in(fault)
    assert (caught.value.status_code, caught.value.log_message) == (status, told)


@pytest.mark.parametrize("body", [b'{"error": "invalid_client"}', b"<html>", b"[]", b""])
def test_a_fault_of_the_deployment_is_told_as_one(body: bytes) -> None:
    with pytest.raises(HTTPClientError):
        signs_in(refused(400, body))


def signs_in(fault: HTTPClientError) -> None:
    class Refusing:
        async def authenticate(self, *_: object, **__: object) -> None:
            raise fault

    class Ours(OAuthRefreshMixin, Refusing):  # type: ignore[misc]  # as the real ones, without a provider
        pass

    asyncio.run(Ours().authenticate(None))
