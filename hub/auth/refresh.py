"""Asking again who somebody is, while they are signed in: what every kind of sign-in shares.

JupyterHub asks its authenticator at every request of a user whose facts are older than `auth_refresh_age`. As it comes,
nobody is asked there whether the user may still enter, an outage of the provider signs everybody out, and two requests
at once spend one refresh token twice. Here a kind of sign-in only says what it found (`ask_again`); what follows from
it is decided in one place, below.
"""

from __future__ import annotations

import asyncio
import enum
import secrets
import time
from dataclasses import dataclass
from typing import Any

from jupyterhub import orm
from jupyterhub.utils import maybe_future, url_path_join
from tornado import web
from tornado.httputil import url_concat

OUTAGE_GRACE = 3600
"""Seconds for which the last answer counts while the provider gives none."""
LAB_GRACE = 8 * 3600
"""Seconds for which a lab that is open can be used when only its user's browser could bring fresh facts."""
ONE_RENEWAL_WITHIN = 10
"""Seconds: a browser that comes back with facts that are too old again is not sent on its way a second time."""
LONGEST_NEXT = 1500
PAGES_OF_THE_SIGN_IN = ("login", "logout", "oauth_login", "oauth_callback")
CLIENT_OF_THE_HUB = "jupyterhub"
AS_OF = "as_of"
"""Where the stored state says when the provider confirmed it, in Unix seconds."""

Model = dict[str, Any]


class Verdict(enum.Enum):
    """What asking again brought."""

    CONFIRMED = "the facts of now"
    GONE = "the provider says no: the access was taken back, or the user is no more"
    ENDED = "the sign-in is over at the provider, by somebody's will or by time"
    LAPSED = "nobody has confirmed it for too long"
    UNCERTAIN = "only a new sign-in can tell"
    UNANSWERED = "the provider gave no answer that can be used"


@dataclass(frozen=True)
class Finding:
    """A verdict, with the new facts or the reason for the log."""

    verdict: Verdict
    model: Model | None = None
    reason: str = ""


def settled(finding: Finding, *, as_of: float, now: float) -> Verdict:
    """The verdict that counts, of facts that were last confirmed at `as_of`. Time alone never says no."""
    verdict = finding.verdict
    if verdict is Verdict.UNANSWERED and now - as_of > OUTAGE_GRACE:
        verdict = Verdict.UNCERTAIN
    if verdict is Verdict.UNCERTAIN and now - as_of > LAB_GRACE:
        verdict = Verdict.LAPSED
    return verdict


def tokens_of_labs(user: Any) -> set[int]:
    """The numbers of the tokens by which this user's running labs themselves speak to the hub."""
    kept = {spawner.api_token for spawner in user.spawners.values() if spawner.api_token}
    return {found.id for token in kept if (found := orm.APIToken.find(user.db, token)) is not None}


def is_of_a_browser(token: Any) -> bool:
    """Whether somebody got it by passing the sign-in in a browser; those made on purpose belong to the hub itself."""
    return bool(token.session_id or token.client_id != CLIENT_OF_THE_HUB)


def is_navigation(handler: Any) -> bool:
    """Whether a person waits for a page, on their own account, and could be sent elsewhere without losing anything."""
    headers = handler.request.headers
    wants_page = headers.get("Sec-Fetch-Mode", "navigate") == "navigate" and "text/html" in headers.get("Accept", "")
    page = handler.request.path.removeprefix(handler.hub.base_url).partition("/")[0]
    return bool(handler.request.method == "GET" and wants_page and page not in PAGES_OF_THE_SIGN_IN)


