"""Revalidation of tokens at the hub: open websockets end with their token, and a restart of the hub ends none.

JupyterHub's server checks a token when a websocket opens and never again, so a notebook would stay usable after the
sign-out. It also rejects every request while the hub does not respond.
"""

from __future__ import annotations

import hashlib
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from tornado import web
from tornado.ioloop import PeriodicCallback
from tornado.websocket import WebSocketHandler

INTERVAL = 5  # seconds; the hub is asked less often, because HubOAuth caches its responses
OUTAGE = 300
"""Seconds for which the hub's last response about a token is used while the hub does not respond."""
POLICY_VIOLATION = 1008  # RFC 6455 §7.4.1


class LastResponses:
    """The hub's last response about each token that it accepted; any client can invent others."""

    def __init__(self, check: Callable[..., Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._clock = clock
        self._known: dict[bytes, tuple[float, Any]] = {}

    async def check(self, url: str, api_token: str, **options: Any) -> Any:
        """Return the hub's response, or the last one while the hub does not respond.

        Raises:
            HTTPError: The hub does not respond, and there is no recent response.
        """
        now, key = self._clock(), hashlib.sha256(api_token.encode()).digest()
        self._known = {one: known for one, known in self._known.items() if now - known[0] <= OUTAGE}
        try:
            response = await self._check(url, api_token, **options)
        except web.HTTPError:
            if key not in self._known:
                raise
            return self._known[key][1]
        if response is not None or key in self._known:
            self._known[key] = (now, response)
        return response


def install(hub_auth: Any) -> None:
    """Keep the responses of the hub, and revalidate open websockets until the server ends."""
    hub_auth._check_hub_authorization = LastResponses(hub_auth._check_hub_authorization).check
    sockets: weakref.WeakSet[WebSocketHandler] = weakref.WeakSet()
    choose_protocol = WebSocketHandler.get_websocket_protocol

    def get_websocket_protocol(handler: WebSocketHandler) -> Any:
        sockets.add(handler)
        return choose_protocol(handler)

    WebSocketHandler.get_websocket_protocol = get_websocket_protocol
    PeriodicCallback(lambda: close_rejected(hub_auth, list(sockets)), INTERVAL * 1000).start()


async def close_rejected(hub_auth: Any, sockets: Iterable[Any]) -> None:
    """Close the websockets whose token the hub rejects."""
    for handler in sockets:
        if handler.ws_connection is None:
            continue
        try:
            token = hub_auth.get_token(handler)
            session_id = hub_auth.get_session_id(handler)
            user = await hub_auth.user_for_token(token, session_id=session_id, sync=False) if token else None
        except web.HTTPError:
            continue  # the hub does not respond
        if user is None:
            handler.close(POLICY_VIOLATION, "signed out")
