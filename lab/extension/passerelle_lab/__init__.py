"""A Jupyter server extension for the lab's lifetime: it fetches the stop time from the hub and reports activity.

It also ends open websockets when the user has signed out (`revalidation.py`).

The JupyterLab extension (`../labextension`) calls it and warns the user. The hub's token stays in the server: the
page never gets it.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.ioloop import PeriodicCallback

from . import revalidation

ANSWER_WITHIN = 10  # seconds
LOOK_FOR_WORK_EVERY = 10_000  # milliseconds
LOOKING = ("GET", "HEAD", "OPTIONS")
KEPT_BY_ITSELF = "/lab/api/workspaces/"  # JupyterLab polls these every ten seconds, even if the user is away


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "passerelle_lab"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Load the extension if the server runs under a hub."""
    if "JUPYTERHUB_API_TOKEN" not in os.environ:
        return
    application = server.web_app
    address = url_path_join(application.settings["base_url"], "passerelle/lifetime")
    application.add_handlers(".*$", [(address, LifetimeHandler)])
    _count_no_polls_as_use()
    watch = PeriodicCallback(lambda: _count_work_as_use(application.settings), LOOK_FOR_WORK_EVERY)
    watch.start()
    hub_auth = getattr(server.identity_provider, "hub_auth", None)
    if hub_auth is not None:
        revalidation.install(hub_auth)
    server.log.info("passerelle_lab warns before this lab is stopped")


def _count_no_polls_as_use() -> None:
    """Exclude polling from the activity, because an open page would keep the lab active forever.

    Jupyter has no setting for it. Real use is a write request, a kernel message, or a report of the JupyterLab
    extension about keys and clicks.
    """
    count = APIHandler.update_api_activity

    def update_api_activity(handler: APIHandler) -> None:
        if handler.request.method not in LOOKING and KEPT_BY_ITSELF not in handler.request.path:
            count(handler)

    APIHandler.update_api_activity = update_api_activity


def _count_work_as_use(settings: dict[str, Any]) -> None:
    """Count a busy kernel as activity, even without output."""
    kernels = settings["kernel_manager"]
    states = [getattr(kernels.get_kernel(one), "execution_state", "") for one in kernels.list_kernel_ids()]
    if "busy" in states:
        settings["passerelle_last_activity"] = datetime.now(UTC)


def _is_near(answer: dict[str, Any]) -> bool:
    if answer["why"] != "idle":
        return False
    left = datetime.fromisoformat(answer["stops_at"]) - datetime.fromisoformat(answer["now"])
    return left.total_seconds() <= answer["warning"]


class LifetimeHandler(APIHandler):
    """`passerelle/lifetime`: GET returns the stop time, POST records activity."""

    _track_activity = False  # this request is no activity

    @web.authenticated
    async def get(self) -> None:
        """Return the hub's response; report recent activity first when a warning is near."""
        answer = await self._ask_hub()
        used = self.serverapp.web_app.last_activity()
        if _is_near(answer) and (used - datetime.fromisoformat(answer["last_activity"])).total_seconds() > 1:
            await self._report(used)
            answer = await self._ask_hub()
        self.finish(json.dumps(answer))

    @web.authenticated
    async def post(self) -> None:
        """Record activity by key or mouse; the next report sends it to the hub."""
        self.settings["passerelle_last_activity"] = datetime.now(UTC)
        self.set_status(204)
        self.finish()

    async def _ask_hub(self) -> dict[str, Any]:
        user = quote(os.environ["JUPYTERHUB_USER"], safe="")
        question = urlencode({"server": os.environ.get("JUPYTERHUB_SERVER_NAME", "")})
        return json.loads(await self._send(f"/users/{user}/lifetime?{question}"))

    async def _report(self, moment: datetime) -> None:
        used = moment.isoformat()
        servers = {os.environ.get("JUPYTERHUB_SERVER_NAME", ""): {"last_activity": used}}
        user = quote(os.environ["JUPYTERHUB_USER"], safe="")
        await self._send(f"/users/{user}/activity", json.dumps({"servers": servers, "last_activity": used}))

    async def _send(self, path: str, body: str | None = None) -> bytes:
        request = HTTPRequest(
            os.environ["JUPYTERHUB_API_URL"] + path,
            method="GET" if body is None else "POST",
            body=body,
            headers={
                "Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}",
                "Content-Type": "application/json",
                "Accept-Language": self.request.headers.get("Accept-Language", ""),
            },
            request_timeout=ANSWER_WITHIN,
        )
        try:
            return (await AsyncHTTPClient().fetch(request)).body
        except (OSError, HTTPClientError) as error:
            # The hub restarts; the page retries.
            self.log.info("the hub did not tell when this lab ends: %s", error)
            raise web.HTTPError(503, "the hub does not answer") from None
