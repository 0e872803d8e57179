"""What those who run the bridge look at: `/metrics`, and the numbers behind it as requests pass.

Who may read them: whoever knows the token of the settings; without one, only this very machine, asking directly.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, g, request
from werkzeug.exceptions import NotFound
from werkzeug.middleware.proxy_fix import ProxyFix

from bridge.errors import AuthorizationRejected, BridgeError, OAuthError
from bridge.metrics import CONTENT_TYPE
from bridge.oauth.grants import GRANTS
from bridge.settings import is_loopback
from bridge.web.context import AppContext, current_context

# A proxy in front would make everybody a caller from this machine. Not every proxy says that it is one; of the
# common ones, each sends at least one of these or hands the public host name on.
PROXY_HEADERS = ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "X-Forwarded-Proto", "X-Forwarded-Host", "Via")
HELP = {
    "sessions": "Browsers signed in just now. Every host on one database tells the same number.",
    "logout_deliveries_waiting": "Logout tokens that still have to reach a client, given up or not.",
    "logout_deliveries_given_up": "Logout tokens that were given up: `passerelle logout-deliveries list` lists them.",
}


def watch(app: Flask, path: str) -> None:
    """Give `app` its /metrics and time its requests.

    Without a blueprint, so that whoever may not read them gets the very answer of an address where nothing is.
    """
    app.add_url_rule(f"{path}/metrics", "metrics", metrics)
    if path:
        app.add_url_rule("/metrics", "root_metrics", metrics)
    app.before_request(begin)
    app.after_request(finish)


def trust_proxies(app: Flask, hops: int) -> None:
    """Who calls, as the proxies in front tell it. Nothing else is taken from them: URLs come from the issuer alone."""
    if hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=0, x_host=0, x_port=0, x_prefix=0)  # type: ignore[method-assign]


def metrics() -> Response:
    """Everything that is counted, for Prometheus."""
    context = current_context()
    check_may_read(context)
    totals = context.store.totals(now=context.now())
    body = context.metrics.render({name: (HELP[name], value) for name, value in totals.items()})
    return Response(body, content_type=CONTENT_TYPE)


def check_may_read(context: AppContext) -> None:
    """Raise NotFound, which tells nothing, for whoever may not."""
    if context.metrics_token is None:
        allowed = comes_from_this_machine()
    else:
        expected = f"Bearer {context.metrics_token}".encode()
        allowed = hmac.compare_digest(expected, request.headers.get("Authorization", "").encode())
    if not allowed:
        raise NotFound


def comes_from_this_machine() -> bool:
    """Directly, and addressed to it: a proxy on the same machine must not make the numbers public."""
    try:
        loopback = ip_address(request.remote_addr or "").is_loopback
        addressed = is_loopback(urlsplit(f"//{request.headers.get('Host', '')}").hostname)
    except ValueError:
        return False
    return loopback and addressed and not any(name in request.headers for name in PROXY_HEADERS)


def begin() -> None:
    """The clock starts."""
    g.began = time.perf_counter()


def finish(response: Response) -> Response:
    """The clock stops."""
    if "began" in g:
        endpoint = (request.endpoint or "none").rpartition(".")[2]
        current_context().metrics.observe_request(endpoint, response.status_code, time.perf_counter() - g.began)
    return response


@contextmanager
def validation(context: AppContext) -> Iterator[None]:
    """Around asking CAS about a ticket: how long it takes, and what becomes of it."""
    began, outcome = time.perf_counter(), "signed_in"
    try:
        yield
    except BridgeError as error:
        outcome = reason_of(error)
        raise
    finally:
        context.metrics.count_sign_in(outcome, time.perf_counter() - began)


def count_token_response(context: AppContext, outcome: str) -> None:
    """The token endpoint answers: `issued`, or an error code."""
    context.metrics.count_token_response(requested_grant_type(), outcome)


def requested_grant_type() -> str:
    """One that we know, or `other`."""
    grant_type = request.form.get("grant_type", "")
    return grant_type if grant_type in GRANTS else "other"


def reason_of(error: BridgeError) -> str:
    """A name for the kind of refusal: the error's own, or the code when the error is told to the client."""
    if isinstance(error, AuthorizationRejected):
        return error.detail
    if type(error) is OAuthError:
        return error.code
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
