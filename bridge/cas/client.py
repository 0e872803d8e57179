"""HTTP client for ticket validation, the only module that connects to CAS.

It is built on `http.client` with a small pool of idle connections, because that costs half the CPU of a general HTTP
library. It has no redirects, cookies, environment proxies, .netrc, retries or logged URLs.
"""

import http.client
import secrets
import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

from bridge.cas.circuit_breaker import CircuitBreaker
from bridge.cas.endpoints import CasEndpoints, ValidationRequest
from bridge.cas.protocol import ValidatedTicket, check_fresh_login
from bridge.cas.response import parse_failure, parse_validation, redact
from bridge.connection import Host, TimedConnection
from bridge.errors import (
    BridgeError,
    ConfigurationError,
    UpstreamMalformed,
    UpstreamMisconfigured,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from bridge.proxy import GATEWAY_ERRORS, credentials_hint, parse_proxy_url
from bridge.settings import Settings, describe_read_error

CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0
BODY_MAX_BYTES = 1024 * 1024
IDLE_CONNECTIONS_MAX = 16
# Apache closes idle connections after 5 seconds. Closing earlier avoids a request on a closing connection.
IDLE_SECONDS_MAX = 4.0
_HEADERS = {
    "Accept-Encoding": "identity",  # a compressed body could exceed the limit once decompressed
    "User-Agent": "Passerelle",
}


class CasClient:
    """Validates tickets. Safe to share between threads; each connection serves one thread at a time."""

    def __init__(
        self,
        endpoints: str | CasEndpoints,
        *,
        ca_file: str | None = None,
        proxy: str | None = None,
        connect_timeout: float = CONNECT_SECONDS,
        read_timeout: float = READ_SECONDS,
        body_max_bytes: int = BODY_MAX_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Create a client without opening a connection; raise ConfigurationError for an unusable URL or CA file.

        Args:
            endpoints: Endpoints of CAS, or its base URL.
            ca_file: Certificates (PEM) to trust instead of the system's; certificates are always verified.
            proxy: URL of an HTTP proxy, with its credentials.
            connect_timeout: Seconds for resolving, connecting, the proxy and TLS together.
            read_timeout: Seconds for the request and the complete response together.
            body_max_bytes: Largest accepted response.
            clock: Returns Unix seconds, for the conditions of SAML responses.
        """
        self._endpoints = CasEndpoints.from_base_url(endpoints) if isinstance(endpoints, str) else endpoints
        parts = urlsplit(self._endpoints.validate)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError([f"The CAS endpoint {self._endpoints.validate!r} is not an http or https URL."])
        tls = _tls_context(ca_file) if parts.scheme == "https" else None
        self._host = Host(
            parts.hostname, parts.port or (443 if tls else 80), tls, None if proxy is None else parse_proxy_url(proxy)
        )
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._body_max_bytes = body_max_bytes
        self._clock = clock
        self._circuit_breaker = CircuitBreaker()
        self._idle: deque[TimedConnection] = deque()

    @classmethod
    def from_settings(cls, settings: Settings, *, clock: Callable[[], float] = time.time) -> Self:
        """Create a client for the configured CAS."""
        return cls(
            CasEndpoints.from_settings(settings),
            ca_file=None if settings.cas_ca_file is None else str(settings.cas_ca_file),
            proxy=None if settings.cas_proxy is None else settings.cas_proxy.get_secret_value(),
            body_max_bytes=settings.cas_response_max_bytes,
            clock=clock,
        )

    def validate(self, service: str, ticket: str, *, renew_since: float | None = None) -> ValidatedTicket:
        """Validate a ticket, which consumes it.

        Args:
            service: The service URL of the login.
            ticket: The service ticket, already checked.
            renew_since: Start of the login in Unix seconds if it must be fresh; None accepts any CAS session.

        Raises:
            TicketRejected: If CAS does not know the ticket, or the session is older than `renew_since`.
            SignInDenied: If CAS denies access to the user.
            UpstreamError: If there is no usable response.
        """
        now = self._clock()
        request = self._endpoints.validation_request(
            service, ticket, renew=renew_since is not None, now=now, request_id=secrets.token_hex(16)
        )
        with self._circuit_breaker:
            response, body = self._send(request)
        content_type = response.getheader("Content-Type", "")
        if response.status != 200:
            failure = parse_failure(body, service=service, now=now, content_type=content_type)
            raise failure or _status_error(response.status, self._host)
        validated = parse_validation(body, service=service, now=now, content_type=content_type)
        if renew_since is not None:
            check_fresh_login(validated, since=renew_since)
        return validated

    @property
    def is_responding(self) -> bool:
        """Return False after several timeouts in a row, until a request gets a response."""
        return not self._circuit_breaker.is_open

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _send(self, request: ValidationRequest) -> tuple[http.client.HTTPResponse, bytes]:
        """Return the response, closed, and its body."""
        connection = self._idle_connection() or self._new_connection()
        reusable = False
        try:
            # No retry from here on: the ticket may be consumed even if the response is lost.
            connection.begin_exchange(self._read_timeout)
            connection.send_request(request.url, headers={**_HEADERS, **request.headers}, body=request.body)
            with connection.getresponse() as response:
                body = self._read(response)
                reusable = response.status == 200 and response.isclosed() and not response.will_close
        except TimeoutError:
            raise UpstreamTimeout(
                detail=f"no complete response from {self._host} within {self._read_timeout:g} s"
            ) from None
        except OSError as error:
            raise UpstreamUnreachable(detail=f"{self._host} closed the connection: {type(error).__name__}") from None
        except http.client.HTTPException as error:
            # The text is omitted: it can quote the response, and with it the ticket.
            raise UpstreamMalformed(detail=f"invalid HTTP from {self._host}: {type(error).__name__}") from None
        finally:
            self._release(connection, reusable)
        return response, body

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        _check_status(response, self._host)
        body = response.read(self._body_max_bytes + 1)
        if len(body) > self._body_max_bytes:
            raise UpstreamMalformed(
                detail=f"the response of {self._host} exceeds cas_response_max_bytes ({self._body_max_bytes})"
            )
        if response.length:
            raise UpstreamMalformed(detail=f"the response of {self._host} ends {response.length} bytes early")
        return body

    def _idle_connection(self) -> TimedConnection | None:
        """Return the connection used last if it is still open; stale ones are closed before anything is sent."""
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
        """Connect, with one retry. A retry is safe here, because the ticket has not been sent."""
        deadline = time.monotonic() + self._connect_timeout
        try:
            with suppress(ConnectionError):  # one host name can have several servers
                return self._host.connect(deadline)
            return self._host.connect(deadline)
        except TimeoutError:
            raise UpstreamTimeout(
                detail=f"no connection to {self._host} within {self._connect_timeout:g} s; check network and firewall"
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise UpstreamUnreachable(
                detail=f"the certificate of {self._host} is not trusted: {error.verify_message}; "
                "for a private certificate authority, set cas_ca_file"
            ) from None
        except OSError as error:
            raise UpstreamUnreachable(detail=f"no connection to {self._host}: {error}") from None

    def _release(self, connection: TimedConnection, reusable: bool) -> None:
        if reusable and len(self._idle) < IDLE_CONNECTIONS_MAX:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
        else:
            connection.close()


def _check_status(response: http.client.HTTPResponse, host: Host) -> None:
    """Reject responses whose body is of no use. Keycloak's CAS plug-in sends failures with status 400."""
    if 300 <= response.status < 400:
        raise UpstreamMisconfigured(
            detail=f"{host} redirects ({response.status}) to {_target_of(response.getheader('Location'))}; "
            "redirects are not followed: run `passerelle check`"
        )
    if response.status != 200 and not 400 <= response.status < 500:
        raise _status_error(response.status, host)
    encoding = response.getheader("Content-Encoding", "identity")
    if encoding.strip().lower() not in ("identity", ""):
        raise UpstreamMisconfigured(detail=f"{host} compressed its response despite Accept-Encoding: identity")


def _status_error(status: int, host: Host) -> BridgeError:
    if host.proxy and not host.tls and status in GATEWAY_ERRORS:
        return UpstreamUnreachable(
            detail=f"status {status} from CAS or the proxy {host.proxy}{credentials_hint(status)}"
        )
    # Apereo 7 returns 500 for an unregistered service URL.
    hint = "; the service URL may not be registered: run `passerelle check`" * (status >= 500)
    return UpstreamMisconfigured(detail=f"status {status} from {host}, expected 200{hint}")


def _target_of(location: str | None) -> str:
    """Return the host of a redirect, or its path on the same host. The rest of the URL can repeat the ticket."""
    try:
        parts = urlsplit(location or "")
        host, path = parts.hostname, parts.path.partition(";")[0]
    except ValueError:
        host, path = None, ""
    if host:
        return f"host {host[:255]!r}"
    return f"its own path {redact(path)!r}" if path else "(none)"


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        reason = "it holds no PEM certificate" if isinstance(error, ssl.SSLError) else describe_read_error(error)
        raise ConfigurationError([f"PASSERELLE_CAS_CA_FILE: cannot read {ca_file}: {reason}."]) from None
    if ca_file:
        # Python 3.13 requires extensions that private authorities often lack. Chain and host name stay verified.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
