"""PAM authentication against this machine's accounts, for trying out the hub."""

import grp
import os
import pwd
from typing import Any

from jupyterhub.auth import PAMAuthenticator

from hub.auth.refresh import AuthModel, GroupsAuthenticator, Outcome, Revalidation

USER_IDS = range(1000, 65534)  # Debian's range for user accounts, as opposed to system accounts


def has_user_accounts() -> bool:
    """Return whether this machine has any user account, apart from those of the hub's image."""
    accounts = (account for account in pwd.getpwall() if account.pw_uid in USER_IDS)
    return any(not account.pw_name.startswith("passerelle-") for account in accounts)


def account_groups(name: str) -> frozenset[str] | None:
    """Return the groups of a user account, or None if there is no user account with this name."""
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        return None
    if account.pw_uid not in USER_IDS:
        return None
    group_ids = set(os.getgrouplist(name, account.pw_gid))
    return frozenset(group.gr_name for group in grp.getgrall() if group.gr_gid in group_ids)


class PamAuthenticator(GroupsAuthenticator, PAMAuthenticator):  # type: ignore[misc]  # no types there
    """PAM authenticator that rejects system accounts, including root."""

    async def verify_password(self, handler: Any, data: dict[str, str]) -> AuthModel | None:
        """Verify the password with PAM, then read the groups of the account."""
        name = await PAMAuthenticator.authenticate(self, handler, data)
        groups = account_groups(name) if name else None
        return None if groups is None else self.build_auth_model(self.normalize_username(name), groups, {})

    async def revalidate(self, user: Any, _auth_state: dict[str, Any]) -> Revalidation:
        """Read the current groups of the account."""
        groups = account_groups(user.name)
        if groups is None:
            return Revalidation(Outcome.REVOKED, reason="no such account on this machine")
        return Revalidation(Outcome.CONFIRMED, self.build_auth_model(user.name, groups, {}))

    def is_admin(self, _handler: Any, authentication: AuthModel) -> bool:
        """Return whether the user's groups grant administration rights."""
        return bool(authentication["admin"])

    def check_allowed_groups(self, _username: str, _authentication: AuthModel | None = None) -> bool:
        """Return False, because `GroupsAuthenticator.check_allowed` checks groups."""
        return False

    def system_user_exists(self, _user: Any) -> bool:
        """Return True: labs are containers, so the hub needs no local accounts."""
        return True
