"""What the network's exceptions amount to, in kinds that each have a remedy of their own. Pure."""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import Literal

Kind = Literal["name", "refused", "unconnected", "silent", "certificate", "tls", "http", "network"]


class NotConnectedError(TimeoutError):
    """Nothing came back at all: other than from a server that hangs."""


def kind_of(error: Exception) -> Kind:
    """Which kind of trouble an exception is."""
    kinds: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Kind], ...] = (
        ((socket.gaierror, UnicodeError), "name"),
        (NotConnectedError, "unconnected"),
        (TimeoutError, "silent"),
        (ssl.SSLCertVerificationError, "certificate"),
        (ssl.SSLError, "tls"),
        (ConnectionRefusedError, "refused"),
        ((http.client.HTTPException, ConnectionError), "http"),
    )
    return next((kind for types, kind in kinds if isinstance(error, types)), "network")


def reason_of(error: Exception, seconds: float) -> str:
    """In words that quote nothing which the server sent."""
    if isinstance(error, NotConnectedError):
        return f"nothing came back within {seconds:.0f} s"
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:.0f} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    if isinstance(error, ssl.SSLError):
        return (error.reason or "the handshake failed").replace("_", " ").lower()
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return type(error).__name__
