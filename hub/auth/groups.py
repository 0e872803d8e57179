"""Base class of the authenticators with a password form: groups decide access and administration rights."""

from __future__ import annotations

import time
from typing import Any

from jupyterhub.auth import Authenticator
from jupyterhub.utils import maybe_future
from traitlets import Set

from hub.auth.refresh import CONFIRMED_AT, AuthModel, AuthRefreshMixin


class GroupsAuthenticator(AuthRefreshMixin, Authenticator):  # type: ignore[misc]  # no types there
    """Authenticator that decides access by group.

    Its traits have names of their own, because `allowed_groups` means something else in the LDAP and PAM classes.
    """

    access_groups = Set(help="Members of any of these groups have access.").tag(config=True)
    administrator_groups = Set(help="Members of any of these groups administer the hub.").tag(config=True)

    def build_auth_model(self, name: str, groups: frozenset[str], auth_state: dict[str, Any]) -> AuthModel:
        """Return the authentication model that JupyterHub expects."""
        is_admin = name in self.admin_users or not groups.isdisjoint(self.administrator_groups)
        auth_state = auth_state | {CONFIRMED_AT: time.time()}
        return {"name": name, "groups": sorted(groups), "admin": is_admin, "auth_state": auth_state}

    async def check_allowed(self, username: str, authentication: AuthModel | None = None) -> bool:
        """Grant access by group, or by JupyterHub's own rules."""
        if authentication is None or authentication["admin"]:
            return True
        if not self.access_groups.isdisjoint(authentication["groups"]):
            return True
        return bool(await maybe_future(super().check_allowed(username, authentication)))
