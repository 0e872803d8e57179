"""Malformed requests at random: none causes an internal error (checklist row 5).

The seed is fixed, and a failure names the number of the request, so that it can be repeated.
"""

from __future__ import annotations

import base64
import os
import random
from collections import Counter
from collections.abc import Callable
from urllib.parse import quote_from_bytes

import pytest

from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET, events
from tests.support.bridge.actors import FORM, App, Wire

REQUESTS = 10_000 if os.environ.get("PASSERELLE_TEST_LONG") else 3_000
SEED = 20261123
LONG = 10 * 1024

Pairs = list[tuple[bytes, bytes]]

AUTHORIZATION_NAMES = (
    *("client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "prompt", "max_age"),
    *("code_challenge", "code_challenge_method", "claims", "id_token_hint", "login_hint", "ui_locales", "acr_values"),
    *("display", "request", "request_uri", "registration", "resource", "unknown", ""),
)
TOKEN_NAMES = (
    *("grant_type", "code", "redirect_uri", "client_id", "client_secret", "code_verifier", "refresh_token", "scope"),
    *("username", "password", "client_assertion", "client_assertion_type", "unknown", ""),
)
ODD_VALUES = (
    *(b"", b" ", b'"', b"\\", b"'", b"<script>", b"\r\nX: y", b"\0", b"%", b"%zz", b"+", b"a=b&c=d", b";", b"\x7f"),
    *("é", "你好", "\u202e", "\ufeff", "\U0001f600"),
    *(
        b"\xff\xfe",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\x80",
    ),  # not UTF-8, truncated, half a surrogate pair, a continuation byte
    *(b"none", b"login consent", b"S256", b"plain", b"code", b"code token", b"form_post", b"fragment", b"-1", b"1e9"),
    *(b"9" * 400, b"x" * LONG, b'"' * LONG, b"[" * LONG, "é".encode() * (LONG // 2)),
    *(b"{}", b"[]", b"null", b'{"userinfo": 1}', b'{"userinfo": {"\xc3\xa9": null}}', b'{"id_token": {"sub": []}}'),
    *(
        b"eyJhbGciOiJub25lIn0.e30.",
        b"a.b.c",
        b"....",
        b"//evil.example",
        b"javascript:alert(1)",
        b"http://[",
        b"https://",
    ),
)
CONTENT_TYPES = (
    *(FORM["Content-Type"], "application/json", "text/plain", "multipart/form-data", "multipart/form-data; boundary=x"),
    *("application/x-www-form-urlencoded; charset=utf-16", "application/x-www-form-urlencoded; charset=\xff", "", "a"),
    *("APPLICATION/X-WWW-FORM-URLENCODED", "application/x-www-form-urlencoded;;;=", "text/html; charset=none"),
)


class RequestGenerator:
    """Generator of malformed requests, the same in every run."""

    def __init__(self, app: App) -> None:
        self.draw = random.Random(SEED)
        self.good_authorization = {name: value.encode() for name, value in app.request().items()}
        self.good_token = {
            "grant_type": b"authorization_code",
            "code": b"a-code",
            "redirect_uri": app.redirect_uri.encode(),
            "client_id": app.client_id.encode(),
            "client_secret": HUB_SECRET.encode(),
            "code_verifier": app.verifier.encode(),
        }

    def value(self) -> bytes:
        """Return an odd value or random bytes."""
        if self.draw.random() < 0.2:
            return self.draw.randbytes(self.draw.choice((1, 3, 40)))
        odd = self.draw.choice(ODD_VALUES)
        return odd.encode() if isinstance(odd, str) else odd

    def pairs(self, good: dict[str, bytes], names: tuple[str, ...]) -> Pairs:
        """Return mostly valid parameters with a few malformed ones."""
        pairs = [(name.encode(), value) for name, value in good.items()] if self.draw.random() < 0.8 else []
        for _ in range(self.draw.randint(1, 3)):
            name = self.draw.choice(names).encode()
            if self.draw.random() < 0.6:
                pairs = [pair for pair in pairs if pair[0] != name]
            pairs += [(name, self.value())] * self.draw.choice((1, 1, 1, 2))
        if self.draw.random() < 0.1:
            pairs.append((self.value(), self.value()))
        self.draw.shuffle(pairs)
        return pairs

    def encoded(self, pairs: Pairs) -> str:
        """Encode a query or body; some characters stay unencoded at random."""
        safe = self.draw.choice(("", "", "/:", "/:?&=#%+;\"'<>[]{}"))
        return "&".join(f"{quote_from_bytes(name, safe)}={quote_from_bytes(value, safe)}" for name, value in pairs)

    def headers(self) -> dict[str, str]:
        """Return content types and credentials, a few of them valid."""
        headers = dict(FORM) if self.draw.random() < 0.7 else {"Content-Type": self.draw.choice(CONTENT_TYPES)}
        if self.draw.random() < 0.3:
            headers["Authorization"] = self.draw.choice((self.basic, self.bearer, self.broken))()
        return headers

    def basic(self) -> str:
        return "Basic " + base64.b64encode(self.draw.choice((b"hub:", b"hub", b"", b":")) + self.value()).decode()

    def bearer(self) -> str:
        return "Bearer " + self.draw.choice(("", "a b", "é", "x" * LONG))

    def broken(self) -> str:
        return self.draw.choice(
            ("", "Basic", "Basic !", "basic =", "Digest a=b", 'Digest username="', "Basic /w==", ",")
        )


def authorization(wire: Wire, generator: RequestGenerator) -> int:
    sent = generator.encoded(generator.pairs(generator.good_authorization, AUTHORIZATION_NAMES))
    if generator.draw.random() < 0.7:
        return wire.send("GET", f"/authorize?{sent}").status
    return wire.send("POST", "/authorize", headers=generator.headers(), body=sent).status


def token(wire: Wire, generator: RequestGenerator) -> int:
    sent = generator.encoded(generator.pairs(generator.good_token, TOKEN_NAMES))
    path = "/token" if generator.draw.random() < 0.8 else f"/token?{sent}"
    return wire.send("POST", path, headers=generator.headers(), body=sent).status


@pytest.mark.parametrize(
    ("send", "usual"), [(authorization, {303, 400}), (token, {400, 401})], ids=["authorize", "token"]
)
def test_random_requests_cause_no_internal_error_row5(
    send: Callable[[Wire, RequestGenerator], int], usual: set[int], make_bridge: MakeBridge, logged: list[str]
) -> None:
    running = make_bridge(client_failures_per_minute="100000", address_failures_per_minute="100000")
    generator = RequestGenerator(App(Wire(running.wire.issuer), secret=HUB_SECRET))
    seen: Counter[int] = Counter()

    for number in range(REQUESTS // 2):
        status = send(running.wire, generator)
        assert status < 500, f"request {number} of seed {SEED}: {status}; {events(logged, 'unexpected_error')}"
        seen[status] += 1

    assert set(seen) <= usual | {200, 413}, "200: a page that posts the response; 413: too large"
    assert all(seen[status] > REQUESTS // 20 for status in usual), f"too few of one status: {seen}"
