"""The one network caller: asks CAS whether a ticket is good.

Built on `http.client` and a few idle connections rather than on a general HTTP library: it costs half the CPU,
and it has none of what must be off here anyway: redirects, cookies, environment proxies, .netrc, retries, logged
URLs. Time is bounded as a whole: `connect_timeout` for finding, reaching and greeting the server,
`read_timeout` for the question and the complete answer, however slowly its bytes arrive.
"""

from __future__ import annotations

import http.client
import secrets
import ssl
import time
from collections import deque
from collections.abc import Callable
from urllib.parse import urlsplit

from bridge.cas.endpoints import CasEndpoints, ValidationRequest
from bridge.cas.protocol import ValidatedTicket, check_fresh_login
from bridge.cas.response import BODY_MAX_BYTES, parse_validation
from bridge.connection import Host, TimedConnection
from bridge.errors import (
    ConfigurationError,
    UpstreamMalformed,
    UpstreamMisconfigured,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from bridge.proxy import REFUSALS, parse_proxy_url
from bridge.settings import Settings, describe_read_error

CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0
IDLE_CONNECTIONS_MAX = 16
# Apache closes a kept-alive connection after 5 seconds. Leaving first avoids sending into a closing one.
IDLE_SECONDS_MAX = 4.0
_HEADERS = {
    "Accept-Encoding": "identity",  # a compressed body could grow past the cap
    "User-Agent": "Passerelle",
}


class CasClient:
    """Safe to share between threads; connections are kept alive and used by one thread at a time."""

    def __init__(
        self,
        where: str | CasEndpoints,
        *,
        ca_file: str | None = None,
        proxy: str | None = None,
        connect_timeout: float = CONNECT_SECONDS,
        read_timeout: float = READ_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Opens nothing yet.

        :param where: all about this CAS, or its base URL when nothing else is special
        :param ca_file: replaces the system's authorities; certificates are always verified
        :param proxy: the URL of an http proxy on the way, with user and password where it wants them
        :param connect_timeout: seconds, over resolving, connecting, the proxy and TLS
        :param read_timeout: seconds, over the question and the whole answer
        :param clock: Unix seconds; SAML answers are good for a moment only
        :raises ConfigurationError: when the address or the CA file cannot be used
        """
        self._addresses = CasEndpoints.from_base_url(where) if isinstance(where, str) else where
        parts = urlsplit(self._addresses.validate)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError([f"The CAS address {self._addresses.validate!r} is no http or https URL."])
        tls = _tls_context(ca_file) if parts.scheme == "https" else None
        self._host = Host(
            parts.hostname, parts.port or (443 if tls else 80), tls, None if proxy is None else parse_proxy_url(proxy)
        )
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._clock = clock
        self._idle: deque[TimedConnection] = deque()

    @classmethod
    def from_settings(cls, settings: Settings, *, clock: Callable[[], float] = time.time) -> CasClient:
        """As configured."""
        return cls(
            CasEndpoints.from_settings(settings),
            ca_file=None if settings.cas_ca_file is None else str(settings.cas_ca_file),
            proxy=None if settings.cas_proxy is None else settings.cas_proxy.get_secret_value(),
            clock=clock,
        )

    def validate(self, service: str, ticket: str, *, renew_since: float | None = None) -> ValidatedTicket:
        """Spend the ticket. Raises `TicketRejected`, `SignInDenied` or an `UpstreamError`.

        :param renew_since: Unix seconds; since then the user has to have given the password. None: any time will do
        """
        renew = renew_since is not None
        now = self._clock()
        question = self._addresses.validation_request(
            service, ticket, renew=renew, now=now, request_id=secrets.token_hex(16)
        )
        validated = parse_validation(self._ask(question), service=service, now=now)
        if renew_since is not None:
            check_fresh_login(validated, since=renew_since)
        return validated

    def close(self) -> None:
        """Drop the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _ask(self, question: ValidationRequest) -> bytes:
        connection = self._idle_connection() or self._new_connection()
        reusable = False
        try:
            # From here on nothing is tried again: the ticket may be spent, whatever happens to the answer.
            connection.begin_exchange(self._read_timeout)
            connection.ask(question.url, headers={**_HEADERS, **question.headers}, body=question.body)
            with connection.getresponse() as response:
                body = self._read(response)
                reusable = response.isclosed() and not response.will_close
        except TimeoutError:
            raise UpstreamTimeout(detail=f"{self._host} gave no complete answer in {self._read_timeout:g} s") from None
        except OSError as error:
            raise UpstreamUnreachable(detail=f"{self._host} broke the connection: {type(error).__name__}") from None
        except http.client.HTTPException as error:
            # Its text can quote what the server sent, and that can quote the ticket.
            raise UpstreamMalformed(detail=f"{self._host} does not speak proper HTTP: {type(error).__name__}") from None
        finally:
            self._release(connection, reusable)
        return body

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        _check_is_an_answer(response, self._host)
        body = response.read(BODY_MAX_BYTES + 1)
        if len(body) > BODY_MAX_BYTES:
            raise UpstreamMalformed(detail=f"{self._host} answered more than {BODY_MAX_BYTES} bytes")
        if response.length:
            raise UpstreamMalformed(detail=f"{self._host} ended its answer {response.length} bytes early")
        return body

    def _idle_connection(self) -> TimedConnection | None:
        """The connection used last, if it is still good. Seen before anything is sent: no retry is needed."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread took it
                return None
            if time.monotonic() - connection.idle_since < IDLE_SECONDS_MAX and not connection.is_stale():
                return connection
            connection.close()
        return None

    def _new_connection(self) -> TimedConnection:
        """Connect, with one more try when no connection came about: CAS has heard of no ticket yet."""
        deadline = time.monotonic() + self._connect_timeout
        try:
            return self._host.connect(deadline)
        except ConnectionError:
            pass  # one host name can stand for several servers
        except OSError as error:
            raise self._no_connection(error) from None
        try:
            return self._host.connect(deadline)
        except OSError as error:
            raise self._no_connection(error) from None

    def _no_connection(self, error: OSError) -> UpstreamTimeout | UpstreamUnreachable:
        if isinstance(error, TimeoutError):
            return UpstreamTimeout(
                detail=f"no connection to {self._host} in {self._connect_timeout:g} s; check network and firewall"
            )
        if isinstance(error, ssl.SSLCertVerificationError):
            return UpstreamUnreachable(
                detail=f"the certificate of {self._host} is not trusted: {error.verify_message}; "
                "for a private authority, configure its CA file"
            )
        return UpstreamUnreachable(detail=f"no connection to {self._host}: {error}")

    def _release(self, connection: TimedConnection, reusable: bool) -> None:
        if reusable and len(self._idle) < IDLE_CONNECTIONS_MAX:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
        else:
            connection.close()


def _check_is_an_answer(response: http.client.HTTPResponse, host: Host) -> None:
    if host.proxy and not host.tls and response.status in REFUSALS:
        wants = "; it wants a user and a password, or others than these" if response.status == 407 else ""
        raise UpstreamUnreachable(detail=f"the proxy {host.proxy}, or CAS behind it, answered {response.status}{wants}")
    if 300 <= response.status < 400:
        # The host only: the rest of the address can repeat the ticket.
        raise UpstreamMisconfigured(
            detail=f"{host} redirects ({response.status}) to host {_host_of(response.getheader('Location'))}; "
            "redirects are not followed, configure the final address"
        )
    if response.status != 200:
        # Apereo 7 fails with 500 over an address that it does not know.
        perhaps = "; it may be that this site is not registered: see `passerelle check`" * (response.status >= 500)
        raise UpstreamMisconfigured(detail=f"{host} answered with status {response.status} in place of 200{perhaps}")
    encoding = response.getheader("Content-Encoding", "identity")
    if encoding.strip().lower() not in ("identity", ""):
        raise UpstreamMisconfigured(detail=f"{host} compressed its answer, though asked not to")


def _host_of(location: str | None) -> str:
    try:
        host = urlsplit(location or "").hostname
    except ValueError:
        host = None
    return repr(host[:255]) if host else "(none named)"


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        reason = (
            "it holds no certificate in PEM form" if isinstance(error, ssl.SSLError) else describe_read_error(error)
        )
        raise ConfigurationError([f"The CA file {ca_file} for CAS cannot be used: {reason}."]) from None
    if ca_file:
        # Python 3.13 also demands extensions that home-made authorities often lack. Chain and host name stay
        # verified, as on older versions.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
