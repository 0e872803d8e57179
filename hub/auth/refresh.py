"""Periodic revalidation of signed-in users, shared by all authentication methods.

JupyterHub calls `refresh_user` on each request of a user whose authentication is older than `auth_refresh_age`. Its own
implementations do not recheck access, sign all users out during an outage of the provider, and spend one refresh token
twice for two parallel requests. Here, a method only revalidates (`revalidate`), and `AuthRefreshMixin` applies the
outcome.
"""

import asyncio
import enum
import secrets
import time
from dataclasses import dataclass
from typing import Any

from jupyterhub import orm
from jupyterhub.auth import Authenticator
from jupyterhub.utils import maybe_future, url_path_join
from tornado import web
from tornado.httputil import url_concat
from traitlets import Set, Unicode

from hub.auth.attempts import AttemptLimits, retry_after
from hub.auth.sign_ins import delete_sign_ins, end_sign_ins, find_current
from hub.auth.usernames import explain_invalid
from passerelle_common.i18n import Message, gettext_noop

OUTAGE_GRACE = 3600
"""Seconds for which the last confirmation is valid while the provider does not respond."""
LAB_GRACE = 8 * 3600
"""Seconds for which an open lab stays usable when only the user's browser could renew the authentication."""
RENEWAL_INTERVAL = 10
"""Minimum seconds between two redirects of a user to the provider, which prevents redirect loops."""
MAX_NEXT_LENGTH = 1500
AUTH_PAGES = ("login", "logout", "oauth_login", "oauth_callback")
HUB_CLIENT_ID = "jupyterhub"
CONFIRMED_AT = "as_of"
"""Key in the stored auth state for the time of the provider's last confirmation, in Unix seconds."""

TOO_MANY_ATTEMPTS = gettext_noop(
    "Too many sign-ins have failed. Wait %(seconds)s seconds, then try again with the correct password."
)

FOREIGN_FORM = gettext_noop("This sign-in was not sent by the sign-in page of this hub. Sign in here.")

AuthModel = dict[str, Any]


class Outcome(enum.Enum):
    """Outcome of a revalidation."""

    CONFIRMED = "the provider confirmed the user"
    REVOKED = "the user's access was revoked"
    ENDED = "the user's session at the provider has ended"
    LAPSED = "the last confirmation is too old"
    UNCERTAIN = "only a new sign-in can confirm the user"
    UNAVAILABLE = "the provider did not respond"


@dataclass(frozen=True)
class Revalidation:
    """An outcome with the new authentication model, or with the reason for the log."""

    outcome: Outcome
    auth_model: AuthModel | None = None
    reason: str = ""


def apply_grace(outcome: Outcome, *, confirmed_at: float, now: float) -> Outcome:
    """Return the outcome that applies to a user who was last confirmed at this time (Unix seconds).

    Elapsed time alone never revokes access.
    """
    if outcome is Outcome.UNAVAILABLE and now - confirmed_at > OUTAGE_GRACE:
        outcome = Outcome.UNCERTAIN
    if outcome is Outcome.UNCERTAIN and now - confirmed_at > LAB_GRACE:
        outcome = Outcome.LAPSED
    return outcome


def lab_token_ids(user: Any) -> set[int]:
    """Return the ids of the API tokens that the user's running labs use."""
    tokens = {spawner.api_token for spawner in user.spawners.values() if spawner.api_token}
    return {found.id for token in tokens if (found := orm.APIToken.find(user.db, token)) is not None}


def is_navigation(handler: Any) -> bool:
    """Return whether the request loads a page, so that a redirect loses no data."""
    headers = handler.request.headers
    wants_page = headers.get("Sec-Fetch-Mode", "navigate") == "navigate" and "text/html" in headers.get("Accept", "")
    page = handler.request.path.removeprefix(handler.hub.base_url).partition("/")[0]
    return bool(handler.request.method == "GET" and wants_page and page not in AUTH_PAGES)


async def client_address(request: Any, proxy_host: str) -> str:
    """Return the address of the client, from the header only if the proxy sent it.

    Labs reach the hub directly and can send any header.
    """
    peer = str(request.connection.context.address[0])
    try:
        found = await asyncio.get_running_loop().getaddrinfo(proxy_host, None)
    except OSError:
        found = []
    return str(request.remote_ip) if peer in {str(entry[4][0]) for entry in found} else peer


