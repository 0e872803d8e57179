"""The authenticators of the sign-ins that go through the browser: bridge, OpenID Connect, GitLab, GitHub.

Each is the one of `oauthenticator`, and asks again by itself: with the access token as long as it is good, then with
the refresh token if the provider gave one. `hub/auth/refresh.py` decides what follows.
"""

from __future__ import annotations

import json
import time
from typing import Any

from jupyterhub.utils import url_path_join
from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.github import GitHubOAuthenticator
from oauthenticator.gitlab import GitLabOAuthenticator
from tornado import web
from tornado.httpclient import HTTPClientError
from traitlets import Unicode
from traitlets.config import Configurable

from hub.auth.account_binding import IDENTITY, REFUSED, identity_of, is_another
from hub.auth.refresh import AS_OF, AuthRefreshMixin, Finding, Model, Verdict
from passerelle_common.i18n import gettext_noop

IDENTITY_TOO_OLD = "send them to the authorization endpoint again"
"""What the bridge says when nothing is wrong but its own facts are too old (`IdentityExpired`)."""
REFUSALS = (400, 401, 403)
NO_ANSWER = 599
"""What tornado's client makes of a connection that brought none."""
SPENT = "The code of this sign-in was used before, or is too old."
SILENT = gettext_noop("The sign-in service does not answer. Nothing is lost: try again in a few minutes.")


class OAuthRefreshMixin(AuthRefreshMixin, Configurable):
    """Asks with the tokens that were stored at the sign-in."""

    renamed_at = Unicode(help="The provider's address, if people can change their names there.").tag(config=True)
    number_claim = "sub"
    """What of the provider's facts never changes."""

    def build_auth_state_dict(self, token_info: dict[str, Any], user_info: dict[str, Any]) -> dict[str, Any]:
        """What is stored, who it is about, and when the provider said so."""
        state: dict[str, Any] = super().build_auth_state_dict(token_info, user_info)  # type: ignore[misc]
        identity = identity_of(self.renamed_at, user_info, self.number_claim)
        return state | {AS_OF: time.time()} | ({IDENTITY: identity} if identity else {})

    async def update_auth_model(self, auth_model: Model) -> Model:
        """Groups alone decide who administers: who is in none of them does not, whatever was before."""
        model: Model = await super().update_auth_model(auth_model)  # type: ignore[misc]
        return model | {"admin": bool(model["admin"])}

    async def authenticate(self, handler: Any, data: Any = None, **more: Any) -> Model | None:
        """As ever, but nobody gets an account by a name that was somebody else's, and silence is told as such."""
        try:
            model: Model | None = await super().authenticate(handler, data, **more)  # type: ignore[misc]
        except HTTPClientError as error:
            if error.code == NO_ANSWER:
                raise web.HTTPError(503, SILENT) from error
            if error_of(error).get("error") == "invalid_grant":  # a page loaded twice, or gone back to
                raise web.HTTPError(400, SPENT) from error
            raise
        if model is not None:
            await self._check_identity(handler, model)
        return await self.note_refusal(handler, model)

    async def token_to_user(self, token_info: dict[str, Any]) -> dict[str, Any]:
        """Asked a second time if nothing comes, as on a busy machine: the code is spent, and the sign-in would be."""
        try:
            return await super().token_to_user(token_info)  # type: ignore[misc,no-any-return]
        except HTTPClientError as error:
            if error.code != NO_ANSWER:
                raise
        return await super().token_to_user(token_info)  # type: ignore[misc,no-any-return]

    async def _check_identity(self, handler: Any, model: Model) -> None:
        name = self.normalize_username(model["name"])  # type: ignore[attr-defined]
        user = handler.find_user(name)
        kept = {} if user is None else await user.get_auth_state() or {}
        if is_another(self.renamed_at, kept, model["auth_state"]):
            self.log.warning(  # type: ignore[attr-defined]
                "%s came with another id than the account %s was made for (%s, kept: %s): see docs/hub/sign-in.md",
                *(model["name"], name, model["auth_state"].get(IDENTITY), kept[IDENTITY]),
            )
            raise web.HTTPError(403, REFUSED.format(name=name))

    def renewal_url(self, handler: Any) -> str | None:
        """The provider answers by itself while its own session lasts."""
        return str(url_path_join(handler.hub.base_url, "oauth_login"))

    async def ask_again(self, user: Any, auth_state: dict[str, Any]) -> Finding:
        """By the tokens; what they say has to be of the person the account was made for."""
        finding = await self._ask(user, auth_state)
        if finding.model is not None and is_another(self.renamed_at, auth_state, finding.model["auth_state"]):
            return Finding(Verdict.GONE, reason="the name is somebody else's now")
        return finding

    async def _ask(self, user: Any, auth_state: dict[str, Any]) -> Finding:
        """By the access token; by the refresh token when that is refused."""
        if not auth_state.get("token_response"):
            return Finding(Verdict.UNCERTAIN, reason="signed in before tokens were kept")
        try:
            return await self._facts(auth_state["token_response"])
        except HTTPClientError as error:
            if error.code not in REFUSALS:
                return Finding(Verdict.UNANSWERED, reason=f"userinfo answered {error.code}")
        except (OSError, ValueError, web.HTTPError) as error:
            return Finding(Verdict.UNANSWERED, reason=f"userinfo: {type(error).__name__}")
        if not auth_state.get("refresh_token"):
            return Finding(Verdict.UNCERTAIN, reason="the access token is over, and there is no refresh token")
        return await self._refreshed(user, auth_state)

    async def _refreshed(self, user: Any, auth_state: dict[str, Any]) -> Finding:
        ask = self.build_refresh_token_request_params(auth_state["refresh_token"])  # type: ignore[attr-defined]
        try:
            tokens = await self.get_token_info(None, ask)  # type: ignore[attr-defined]
        except HTTPClientError as error:
            return refusal_of(error)
        except (OSError, ValueError, web.HTTPError) as error:
            return Finding(Verdict.UNANSWERED, reason=f"token endpoint: {type(error).__name__}")
        tokens = {"refresh_token": auth_state["refresh_token"], **tokens}
        # Before anything else can fail: the provider has replaced the old refresh token.
        fresh = {name: tokens[name] for name in ("access_token", "refresh_token")} | {"token_response": tokens}
        await user.save_auth_state(auth_state | fresh)
        try:
            return await self._facts(tokens)
        except (OSError, ValueError, HTTPClientError, web.HTTPError) as error:
            return Finding(Verdict.UNANSWERED, reason=f"userinfo with a fresh token: {type(error).__name__}")

    async def _facts(self, tokens: dict[str, Any]) -> Finding:
        return Finding(Verdict.CONFIRMED, await self._token_to_auth_model(tokens))  # type: ignore[attr-defined]


