"""Malformed HTTP requests to a listening bridge."""

from __future__ import annotations

import socket
from collections.abc import Mapping

import pytest

from tests.support.bridge.live_bridge import LiveBridge

RAW: Mapping[str, bytes] = {
    "byte-in-query": b"GET /authorize?client_id=\xff HTTP/1.1\r\nHost: a\r\n",
    "byte-in-path": b"GET /\xff HTTP/1.1\r\nHost: a\r\n",
    "no-host": b"GET /authorize HTTP/1.1\r\n",
    "long-host": b"GET /authorize HTTP/1.1\r\nHost: " + b"a" * 900 + b"\r\nAccept: text/html\r\n",
    "odd-host": b'GET /authorize HTTP/1.1\r\nHost: "<>[::\r\n',
    "two-hosts": b"GET /authorize HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
    "byte-in-authorization": b"POST /token HTTP/1.1\r\nHost: a\r\nAuthorization: Basic \xe9\r\nContent-Length: 0\r\n",
    "byte-in-cookie": b"GET /authorize HTTP/1.1\r\nHost: a\r\nCookie: __Host-passerelle-session=\xff\r\n",
    "odd-length": b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n",
    "chunked": b"POST /token HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n",
    "double-slash": b"POST //token HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n",
}


@pytest.mark.parametrize("name", RAW)
def test_malformed_http_is_no_5xx(serving: LiveBridge, name: str) -> None:
    with socket.create_connection(("127.0.0.1", serving.port), timeout=5) as connection:
        connection.sendall(RAW[name] + b"Connection: close\r\n\r\n" + (b"0\r\n\r\n" if name == "chunked" else b""))
        answer = connection.makefile("rb").read()
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer[:200]
    assert b"Location" not in answer
    assert '"unexpected_error"' not in serving.log


def test_chunked_token_request_is_accepted(serving: LiveBridge) -> None:
    body = b"grant_type=authorization_code&client_id=cli"
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    with socket.create_connection(("127.0.0.1", serving.port), timeout=5) as connection:
        connection.sendall(
            b"POST /token HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" + chunked
        )
        answer = connection.makefile("rb").read()
    assert b"The parameter code is missing." in answer
