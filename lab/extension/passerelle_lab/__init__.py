"""The lab's side of its own end: asks the hub when this lab will be stopped, and tells the hub that it is in use.

A Jupyter server extension. Its address is asked by the page beside it (`../labextension`), which warns people. The
hub's token stays in the server: the page never sees it.
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

ANSWER_WITHIN = 10  # seconds
LOOK_FOR_WORK_EVERY = 10_000  # milliseconds
LOOKING = ("GET", "HEAD", "OPTIONS")
KEPT_BY_ITSELF = "/lab/api/workspaces/"  # JupyterLab writes there every ten seconds, whether anybody is there or not


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "passerelle_lab"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Outside a hub there is nobody to ask, and nobody who stops anything."""
    if "JUPYTERHUB_API_TOKEN" not in os.environ:
        return
    application = server.web_app
    address = url_path_join(application.settings["base_url"], "passerelle/lifetime")
    application.add_handlers(".*$", [(address, LifetimeHandler)])
    _count_no_polls_as_use()
    watch = PeriodicCallback(lambda: _count_work_as_use(application.settings), LOOK_FOR_WORK_EVERY)
    watch.start()
    server.log.info("passerelle_lab warns before this lab is stopped")


def _count_no_polls_as_use() -> None:
    """A forgotten page asks for its files and kernels every ten seconds, and the lab would never be idle.

    Jupyter offers no setting for it. What a person does arrives as something written, as a kernel's message, or from
    the page beside this, which tells of keys and clicks.
    """
    count = APIHandler.update_api_activity

    def update_api_activity(handler: APIHandler) -> None:
        if handler.request.method not in LOOKING and KEPT_BY_ITSELF not in handler.request.path:
            count(handler)

    APIHandler.update_api_activity = update_api_activity


def _count_work_as_use(settings: dict[str, Any]) -> None:
    """A kernel that computes for hours and prints nothing is use all the same."""
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
    """`passerelle/lifetime`: GET tells when the lab is stopped, POST says that somebody wants it to go on."""

    _track_activity = False  # to look when it ends is no use of it

    @web.authenticated
    async def get(self) -> None:
        """What the hub answers; before it comes to a warning, the hub is told of the last use."""
        answer = await self._ask_hub()
        used = self.serverapp.web_app.last_activity()
        if _is_near(answer) and (used - datetime.fromisoformat(answer["last_activity"])).total_seconds() > 1:
            await self._report(used)
            answer = await self._ask_hub()
        self.finish(json.dumps(answer))

    @web.authenticated
    async def post(self) -> None:
        """Somebody is there, by key or mouse. The hub hears of it with the next report, as of all use."""
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
            # The hub restarts: nothing is known for now, and the page asks again.
            self.log.info("the hub did not tell when this lab ends: %s", error)
            raise web.HTTPError(503, "the hub does not answer") from None
