"""The thin edge: one exchange with a server, bounded in time, told as a value whatever happens.

Built on `bridge.connection`, so that what is true for a check is true for a sign-in: no redirects are followed, no
proxy variables read, no cookies kept, and certificates are always verified. `look_at_certificates` is the one
exception: it says nothing, and closes the connection when it has seen who answers.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bridge.check.authorities import trusting
from bridge.check.certificates import Certificate, read_certificate
from bridge.check.failures import Kind, NotConnectedError, kind_of, reason_of
from bridge.connection import Host, TimedConnection, resolve_addresses
from bridge.proxy import Proxy

PROBE_SECONDS = 8.0
BODY_MAX_BYTES = 256 * 1024
_NUMBERS_SECONDS = 1.0  # they were found just before
USER_AGENT = "Passerelle-check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    url: str
    status: int
    headers: Mapping[str, str]
    """By lower-case names; of several of one name, the first."""
    body: bytes
    received_at: float
    """Unix seconds, by our clock."""
    certificate: Certificate | None = None
    connect_seconds: float = 0.0
    """What finding, reaching and greeting the server took."""
    answer_seconds: float = 0.0
    """What the question and its whole answer took."""

    @property
    def location(self) -> str:
        """Where a redirect leads."""
        return self.headers.get("location", "")

    @property
    def is_redirect(self) -> bool:
        """Whether it sends elsewhere."""
        return 300 <= self.status < 400 and bool(self.location)

    @property
    def is_page(self) -> bool:
        """Whether it is for people."""
        return "html" in self.headers.get("content-type", "").lower() or self.body.lstrip()[:15].lower().startswith(
            (b"<!doctype html", b"<html")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why nothing came back."""

    url: str
    kind: Kind
    detail: str
    numbers: Sequence[str] = ()
    """The IP addresses that were tried, where no connection came about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to ask, and whom to trust there."""

    url: str
    ca_file: Path | None = None
    """Trusted instead of the system's authorities, or beside them."""
    ca_file_alone: bool = True
    proxy: Proxy | None = None

    @property
    def scheme(self) -> str:
        """Http or https."""
        return urlsplit(self.url).scheme

    @property
    def host(self) -> str:
        """Its name, without brackets."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The TCP port."""
        return urlsplit(self.url).port or (443 if self.scheme == "https" else 80)


def ask(
    place: Place,
    url: str | None = None,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = PROBE_SECONDS,
) -> Answer | Trouble:
    """One question to `url`, at the host of `place`. Never raises for anything that the network or a server does.

    :param url: by default the place's own
    :param body: to POST; a GET without one
    :param seconds: for everything: finding, reaching and greeting the server, the question and its answer
    """
    url = url or place.url
    deadline = time.monotonic() + seconds
    try:
        return _exchange(place, url, body, headers or {}, deadline)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _trouble(place, url, error, seconds)


def _trouble(place: Place, url: str, error: Exception, seconds: float) -> Trouble:
    kind = kind_of(error)
    asks_numbers = kind in ("refused", "unconnected", "network") and not place.proxy  # a proxy finds them itself
    numbers = resolve_addresses(place.host, place.port, seconds=_NUMBERS_SECONDS) if asks_numbers else ()
    return Trouble(url=url, kind=kind, detail=reason_of(error, seconds), numbers=numbers)


def look_at_certificates(place: Place, *, seconds: float = PROBE_SECONDS) -> list[Certificate]:
    """The certificates that a server shows, its own first: to describe them, since nobody vouches for them.

    Python before 3.13 gives the server's own alone. Empty when none could be seen.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the connection is closed before anything is said on it
    try:
        connection = _host(place, context).connect(time.monotonic() + seconds)
    except (OSError, http.client.HTTPException, ValueError):
        return []
    try:
        sock = connection.sock
        if not isinstance(sock, ssl.SSLSocket):
            return []
        chain: list[bytes] = getattr(sock, "get_unverified_chain", list)()
        ders: list[bytes | None] = [*chain] or [sock.getpeercert(binary_form=True)]
        found = [read_certificate(der) for der in ders if der]
        return [certificate for certificate in found if certificate is not None]
    finally:
        connection.close()


def reach(place: Place, *, seconds: float = PROBE_SECONDS) -> Trouble | None:
    """Connect to a server, by TLS where its address is https, and say nothing more: what came in the way, if anything.

    :param seconds: for finding, reaching and greeting it
    """
    try:
        _connected(_host(place, _tls(place)), time.monotonic() + seconds).close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _trouble(place, place.url, error, seconds)
    return None


def greet(place: Place, *, seconds: float = PROBE_SECONDS) -> bool | None:
    """Whether a server's certificate is trusted, found out without saying anything; None when it did not answer."""
    trouble = reach(place, seconds=seconds)
    if trouble is None:
        return True
    return False if trouble.kind == "certificate" else None


def _tls(place: Place) -> ssl.SSLContext | None:
    return trusting(place.ca_file, alone=place.ca_file_alone) if place.scheme == "https" else None


def _host(place: Place, tls: ssl.SSLContext | None) -> Host:
    return Host(place.host, place.port, tls, place.proxy)


def _exchange(place: Place, url: str, body: bytes | None, headers: Mapping[str, str], deadline: float) -> Answer:
    tls = _tls(place)
    began = time.monotonic()
    connection = _connected(_host(place, tls), deadline)
    connected = time.monotonic()
    try:
        der = connection.sock.getpeercert(binary_form=True) if isinstance(connection.sock, ssl.SSLSocket) else None
        connection.begin_exchange(max(deadline - time.monotonic(), 0.01))
        usual = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close"}
        connection.send_request(url, headers=usual | dict(headers), body=body)
        with connection.getresponse() as response:
            content = response.read(BODY_MAX_BYTES)
            named = {name.lower(): value for name, value in reversed(response.getheaders())}
            return Answer(
                url=url,
                status=response.status,
                headers=named,
                body=content,
                received_at=time.time(),
                certificate=None if der is None else read_certificate(der),
                connect_seconds=connected - began,
                answer_seconds=time.monotonic() - connected,
            )
    finally:
        connection.close()


def _connected(host: Host, deadline: float) -> TimedConnection:
    try:
        return host.connect(deadline)
    except TimeoutError as error:
        # A handshake that does not end has somebody at its other end. (Python tells the two apart by words alone.)
        if "handshake" in str(error):
            raise
        raise NotConnectedError(str(error)) from None
