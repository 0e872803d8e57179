"""Around the views where somebody may guess: what counts as a failure there, and whose it is. See `failures`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import ParamSpec

from flask import Response, request

from bridge.errors import (
    InvalidClient,
    InvalidToken,
    LoginNotFound,
    TicketMalformed,
    TicketRejected,
)
from bridge.oauth.client_authentication import basic_credentials
from bridge.web.context import current_context

SECONDS_TO_WAIT = 60
# A secret as long as those that `passerelle clients` makes is looked at whatever failed before: nobody finds it by
# trying, and nobody can keep its client out by failing in its name or from its address.
UNGUESSABLE_LENGTH = 32
IPV6_SITE_BITS = 64  # a single customer has as many addresses as that leaves

P = ParamSpec("P")
View = Callable[P, Response]


def guesses_limited(view: View[P]) -> View[P]:
    """Around a view where clients prove who they are."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
        shown, address = _shown_secret(), caller()
        if shown is None:  # nothing is guessed at: a public client, or none
            return view(*args, **kwargs)
        client, length = shown
        limits = current_context().limits
        if length < UNGUESSABLE_LENGTH:
            limits.check_client(client, address)
        try:
            return view(*args, **kwargs)
        except InvalidClient:
            limits.client_failed(client, address)
            raise

    return guarded


def bad_tokens_limited(view: View[P]) -> View[P]:
    """Around a view that takes an access token."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
        try:
            return view(*args, **kwargs)
        except InvalidToken:
            limits = current_context().limits
            limits.check_failure(limits.bad_tokens, caller())
            raise

    return guarded


def bad_callbacks_limited(view: View[P]) -> View[P]:
    """Around the view where CAS sends browsers back to."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
        try:
            return view(*args, **kwargs)
        except (LoginNotFound, TicketMalformed, TicketRejected):
            limits = current_context().limits
            limits.check_failure(limits.bad_callbacks, caller())
            raise

    return guarded


def caller() -> str:
    """Whose failures count together: an IPv4 address, or an IPv6 site."""
    text = request.remote_addr or ""
    try:
        address = ip_address(text)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(int(address) >> (128 - IPV6_SITE_BITS))
    return text


def _shown_secret() -> tuple[str, int] | None:
    """The client_id that a secret came with, as a hash: what callers send must not fill the memory. And its length."""
    if (header := request.headers.get("Authorization")) is not None:
        try:
            client_id, secret = basic_credentials(header)
        except InvalidClient:
            client_id = secret = ""  # the view will say so too, and all such count as one client
    elif "client_secret" in request.form:
        client_id, secret = request.form.get("client_id", ""), request.form["client_secret"]
    else:
        return None
    return sha256(client_id.encode("utf-8", "surrogatepass")).hexdigest(), len(secret)
