"""What a lab itself says to the hub and asks it: that it is used, and when it will be stopped, so that it can warn.

Both go on while nobody may enter the lab: a computation is not ended because its owner sleeps.

By the limits of now and the groups of now: a lab that runs while a setting changes is told the new time.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.apihandlers.users import ActivityAPIHandler
from jupyterhub.scopes import needs_scope
from tornado import web

from hub.auth.refresh import tokens_of_labs
from hub.culler.policy import Lifetimes, stop_of
from hub.web.announcements import Announcement
from hub.web.rendering import Route, request_language


class SpokenToByLabs(APIHandler):  # type: ignore[misc]  # JupyterHub carries no types
    """To be mixed in, in front. At these addresses alone a lab's own token is good whatever became of its owner."""

    async def refresh_auth(self, user: Any, force: bool = False) -> Any:
        """Ask as ever, with all that follows for the owner; but let the lab speak."""
        fresh, token = await super().refresh_auth(user, force), self.get_token()
        if fresh is not None or token is None or token.id not in tokens_of_labs(user):
            return fresh
        self._token_authenticated = True  # a request of the owner's browser would have to show its cookie twice
        return user


class ActivityHandler(SpokenToByLabs, ActivityAPIHandler):  # type: ignore[misc]
    """`/hub/api/users/NAME/activity`, JupyterHub's own: without these reports a lab counts as idle and is stopped."""


class LifetimeHandler(SpokenToByLabs):
    """`/hub/api/users/NAME/lifetime?server=`, with the right that every lab has: to report its own use."""

    def initialize(self, lifetimes: Lifetimes, warning: int, announcement: Announcement) -> None:
        """Given by the route."""
        self.lifetimes, self.warning, self.announcement = lifetimes, warning, announcement

    @needs_scope("users:activity")  # type: ignore[untyped-decorator]
    def get(self, user_name: str) -> None:
        """The next stop of a running lab."""
        user = self.find_user(user_name)
        spawner = None if user is None else user.spawners.get(self.get_argument("server", ""))
        if spawner is None or not spawner.ready or spawner.orm_spawner.started is None:
            raise web.HTTPError(404, "no such lab is running")
        row = spawner.orm_spawner
        limits = self.lifetimes.of({group.name for group in user.groups})
        stop = stop_of(_in_utc(row.started), _in_utc(row.last_activity), limits)
        answer: dict[str, Any] = {
            "now": datetime.now(UTC).isoformat(),
            "started": _in_utc(row.started).isoformat(),
            "last_activity": _in_utc(row.last_activity or row.started).isoformat(),
            "stops_at": None if stop is None else stop.at.isoformat(),
            "why": None if stop is None else stop.why,
            "warning": self.warning,
            "announcement": self.announcement.in_language(request_language(self.request)),
        }
        self.finish(json.dumps(answer))


def _in_utc(moment: Any) -> Any:
    """JupyterHub keeps times in UTC without saying so."""
    return moment.replace(tzinfo=UTC) if moment is not None else None


def routes_of(lifetimes: Lifetimes, warning: int, announcement: Announcement) -> list[Route]:
    """The two addresses."""
    given = {"lifetimes": lifetimes, "warning": warning, "announcement": announcement}
    return [
        (r"/api/users/([^/]+)/lifetime", LifetimeHandler, given),
        (r"/api/users/([^/]+)/activity", ActivityHandler, {}),
    ]
