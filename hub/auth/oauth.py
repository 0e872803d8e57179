"""OAuth authenticators: the bridge, OpenID Connect, GitLab and GitHub.

Each extends a class of `oauthenticator` with revalidation: first with the access token, then with the refresh token if
the provider issued one. `hub/auth/refresh.py` applies the outcome.
"""

import json
import time
from collections.abc import Mapping
from typing import Any

from jupyterhub.utils import url_path_join
from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.github import GitHubOAuthenticator
from oauthenticator.gitlab import GitLabOAuthenticator
from tornado import web
from tornado.httpclient import HTTPClientError
from traitlets import Unicode
from traitlets.config import Configurable

from hub.auth.refresh import CONFIRMED_AT, AuthModel, AuthRefreshMixin, Outcome, Revalidation, http_error
from hub.auth.sign_ins import keep_auth_state, read_provider_session
from passerelle_common.i18n import Message, gettext_noop

IDENTITY = "identity"
"""Key in the stored auth state for the provider's URL and the permanent id there."""
IDENTITY_TOO_OLD = "send them to the authorization endpoint again"
"""Part of the bridge's `error_description` when only its claims are too old (`IdentityExpired`)."""
TOKEN_REJECTED = (400, 401, 403)
CONNECTION_FAILED = 599  # tornado's status for a connection without a response
ACCOUNT_CONFLICT = gettext_noop(
    "The account %(name)s of this hub belongs to another user, who had this name at the provider before. If it is "
    "yours, or to get an account of your own, ask the administrator of this hub."
)
SPENT = gettext_noop("The code of this sign-in was used before, or is too old.")
SILENT = gettext_noop("The sign-in service does not respond. Nothing is lost: try again in a few minutes.")


class OAuthRefreshMixin(AuthRefreshMixin, Configurable):
    """Authenticator mixin, listed first: revalidates with the tokens stored at the sign-in.

    A hub account and its home are keyed by the username in lower case. Users can rename themselves, institutions reuse
    names, and names may differ in case only. The first sign-in therefore stores the permanent id (`sub`, `id`), and a
    later sign-in with the same name but another id is rejected.
    """

    renaming_provider = Unicode(help="The provider's URL, to which accounts are bound.").tag(config=True)
    id_claim = "sub"
    """Claim with the permanent id of an account."""

    def build_auth_state_dict(self, token_info: dict[str, Any], user_info: dict[str, Any]) -> dict[str, Any]:
        """Extend the stored state by the permanent identity and the time of confirmation."""
        state: dict[str, Any] = super().build_auth_state_dict(token_info, user_info)  # type: ignore[misc]
        permanent_id = user_info.get(self.id_claim)
        if self.renaming_provider and permanent_id not in (None, ""):
            state[IDENTITY] = [self.renaming_provider, str(permanent_id)]
        return state | {CONFIRMED_AT: time.time()}

    async def update_auth_model(self, auth_model: AuthModel) -> AuthModel:
        """Derive administration rights from groups alone, so that leaving a group revokes them."""
        model: AuthModel = await super().update_auth_model(auth_model)  # type: ignore[misc]
        return model | {"admin": bool(model["admin"])}

    async def authenticate(self, handler: Any, data: Any = None, **more: Any) -> AuthModel | None:
        """Authenticate; reject reused usernames; map a timeout to 503 and a reused code to 400."""
        try:
            model: AuthModel | None = await super().authenticate(handler, data, **more)  # type: ignore[misc]
        except HTTPClientError as error:
            if error.code == CONNECTION_FAILED:
                raise web.HTTPError(503, SILENT) from error
            if parse_error(error).get("error") == "invalid_grant":  # the callback page was reloaded
                raise web.HTTPError(400, SPENT) from error
            raise
        if model is not None:
            await self._check_account(handler, model)
            handler.provider_session = read_provider_session(model["auth_state"].get("token_response"))
        return await self.revoke_if_denied(handler, model)

    async def token_to_user(self, token_info: dict[str, Any]) -> dict[str, Any]:
        """Request userinfo, with one retry: after a timeout, the code is already consumed."""
        try:
            return await super().token_to_user(token_info)  # type: ignore[misc,no-any-return]
        except HTTPClientError as error:
            if error.code != CONNECTION_FAILED:
                raise
        return await super().token_to_user(token_info)  # type: ignore[misc,no-any-return]

    async def _check_account(self, handler: Any, model: AuthModel) -> None:
        name = self.normalize_username(model["name"])  # type: ignore[attr-defined]
        user = handler.find_user(name)
        stored = {} if user is None else await user.get_auth_state() or {}
        if is_other_account(self.renaming_provider, stored, model["auth_state"]):
            self.log.warning(  # type: ignore[attr-defined]
                "Rejected %s: account %s is bound to another provider id (%s, stored: %s); see docs/hub/sign-in.md",
                *(model["name"], name, model["auth_state"].get(IDENTITY), stored[IDENTITY]),
            )
            raise http_error(403, Message(ACCOUNT_CONFLICT, {"name": name}))
        if user is not None:
            keep_auth_state(user.db, user.orm_user)

    def renewal_url(self, handler: Any) -> str | None:
        """Return the login URL: the provider responds without interaction during its own session."""
        return str(url_path_join(handler.hub.base_url, "oauth_login"))

    async def revalidate(self, user: Any, auth_state: dict[str, Any]) -> Revalidation:
        """Revalidate with the stored tokens, and reject a username that another account has taken."""
        result = await self._revalidate_tokens(user, auth_state)
        model = result.auth_model
        if model is not None and is_other_account(self.renaming_provider, auth_state, model["auth_state"]):
            return Revalidation(Outcome.REVOKED, reason="another provider account has this name now")
        return result

    async def _revalidate_tokens(self, user: Any, auth_state: dict[str, Any]) -> Revalidation:
        if not auth_state.get("token_response"):
            return Revalidation(Outcome.UNCERTAIN, reason="no stored tokens")
        try:
            return await self._request_userinfo(auth_state["token_response"])
        except HTTPClientError as error:
            if error.code not in TOKEN_REJECTED:
                return Revalidation(Outcome.UNAVAILABLE, reason=f"userinfo returned {error.code}")
        except (OSError, ValueError, web.HTTPError) as error:
            return Revalidation(Outcome.UNAVAILABLE, reason=f"userinfo: {type(error).__name__}")
        if not auth_state.get("refresh_token"):
            return Revalidation(Outcome.UNCERTAIN, reason="the access token expired and there is no refresh token")
        return await self._refresh_tokens(user, auth_state)

    async def _refresh_tokens(self, user: Any, auth_state: dict[str, Any]) -> Revalidation:
        params = self.build_refresh_token_request_params(auth_state["refresh_token"])  # type: ignore[attr-defined]
        try:
            tokens = await self.get_token_info(None, params)  # type: ignore[attr-defined]
        except HTTPClientError as error:
            return evaluate_token_error(error)
        except (OSError, ValueError, web.HTTPError) as error:
            return Revalidation(Outcome.UNAVAILABLE, reason=f"token endpoint: {type(error).__name__}")
        tokens = {"refresh_token": auth_state["refresh_token"], **tokens}
        # Saved before the next request can fail, because the provider has rotated the refresh token.
        stored = {name: tokens[name] for name in ("access_token", "refresh_token")} | {"token_response": tokens}
        await user.save_auth_state(auth_state | stored)
        try:
            return await self._request_userinfo(tokens)
        except (OSError, ValueError, HTTPClientError, web.HTTPError) as error:
            return Revalidation(Outcome.UNAVAILABLE, reason=f"userinfo with a new token: {type(error).__name__}")

    async def _request_userinfo(self, tokens: dict[str, Any]) -> Revalidation:
        model = await self._token_to_auth_model(tokens)  # type: ignore[attr-defined]
        return Revalidation(Outcome.CONFIRMED, model)