class AuthRefreshMixin:
    """Authenticator mixin, listed first: revalidates users and applies the outcome."""

    # `type: ignore[attr-defined]` below: the attribute belongs to Authenticator, the other base of every subclass.

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._tasks: dict[str, asyncio.Task[Revalidation]] = {}
        self._redirected_at: dict[str, float] = {}

    async def revalidate(self, user: Any, auth_state: dict[str, Any]) -> Revalidation:
        """Ask the provider for the user's current state."""
        raise NotImplementedError

    def renewal_url(self, handler: Any) -> str | None:  # noqa: ARG002  for subclasses
        """Return the URL at which the provider confirms the user without interaction, if there is one."""
        return None

    async def refresh_user(self, user: Any, handler: Any = None, **_: Any) -> AuthModel | bool:
        """Revalidate the user and return the new model, True to keep the current one, or False to reject."""
        auth_state = await user.get_auth_state() or {}
        task = self._tasks.get(user.name)
        if task is None:
            task = self._tasks[user.name] = asyncio.ensure_future(self._revalidate_and_check(user, auth_state))
            task.add_done_callback(lambda _: self._tasks.pop(user.name, None))
        result = await asyncio.shield(task)
        outcome = apply_grace(result.outcome, confirmed_at=auth_state.get(CONFIRMED_AT, 0), now=time.time())
        if outcome is Outcome.CONFIRMED and result.auth_model is not None:
            return result.auth_model
        if handler is not None and not hasattr(handler, "_token_authenticated"):
            # JupyterHub 6.1 reads this for every rejected user, but sets it for API requests only.
            handler._token_authenticated = False
        self.log.info("Revalidated %s: %s (%s)", user.name, outcome.value, result.reason)  # type: ignore[attr-defined]
        if outcome is Outcome.UNAVAILABLE:
            return True
        if outcome in (Outcome.REVOKED, Outcome.ENDED):
            if (await user.get_auth_state() or {}).get(CONFIRMED_AT) != auth_state.get(CONFIRMED_AT):
                return True  # a new sign-in completed during the revalidation of the old tokens
            rows = find_current(user.db, user.id) if outcome is Outcome.ENDED else []
            if not rows or not end_sign_ins(user.db, rows)[user.id]:
                self._revoke_user_tokens(user, all_tokens=outcome is Outcome.REVOKED)
        elif handler is not None:
            self._redirect_to_provider(user, handler)
        if outcome is not Outcome.UNCERTAIN and getattr(handler, "_jupyterhub_user", None) is user:
            # Without strict mode, JupyterHub would accept a request that carries a token.
            handler._token_authenticated = False
        return False

    async def revoke_if_denied(self, handler: Any, auth_model: AuthModel | None) -> AuthModel | None:
        """Revoke, at a sign-in, the existing cookies and tokens of a user who no longer has access."""
        if auth_model is not None:
            self.check_username(auth_model["name"])
        if auth_model is None or handler is None:
            return auth_model
        name = self.normalize_username(auth_model["name"])  # type: ignore[attr-defined]
        if not await self._has_access(auth_model | {"name": name}) and (user := handler.find_user(name)) is not None:
            self._revoke_user_tokens(user)
        return auth_model

    def check_username(self, name: str) -> None:
        """Tell a user whose name the hub cannot use what is wrong with it; JupyterHub would only deny access.

        Raises:
            HTTPError: The name does not match `username_pattern`, or only because a letter such as the Kelvin sign
                turns into an ASCII letter in lower case.
        """
        normalized = self.normalize_username(name)  # type: ignore[attr-defined]
        if self.validate_username(normalized) and name.isascii() == normalized.isascii():  # type: ignore[attr-defined]
            return
        self.log.warning("Rejected %r: this hub cannot use the name; see docs/hub/sign-in.md", name)  # type: ignore[attr-defined]
        raise http_error(403, explain_invalid(name))

    async def _revalidate_and_check(self, user: Any, auth_state: dict[str, Any]) -> Revalidation:
        try:
            result = await self.revalidate(user, auth_state)
        except Exception as error:
            # A defect here or an unexpected response must not sign all users out.
            self.log.exception("Revalidation of %s failed", user.name)  # type: ignore[attr-defined]
            return Revalidation(Outcome.UNAVAILABLE, reason=type(error).__name__)
        if result.auth_model is None:
            return result
        if result.auth_model["name"] != user.name:
            return Revalidation(Outcome.REVOKED, reason="the provider account has another name now")
        if not await self._has_access(result.auth_model):
            return Revalidation(Outcome.REVOKED, reason="not in a group with access, or blocked")
        return result

    async def _has_access(self, auth_model: AuthModel) -> bool:
        """Run the access checks of a sign-in, which JupyterHub omits on a refresh."""
        name = auth_model["name"]
        try:
            if not await maybe_future(self.check_blocked_users(name, auth_model)):  # type: ignore[attr-defined]
                return False
            return bool(await maybe_future(self.check_allowed(name, auth_model)))  # type: ignore[attr-defined]
        except web.HTTPError as error:
            if error.status_code != 403:
                raise
            return False

    def _revoke_user_tokens(self, user: Any, *, all_tokens: bool = True) -> None:
        """Revoke the user's cookies and API tokens, except the tokens of running labs.

        A lab keeps running, without access for its user, until it is culled: a group that is missing from a directory
        for a minute must not end a computation. Its token stays valid, so that the lab works again after a new sign-in.

        Without `all_tokens`, tokens that the user requested for scripts are kept. They are rejected until the next
        sign-in, and the user need not create them again.
        """
        db = user.db
        lab_tokens = lab_token_ids(user)
        for token in list(user.orm_user.api_tokens):
            # The hub itself issues tokens that are made on request; a sign-in in a browser issues all others.
            by_browser = token.session_id or token.client_id != HUB_CLIENT_ID
            if token.id not in lab_tokens and (all_tokens or by_browser):
                db.delete(token)
        user.orm_user.cookie_id = secrets.token_hex(16)
        delete_sign_ins(db, [user.id])

    def _redirect_to_provider(self, user: Any, handler: Any) -> None:
        """Redirect the browser to the provider, which confirms the user without interaction during its session.

        This happens only while the request is prepared, because JupyterHub has begun a response of its own later. The
        interval prevents redirect loops and lets only one of several open tabs start a sign-in.
        """
        target = self.renewal_url(handler)
        own_page = getattr(handler, "_jupyterhub_user", None) is user and not handler._token_authenticated
        if target is None or not own_page or handler.expanded_scopes or not is_navigation(handler):
            return
        now = time.monotonic()
        if now - self._redirected_at.get(user.name, -RENEWAL_INTERVAL) < RENEWAL_INTERVAL:
            return
        self._redirected_at[user.name] = now
        here = handler.request.uri
        home = url_path_join(handler.hub.base_url, "home")
        handler.redirect(url_concat(target, {"next": here if len(here) <= MAX_NEXT_LENGTH else home}))