def error_of(refused: HTTPClientError) -> dict[str, Any]:
    """What a provider said of the reason (RFC 6749 §5.2); nothing if it said it otherwise."""
    try:
        answer = json.loads(refused.response.body) if refused.response else {}
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def refusal_of(error: HTTPClientError) -> Finding:
    """What a refusal of the token endpoint means. Only `invalid_grant` is about the user."""
    answer = error_of(error)
    code = answer.get("error")
    if code != "invalid_grant":
        return Finding(Verdict.UNANSWERED, reason=f"the token endpoint answered {error.code} {code or ''}".strip())
    if IDENTITY_TOO_OLD in str(answer.get("error_description", "")):
        return Finding(Verdict.UNCERTAIN, reason="the bridge has to ask CAS again")
    # A token that is too old is refused in the same words as one that was taken back: the sign-in is over, and whether
    # the person may still enter is for the next one to say.
    return Finding(Verdict.ENDED, reason="the provider takes the refresh token no more")


class OidcAuthenticator(OAuthRefreshMixin, GenericOAuthenticator):  # type: ignore[misc]  # no types there
    """The bridge, and any other OpenID Connect provider."""


class GitLabAuthenticator(OAuthRefreshMixin, GitLabOAuthenticator):  # type: ignore[misc]
    """GitLab, which names all groups of a user, with their full paths, at its userinfo endpoint."""

    async def token_to_user(self, token_info: dict[str, Any]) -> dict[str, Any]:
        """The claims, and the number by the name that the base class asks the API with."""
        claims: dict[str, Any] = await super().token_to_user(token_info)
        number = str(claims.get("sub", ""))
        return claims | {"id": int(number) if number.isdecimal() else 0}


class GitHubAuthenticator(OAuthRefreshMixin, GitHubOAuthenticator):  # type: ignore[misc]
    """GitHub: the groups are organisations and `organisation/team`."""

    number_claim = "id"


def github_groups(auth_state: dict[str, Any]) -> set[str]:
    """Of the teams that GitHub lists for a user; a member of a team is a member of its organisation."""
    teams = auth_state.get("teams") or []
    organisations = {team["organization"]["login"] for team in teams}
    return organisations | {f"{team['organization']['login']}/{team['slug']}" for team in teams}
