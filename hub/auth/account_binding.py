"""Binding of hub accounts to provider accounts, for providers where users can change their names.

A hub account and its home are keyed by the username from the provider. At GitHub, GitLab and most OpenID Connect
providers, users can rename themselves, and the old name becomes available to others. The first sign-in therefore
stores the permanent id (`sub`, `id`), and a later sign-in with the same name but another id is rejected.

The bridge, LDAP and PAM need no binding: there the institution assigns the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from passerelle_common.i18n import gettext_noop

IDENTITY = "identity"
"""Key in the stored auth state for the provider's URL and the permanent id there."""

ACCOUNT_CONFLICT = gettext_noop(
    "The account %(name)s of this hub belongs to another user, who had this name at the provider before. If it is "
    "yours, or to get an account of your own, ask the administrator of this hub."
)


def provider_identity(provider: str, claims: Mapping[str, Any], id_claim: str) -> list[str] | None:
    """Return the identity to store: the provider's URL and the permanent id from the claims."""
    permanent_id = claims.get(id_claim)
    return [provider, str(permanent_id)] if provider and permanent_id not in (None, "") else None


def is_other_account(provider: str, stored: Mapping[str, Any], current: Mapping[str, Any]) -> bool:
    """Return whether two auth states belong to different accounts of this provider.

    A stored state without an identity, or with one of another provider, is no evidence.
    """
    identity = stored.get(IDENTITY)
    return bool(provider and identity and identity[0] == provider and identity != current.get(IDENTITY))
