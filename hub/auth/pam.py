"""Signing in with the accounts of a machine (PAM), to try the hub out where there is nothing else yet."""

from __future__ import annotations

import grp
import os
import pwd
from typing import Any

from jupyterhub.auth import PAMAuthenticator

from hub.auth.groups import GroupsAuthenticator
from hub.auth.refresh import Finding, Model, Verdict

FIRST_PERSON, NOBODY = 1000, 65534  # as Debian numbers accounts


def has_people() -> bool:
    """Whether any account here is a person's."""
    return any(FIRST_PERSON <= account.pw_uid < NOBODY for account in pwd.getpwall())


def groups_of(name: str) -> frozenset[str] | None:
    """The groups of an account; None if there is none of a person by this name."""
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        return None
    if not FIRST_PERSON <= account.pw_uid < NOBODY:
        return None
    numbers = set(os.getgrouplist(name, account.pw_gid))
    return frozenset(group.gr_name for group in grp.getgrall() if group.gr_gid in numbers)


class PamAuthenticator(GroupsAuthenticator, PAMAuthenticator):  # type: ignore[misc]  # no types there
    """PAM. System accounts, root among them, are nobody here."""

    async def authenticate(self, handler: Any, data: dict[str, str]) -> Model | None:
        """PAM proves the password, the machine knows the groups."""
        name = await PAMAuthenticator.authenticate(self, handler, data)
        groups = groups_of(name) if name else None
        model = None if groups is None else self.model_of(self.normalize_username(name), groups, {})
        return await self.note_refusal(handler, model)

    async def ask_again(self, user: Any, _auth_state: dict[str, Any]) -> Finding:
        """The groups of now."""
        groups = groups_of(user.name)
        if groups is None:
            return Finding(Verdict.GONE, reason="no such account on this machine")
        return Finding(Verdict.CONFIRMED, self.model_of(user.name, groups, {}))

    def is_admin(self, _handler: Any, authentication: Model) -> bool:
        """By group, as everywhere."""
        return bool(authentication["admin"])

    def check_allowed_groups(self, _username: str, _authentication: Model | None = None) -> bool:
        """`GroupsAuthenticator` has looked already."""
        return False

    def system_user_exists(self, _user: Any) -> bool:
        """Labs are containers: nobody needs an account where the hub runs."""
        return True
