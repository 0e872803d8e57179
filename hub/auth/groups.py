"""What the sign-ins by a name and a password have in common: groups decide, and the hub is where they are typed."""

from __future__ import annotations

import time
from typing import Any

from jupyterhub.auth import Authenticator
from jupyterhub.utils import maybe_future
from traitlets import Set

from hub.auth.refresh import AS_OF, AuthRefreshMixin, Model


class GroupsAuthenticator(AuthRefreshMixin, Authenticator):  # type: ignore[misc]  # no types there
    """Groups decide who may enter and who administers, for sign-ins by a password form."""

    entry_groups = Set(help="Members of any of these may enter.").tag(config=True)
    administrator_groups = Set(help="Members of any of these administer the hub.").tag(config=True)

    def model_of(self, name: str, groups: frozenset[str], facts: dict[str, Any]) -> Model:
        """As JupyterHub wants it."""
        is_admin = name in self.admin_users or not groups.isdisjoint(self.administrator_groups)
        return {"name": name, "groups": sorted(groups), "admin": is_admin, "auth_state": facts | {AS_OF: time.time()}}

    async def check_allowed(self, username: str, authentication: Model | None = None) -> bool:
        """By group, besides what JupyterHub itself knows."""
        if authentication is None or authentication["admin"]:
            return True
        if not self.entry_groups.isdisjoint(authentication["groups"]):
            return True
        return bool(await maybe_future(super().check_allowed(username, authentication)))
