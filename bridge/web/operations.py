"""Operation endpoints: `/healthz`, `/readyz` and `/metrics`, and the measurement of requests.

`/metrics` requires the token of the settings, and does not exist without one. The address of a request decides
nothing, because a proxy on this machine can pass requests of the internet without a trace.
"""

import hmac
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from flask import Blueprint, Flask, Response, g, jsonify, request
from werkzeug.exceptions import NotFound

from bridge.errors import BridgeError
from bridge.errors.oauth import AuthorizationRejected, OAuthError
from bridge.metrics import CONTENT_TYPE
from bridge.oauth.grants import GRANTS
from bridge.store import StoreFailure, unavailability
from bridge.web.context import AppContext, current_context

CAS_DOES_NOT_RESPOND = "CAS does not respond in time: sign-ins are rejected until it does"
HELP = {
    "sessions": "Live sessions. Every host on one database reports the same number.",
    "logout_deliveries_waiting": "Logout tokens that were not delivered yet, including those given up.",
    "logout_deliveries_given_up": "Logout tokens that were given up: `passerelle logout-deliveries list` shows them.",
}

health = Blueprint("health", __name__)
log = structlog.get_logger()


@health.get("/healthz")
def healthz() -> Response:
    """Report that this process responds."""
    return jsonify(status="alive")


@health.get("/readyz")
def readyz() -> tuple[Response, int] | Response:
    """Report whether a sign-in can be stored.

    The status does not depend on CAS, because restarting the bridge does not repair CAS; the detail names it.
    """
    context = current_context()
    try:
        context.provider.store.check()
    except Exception as error:  # noqa: BLE001  any exception of a database driver means the same here
        reason = unavailability(error) if isinstance(error, StoreFailure) else None
        log.error("not_ready", detail=reason or type(error).__name__)
        return jsonify(status="not ready", reason="the database does not accept sign-ins"), 503
    return jsonify(status="ready") if context.cas.is_responding else jsonify(status="ready", cas=CAS_DOES_NOT_RESPOND)


def init_operations(app: Flask, path: str) -> None:
    """Add `/metrics` and the measurement of requests.

    There is no blueprint, so that an unauthorized caller gets the response of an unknown address.
    """
    app.add_url_rule(f"{path}/metrics", "metrics", metrics)
    if path:
        app.add_url_rule("/metrics", "root_metrics", metrics)
    app.before_request(_start_timer)
    app.after_request(_record_request)


def metrics() -> Response:
    """Return all metrics for Prometheus."""
    context = current_context()
    _check_metrics_access(context)
    totals = context.provider.store.totals(now=context.provider.now())
    body = context.metrics.render({name: (HELP[name], value) for name, value in totals.items()})
    return Response(body, content_type=CONTENT_TYPE)


def _check_metrics_access(context: AppContext) -> None:
    token = context.settings.metrics_token
    sent = request.headers.get("Authorization", "").encode()
    if token is None or not hmac.compare_digest(f"Bearer {token.get_secret_value()}".encode(), sent):
        raise NotFound


def _start_timer() -> None:
    g.began = time.perf_counter()


def _record_request(response: Response) -> Response:
    if "began" in g:
        endpoint = (request.endpoint or "none").rpartition(".")[2]
        status = f"{response.status_code // 100}xx"
        current_context().metrics.request_seconds.labels(endpoint, status).observe(time.perf_counter() - g.began)
    return response


@contextmanager
def measure_validation(context: AppContext) -> Iterator[None]:
    """Record the duration and outcome of a ticket validation."""
    began, outcome = time.perf_counter(), "signed_in"
    try:
        yield
    except BridgeError as error:
        outcome = error_reason(error)
        raise
    finally:
        context.metrics.sign_ins.labels(outcome).inc()
        if outcome != "upstream_busy":
            context.metrics.cas_seconds.observe(time.perf_counter() - began)
        context.metrics.cas_not_responding.set(not context.cas.is_responding)


def grant_type_label() -> str:
    """Return the supported grant_type of the request, or `other`."""
    grant_type = request.form.get("grant_type", "")
    return grant_type if grant_type in GRANTS else "other"


def error_reason(error: BridgeError) -> str:
    """Return a metric label for an error: its class name, or the code that the client receives."""
    if isinstance(error, AuthorizationRejected):
        return error.detail
    if type(error) is OAuthError:
        return error.code
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