def http_error(status: int, message: Message, headers: dict[str, str] | None = None) -> web.HTTPError:
    """Return an error whose page shows the message in the user's language."""
    error = web.HTTPError(status, str(message))
    error.user_message = message  # type: ignore[attr-defined]  # read by the error page
    error.headers = headers or {}  # type: ignore[attr-defined]  # sent by JupyterHub
    return error


class GroupsAuthenticator(AuthRefreshMixin, Authenticator):  # type: ignore[misc]  # no types there
    """Base class of the authenticators with a password form: groups decide access and administration rights.

    Its traits have names of their own, because `allowed_groups` means something else in the LDAP and PAM classes.
    """

    access_groups = Set(help="Members of any of these groups have access.").tag(config=True)
    administrator_groups = Set(help="Members of any of these groups administer the hub.").tag(config=True)
    proxy_host = Unicode(help="The host name of the proxy, whose X-Forwarded-For header is trusted.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attempts = AttemptLimits()

    async def verify_password(self, handler: Any, data: dict[str, str]) -> AuthModel | None:
        """Verify the password of the form, and return the user with groups; each subclass implements it."""
        raise NotImplementedError

    async def authenticate(self, handler: Any, data: dict[str, str]) -> AuthModel | None:
        """Verify the password, unless too many attempts with this name or from this address have failed.

        Raises:
            HTTPError: 403 for a form of another origin or a name that the hub cannot use, 429 for too many attempts.
        """
        # JupyterHub's XSRF cookie has no prefix `__Host-`: a page of a lab could set it, and sign its visitor in as
        # the lab's user.
        if handler.request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise http_error(403, Message(FOREIGN_FORM))
        self.check_username(data["username"])
        name = self.normalize_username(data["username"])
        address = await client_address(handler.request, self.proxy_host)
        if wait := self.attempts.begin(name, address):
            self.log.warning("Too many failed sign-ins for %s or from %s; next attempt in %d s", name, address, wait)
            seconds = retry_after(wait)
            raise http_error(429, Message(TOO_MANY_ATTEMPTS, {"seconds": seconds}), {"Retry-After": seconds})
        try:
            model = await self.verify_password(handler, data)
        except Exception:
            self.attempts.cancel(name, address)
            raise
        if model is not None:
            self.attempts.succeed(name, address)
        return await self.revoke_if_denied(handler, model)

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
