"""Whether this process lives, and whether it can serve."""

import structlog
from flask import Blueprint, Response, jsonify

from bridge.web.context import current_context

blueprint = Blueprint("health", __name__)
log = structlog.get_logger()


@blueprint.get("/healthz")
def healthz() -> Response:
    """Alive: this process answers."""
    return jsonify(status="alive")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int] | Response:
    """Can serve: the store answers. CAS is left out, because restarting the bridge does not mend CAS."""
    try:
        current_context().store.check()
    except Exception as error:  # noqa: BLE001  whatever the database driver raises means the same here
        log.error("not_ready", detail=type(error).__name__)
        return jsonify(status="not ready", reason="the database does not answer"), 503
    return jsonify(status="ready")
