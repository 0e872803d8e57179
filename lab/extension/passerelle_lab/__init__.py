"""The lab's side of its own end: asks the hub when this lab will be stopped, and tells the hub that it is in use.

A Jupyter server extension. Its address is asked by the page beside it (`../labextension`), which warns people. The
hub's token stays in the server: the page never sees it.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote, urlencode

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.ioloop import PeriodicCallback

ANSWER_WITHIN = 10  # seconds
LOOK_FOR_WORK_EVERY = 10_000  # milliseconds


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "passerelle_lab"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Outside a hub there is nobody to ask, and nobody who stops anything."""
    if "JUPYTERHUB_API_TOKEN" not in os.environ:
        return
    application = server.web_app
    address = url_path_join(application.settings["base_url"], "passerelle/lifetime")
    application.add_handlers(".*$", [(address, LifetimeHandler)])
    watch = PeriodicCallback(lambda: _count_work_as_use(application.settings), LOOK_FOR_WORK_EVERY)
    watch.start()
    server.log.info("passerelle_lab warns before this lab is stopped")


def _count_work_as_use(settings: dict[str, Any]) -> None:
    """A kernel that computes for hours and prints nothing is use all the same."""
    kernels = settings["kernel_manager"]
    states = [getattr(kernels.get_kernel(one), "execution_state", "") for one in kernels.list_kernel_ids()]
    if "busy" in states:
        settings["passerelle_last_activity"] = datetime.now(timezone.utc)


class LifetimeHandler(APIHandler):
    """`passerelle/lifetime`: GET tells when the lab is stopped, POST says that somebody wants it to go on."""

    _track_activity = False  # to look when it ends is no use of it

    @web.authenticated
    async def get(self) -> None:
        """What the hub answers, after it knows of the last use."""
        answer = await self._ask_hub()
        used = self.settings_last_activity()
        if answer["why"] == "idle" and (used - datetime.fromisoformat(answer["last_activity"])).total_seconds() > 1:
            await self._report(used)
            answer = await self._ask_hub()
        self.finish(json.dumps(answer))

    @web.authenticated
    async def post(self) -> None:
        """A person's click is use."""
        self.settings["passerelle_last_activity"] = datetime.now(timezone.utc)
        await self._report(self.settings["passerelle_last_activity"])
        self.finish(json.dumps(await self._ask_hub()))

    def settings_last_activity(self) -> datetime:
        """When this server was used last, by all that Jupyter counts."""
        return self.serverapp.web_app.last_activity()

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
        except Exception as error:
            # The hub restarts, or is an older one: nothing is known for now, and the page asks again.
            self.log.info("the hub did not tell when this lab ends: %s", error)
            raise web.HTTPError(503, "the hub does not answer") from None
