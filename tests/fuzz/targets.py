"""Fuzzing targets, and the limits of every call.

A call raises only bridge errors, uses at most 100 ms of CPU and 16 MiB of memory, and keeps none of it. The first byte
of an input selects how the rest is used: unchanged, inside a template, or repeated, so that small inputs reach the
limits as well.
"""

from __future__ import annotations

import os
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bridge.cas.client import BODY_MAX_BYTES
from bridge.cas.logout_request import message_from_body, message_from_front_channel, parse_logout_request
from bridge.cas.response import USER_MAX_CHARS, parse_validation
from bridge.errors import LogoutRequestMalformed, SignInDenied, TicketRejected, UpstreamError
from tests.fuzz.endpoint import endpoint

CPU_SECONDS_MAX = float(os.environ.get("FUZZ_CPU_SECONDS_MAX", "0.1"))  # depends on the machine
CALL_BYTES_MAX = 16 << 20
REQUEST_MAX_BYTES = 64 << 10
MEMORY_EVERY = 64
"""Calls between memory measurements, which take four times as long."""

SERVICE = "https://auth.localhost/cas/callback?state=a"
NOW = 1_790_000_000.0
_CAS = b'<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas"><cas:authenticationSuccess>%s'
_CAS_END = b"</cas:authenticationSuccess></cas:serviceResponse>"
_USER = b"<cas:user>alice</cas:user>"
_SAML = (
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header/><e:Body>'
    b'<Response xmlns="urn:oasis:names:tc:SAML:1.0:protocol"><Status><StatusCode Value="p:Success"/></Status>'
    b'<Assertion xmlns="urn:oasis:names:tc:SAML:1.0:assertion"><Conditions NotBefore="2026-09-21T14:13:20Z">'
    b"<AudienceRestrictionCondition><Audience>https://auth.localhost/cas/callback?state=a</Audience>"
    b"</AudienceRestrictionCondition></Conditions><AuthenticationStatement><Subject><NameIdentifier>%s"
)
_SAML_END = b"</NameIdentifier></Subject></AuthenticationStatement></Assertion></Response></e:Body></e:Envelope>"
_LOGOUT = (
    b'<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="a" Version="2.0">'
    b"<samlp:SessionIndex>%s</samlp:SessionIndex></samlp:LogoutRequest>"
)
RESPONSE_PLACES: tuple[bytes, ...] = (
    b"%s",
    _CAS.replace(b"%s", b"<cas:user>%s</cas:user>") + _CAS_END,
    _CAS.replace(b"%s", _USER + b"<cas:attributes>%s</cas:attributes>") + _CAS_END,
    _CAS.replace(b"%s", _USER + b"%s") + _CAS_END,
    b'{"serviceResponse":{"authenticationSuccess":{"user":"%s"}}}',
    b'{"serviceResponse":{"authenticationSuccess":{"user":"a","attributes":{%s}}}}',
    b'{"serviceResponse":{%s}}',
    b"yes\n%s\n",
    _SAML + _SAML_END,
    _SAML.replace(b"%s", b"a</NameIdentifier></Subject></AuthenticationStatement>%s<x><y><z>")
    + b"</z></y></x></Assertion></Response></e:Body></e:Envelope>",
)
LOGOUT_PLACES: tuple[bytes, ...] = (b"%s", _LOGOUT, b"logoutRequest=%s", b"<LogoutRequest>%s</LogoutRequest>")


def read_response(body: bytes) -> None:
    """Parse a validation response: it gives a valid user or a bridge error."""
    try:
        found = parse_validation(body, service=SERVICE, now=NOW)
    except (UpstreamError, TicketRejected, SignInDenied):
        return
    assert 0 < len(found.user) <= USER_MAX_CHARS
    assert found.user.isprintable()
    for name, values in found.attributes.items():
        assert name.isprintable()
        assert isinstance(values, tuple)
        for value in values:
            assert "\0" not in value
            value.encode()  # a value that cannot be encoded would fail later, in the store


def read_logout(message: bytes) -> None:
    """Parse a logout request, in one of its encodings."""
    unwrap = (bytes, message_from_body, message_from_front_channel)[len(message) % 3]
    try:
        ticket = parse_logout_request(unwrap(message))
    except LogoutRequestMalformed:
        return
    assert ticket
    assert ticket.isprintable()


@dataclass
class Target:
    """A parser of untrusted bytes, with its measurements."""

    read: Callable[[bytes], None]
    places: tuple[bytes, ...]
    largest: int
    calls: int = 0
    slowest: float = 0.0
    hungriest: int = 0
    settled: int = 0
    slowest_input: bytes = field(default=b"", repr=False)

    def __call__(self, data: bytes) -> None:
        """Run one input; raise AssertionError if a limit is exceeded."""
        body = self.composed(data)
        self.calls += 1
        if self.calls == 1000:
            self.settled = resident_peak()
        traced = self.calls % MEMORY_EVERY == 0
        if traced:
            tracemalloc.start()
        began = time.thread_time()
        try:
            self.read(body)
        finally:
            spent = time.thread_time() - began
            if traced:
                self.hungriest = max(self.hungriest, tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
        if not traced and spent > self.slowest:
            self.slowest, self.slowest_input = spent, body
        assert self.slowest <= CPU_SECONDS_MAX, f"{self.slowest * 1000:.0f} ms of CPU"
        assert self.hungriest <= CALL_BYTES_MAX, f"{self.hungriest} bytes at a time"

    def composed(self, data: bytes) -> bytes:
        """Build the input from a template."""
        if not data:
            return b""
        times, place = divmod(data[0], len(self.places))
        inside = data[1:]
        if times % 4 == 3 and inside:  # up to the size limit, and sometimes over it
            capacity = self.largest + 100 - len(self.places[place]) if times % 8 == 7 else self.largest // 2
            inside = inside * max(1, capacity // len(inside))
        return self.places[place].replace(b"%s", inside)

    @property
    def growth(self) -> int:
        """Bytes by which the process grew after the first 1,000 calls."""
        return resident_peak() - self.settled if self.settled else 0


def resident_peak() -> int:
    """Return the peak memory of the process in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


TARGETS: Mapping[str, Callable[[], Target]] = {
    "response": lambda: Target(read_response, RESPONSE_PLACES, BODY_MAX_BYTES),
    "logout": lambda: Target(read_logout, LOGOUT_PLACES, REQUEST_MAX_BYTES),
    "endpoint": lambda: Target(endpoint(), LOGOUT_PLACES, REQUEST_MAX_BYTES),
}