def is_other_account(provider: str, stored: Mapping[str, Any], current: Mapping[str, Any]) -> bool:
    """Return whether two auth states belong to different accounts of this provider.

    A stored state without an identity, or with one of another provider, is no evidence.
    """
    identity = stored.get(IDENTITY)
    return bool(provider and identity and identity[0] == provider and identity != current.get(IDENTITY))


def parse_error(error: HTTPClientError) -> dict[str, Any]:
    """Return the JSON object of an error response (RFC 6749 §5.2), or an empty one."""
    try:
        body = json.loads(error.response.body) if error.response else {}
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def evaluate_token_error(error: HTTPClientError) -> Revalidation:
    """Return the outcome of a failed refresh; only `invalid_grant` concerns the user."""
    body = parse_error(error)
    code = body.get("error")
    if code != "invalid_grant":
        return Revalidation(
            Outcome.UNAVAILABLE, reason=f"the token endpoint returned {error.code} {code or ''}".strip()
        )
    if IDENTITY_TOO_OLD in str(body.get("error_description", "")):
        return Revalidation(Outcome.UNCERTAIN, reason="the bridge must revalidate the user with CAS")
    # The error is the same for an expired and for a revoked token. The session has ended, and the next sign-in decides
    # whether the user still has access.
    return Revalidation(Outcome.ENDED, reason="the provider rejects the refresh token")


class OidcAuthenticator(OAuthRefreshMixin, GenericOAuthenticator):  # type: ignore[misc]  # no types there
    """Authenticator for the bridge and other OpenID Connect providers."""


class GitLabAuthenticator(OAuthRefreshMixin, GitLabOAuthenticator):  # type: ignore[misc]
    """Authenticator for GitLab; its userinfo endpoint returns all groups of a user with their full paths."""

    async def token_to_user(self, token_info: dict[str, Any]) -> dict[str, Any]:
        """Return the claims, with the numeric `id` that the base class passes to GitLab's API."""
        claims: dict[str, Any] = await super().token_to_user(token_info)
        subject = str(claims.get("sub", ""))
        return claims | {"id": int(subject) if subject.isdecimal() else 0}


class GitHubAuthenticator(OAuthRefreshMixin, GitHubOAuthenticator):  # type: ignore[misc]
    """Authenticator for GitHub; groups are `organisation` and `organisation/team`."""

    id_claim = "id"


def github_groups(auth_state: dict[str, Any]) -> set[str]:
    """Return the groups for GitHub's list of teams; a member of a team is a member of its organisation."""
    teams = auth_state.get("teams") or []
    organisations = {team["organization"]["login"] for team in teams}
    return organisations | {f"{team['organization']['login']}/{team['slug']}" for team in teams}
