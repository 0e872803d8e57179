"""API handlers for running labs: activity reports, and the time of the next stop for the warning inside the lab.

Both accept a lab's token after its owner's authentication has expired, so that a computation continues. They apply the
current limits and groups, so a changed setting affects running labs.
"""

import json
from datetime import UTC, datetime
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.apihandlers.users import ActivityAPIHandler
from jupyterhub.scopes import needs_scope
from tornado import web

from hub.auth.refresh import lab_token_ids
from hub.culler.policy import Lifetimes, next_stop
from hub.web.rendering import Announcement, Route, request_language


class LabTokenMixin(APIHandler):  # type: ignore[misc]  # JupyterHub carries no types
    """Handler mixin, listed first. The lab's token outlives its owner's authentication."""

    async def refresh_auth(self, user: Any, force: bool = False) -> Any:
        """Revalidate the owner, with all consequences, but accept the lab's own token."""
        refreshed, token = await super().refresh_auth(user, force), self.get_token()
        if refreshed is not None or token is None or token.id not in lab_token_ids(user):
            return refreshed
        self._token_authenticated = True  # a browser's request would need an XSRF cookie
        return user


class ActivityHandler(LabTokenMixin, ActivityAPIHandler):  # type: ignore[misc]
    """`/hub/api/users/NAME/activity`: JupyterHub's handler of activity reports, which prevent culling."""


class LifetimeHandler(LabTokenMixin):
    """`/hub/api/users/NAME/lifetime?server=`, for the scope that every lab has."""

    def initialize(self, lifetimes: Lifetimes, warning: int, announcement: Announcement) -> None:
        """Store the arguments of the route."""
        self.lifetimes, self.warning, self.announcement = lifetimes, warning, announcement

    @needs_scope("users:activity")  # type: ignore[untyped-decorator]
    def get(self, user_name: str) -> None:
        """Return when a running lab will be stopped."""
        user = self.find_user(user_name)
        spawner = None if user is None else user.spawners.get(self.get_argument("server", ""))
        if spawner is None or not spawner.ready or spawner.orm_spawner.started is None:
            raise web.HTTPError(404, "no such lab is running")
        row = spawner.orm_spawner
        limits = self.lifetimes.limits_for({group.name for group in user.groups})
        stop = next_stop(_in_utc(row.started), _in_utc(row.last_activity), limits)
        body: dict[str, Any] = {
            "now": datetime.now(UTC).isoformat(),
            "started": _in_utc(row.started).isoformat(),
            "last_activity": _in_utc(row.last_activity or row.started).isoformat(),
            "stops_at": None if stop is None else stop.at.isoformat(),
            "why": None if stop is None else stop.why,
            "warning": self.warning,
            "announcement": self.announcement.in_language(request_language(self.request)),
        }
        self.finish(json.dumps(body))


def _in_utc(moment: Any) -> Any:
    """Add the time zone, which JupyterHub's database omits."""
    return moment.replace(tzinfo=UTC) if moment is not None else None


def routes_of(lifetimes: Lifetimes, warning: int, announcement: Announcement) -> list[Route]:
    """Return the routes of both handlers."""
    arguments = {"lifetimes": lifetimes, "warning": warning, "announcement": announcement}
    return [
        (r"/api/users/([^/]+)/lifetime", LifetimeHandler, arguments),
        (r"/api/users/([^/]+)/activity", ActivityHandler, {}),
    ]