class AuthRefreshMixin:
    """Mixed into an authenticator, in front of it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._asking: dict[str, asyncio.Task[Finding]] = {}
        self._sent: dict[str, float] = {}

    async def ask_again(self, user: Any, auth_state: dict[str, Any]) -> Finding:
        """What the provider says of this user now."""
        raise NotImplementedError

    def renewal_url(self, handler: Any) -> str | None:  # noqa: ARG002  for those that need it
        """Where the browser gets fresh facts without being asked anything, if there is such a place."""
        return None

    async def refresh_user(self, user: Any, handler: Any = None, **_: Any) -> Model | bool:
        """True to go on with what is known, the new facts, or False: nobody without a new sign-in."""
        auth_state = await user.get_auth_state() or {}
        task = self._asking.get(user.name)
        if task is None:
            task = self._asking[user.name] = asyncio.ensure_future(self._find_out(user, auth_state))
            task.add_done_callback(lambda _: self._asking.pop(user.name, None))
        finding = await asyncio.shield(task)
        log = self.log  # type: ignore[attr-defined]
        verdict = settled(finding, as_of=auth_state.get(AS_OF, 0), now=time.time())
        if verdict is Verdict.CONFIRMED and finding.model is not None:
            return finding.model
        if handler is not None and not hasattr(handler, "_token_authenticated"):
            # JupyterHub 6.1 reads this of every handler whose user is refused, and sets it for API requests alone.
            handler._token_authenticated = False
        log.info("Asked again about %s: %s (%s)", user.name, verdict.value, finding.reason)
        if verdict is Verdict.UNANSWERED:
            return True
        if verdict in (Verdict.GONE, Verdict.ENDED):
            if (await user.get_auth_state() or {}).get(AS_OF) != auth_state.get(AS_OF):
                return True  # they signed in anew while the old tokens were asked about
            self._let_go(user, all_tokens=verdict is Verdict.GONE)
        elif handler is not None:
            self._send_on(user, handler)
        if verdict is not Verdict.UNCERTAIN and getattr(handler, "_jupyterhub_user", None) is user:
            # JupyterHub lets a request by token pass, unless it is told to be strict.
            handler._token_authenticated = False
        return False

    async def note_refusal(self, handler: Any, model: Model | None) -> Model | None:
        """At a sign-in: somebody whom the facts of now do not let in must not go on by the cookie of before."""
        if model is None or handler is None:
            return model
        name = self.normalize_username(model["name"])  # type: ignore[attr-defined]
        if not await self._may_enter(model | {"name": name}) and (user := handler.find_user(name)) is not None:
            self._let_go(user)
        return model

    async def _find_out(self, user: Any, auth_state: dict[str, Any]) -> Finding:
        try:
            finding = await self.ask_again(user, auth_state)
        except Exception as error:
            # A fault of ours or an answer of a shape that nobody thought of: no reason to sign everybody out.
            self.log.exception("Asking again about %s failed", user.name)  # type: ignore[attr-defined]
            return Finding(Verdict.UNANSWERED, reason=type(error).__name__)
        if finding.model is None:
            return finding
        if finding.model["name"] != user.name:
            return Finding(Verdict.GONE, reason="the account has another name now")
        if not await self._may_enter(finding.model):
            return Finding(Verdict.GONE, reason="in no group that may enter, or blocked")
        return finding

    async def _may_enter(self, model: Model) -> bool:
        """The checks of a sign-in, which JupyterHub leaves out when it refreshes."""
        name = model["name"]
        try:
            if not await maybe_future(self.check_blocked_users(name, model)):  # type: ignore[attr-defined]
                return False
            return bool(await maybe_future(self.check_allowed(name, model)))  # type: ignore[attr-defined]
        except web.HTTPError as refusal:
            if refusal.status_code != 403:
                raise
            return False

    def _let_go(self, user: Any, *, all_tokens: bool = True) -> None:
        """Take back what lets this user in: the cookies of all browsers, and every token but those of running labs.

        Those that the user made for scripts stay where only the sign-in is over: they are refused until the next one,
        and whoever comes back in the morning need not make them anew.

        A lab goes on, unreachable, until it is culled: a directory that has lost a group for a minute must not cost
        anybody an afternoon's computation. The lab's own token stays, so that it works again for whoever comes back.
        """
        db = user.db
        own = tokens_of_labs(user)
        for token in list(user.orm_user.api_tokens):
            if token.id not in own and (all_tokens or is_of_a_browser(token)):
                db.delete(token)
        user.orm_user.cookie_id = secrets.token_hex(16)
        db.commit()

    def _send_on(self, user: Any, handler: Any) -> None:
        """Send the browser round by the provider, which asks nothing while it knows the user: nobody notices.

        While the request is prepared only; later, JupyterHub has begun an answer of its own. Once in a while at most:
        else provider and hub could send a browser back and forth, and of five tabs that open at once only one sign-in
        can end well.
        """
        target = self.renewal_url(handler)
        own = getattr(handler, "_jupyterhub_user", None) is user and not handler._token_authenticated
        if target is None or not own or handler.expanded_scopes or not is_navigation(handler):
            return
        now = time.monotonic()
        if now - self._sent.get(user.name, -ONE_RENEWAL_WITHIN) < ONE_RENEWAL_WITHIN:
            return
        self._sent[user.name] = now
        here = handler.request.uri
        home = url_path_join(handler.hub.base_url, "home")
        handler.redirect(url_concat(target, {"next": here if len(here) <= LONGEST_NEXT else home}))
