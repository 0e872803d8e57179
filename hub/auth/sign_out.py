"""Login cookies that end with their sign-in, and the end of a sign-in.

JupyterHub has no setting for the content of its login cookie, so `install` replaces four methods of its handlers.
"""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyterhub import orm
from jupyterhub.handlers.base import SESSION_COOKIE_NAME, BaseHandler

from hub.auth.refresh import http_error
from hub.auth.sign_ins import ProviderSession, SignIn, end_sign_ins, find_by_session, is_live, open_sign_in
from passerelle_common.i18n import Message, gettext_noop

ENDED_MEANWHILE = gettext_noop("You signed out while this sign-in was in progress. Sign in again.")

_set_login_cookie = BaseHandler.set_login_cookie
_clear_login_cookie = BaseHandler.clear_login_cookie


@dataclass(frozen=True)
class SignOut:
    """Ends sign-ins, and by setting the labs of users who have no other one."""

    stop_labs: bool = False
    _tasks: set[asyncio.Future[Any]] = field(default_factory=set)

    def end(self, handler: Any, rows: Sequence[SignIn]) -> None:
        """End hub sessions and the tokens issued under them; start to stop the labs."""
        for user_id, has_another in end_sign_ins(handler.db, rows).items():
            user = handler.users.get(user_id)
            if user is None:
                continue
            handler.log.info("A sign-in of %s has ended%s", user.name, ", another remains" if has_another else "")
            if self.stop_labs and not has_another:
                self._stop_labs(handler, user)

    def _stop_labs(self, handler: Any, user: Any) -> None:
        for name, spawner in user.spawners.items():
            if spawner.active and not spawner.pending:
                task = asyncio.ensure_future(handler.stop_single_user(user, name))
                self._tasks.add(task)  # the event loop keeps no reference
                task.add_done_callback(self._tasks.discard)


def install(sign_out: SignOut) -> None:
    """Replace the methods of JupyterHub's handlers that set, read and delete the login cookie."""

    def clear_login_cookie(handler: Any, name: str | None = None) -> None:
        user = handler.get_current_user_cookie()
        session_id = handler.get_session_cookie()
        _clear_login_cookie(handler, name)
        if user is not None and session_id:
            sign_out.end(handler, find_by_session(handler.db, user.id, session_id))

    BaseHandler._user_for_cookie = user_for_cookie
    BaseHandler._set_user_cookie = set_user_cookie
    BaseHandler.set_login_cookie = set_login_cookie
    BaseHandler.clear_login_cookie = clear_login_cookie


def user_for_cookie(handler: Any, cookie_name: str, cookie_value: str | None = None) -> Any:
    """Return the user of a login cookie if its hub session has not ended."""
    value = handler.get_secure_cookie(cookie_name, cookie_value, max_age_days=handler.cookie_max_age_days)
    cookie_id, _, session_id = (value or b"").decode("utf-8", "replace").partition(":")
    user = handler._user_from_orm(handler.db.query(orm.User).filter_by(cookie_id=cookie_id).first())
    if user is None or not is_live(handler.db, user.id, session_id):
        if handler.get_cookie(cookie_name):
            handler.log.info("A login cookie is invalid, or its sign-in has ended")
            handler.clear_cookie(cookie_name, path=handler.hub.base_url)
        return None
    if not hasattr(handler, "_session_id"):
        # The session cookie is neither signed nor bound to the sign-in, and tokens are issued under its value.
        handler._session_id = session_id
        if handler.get_cookie(SESSION_COOKIE_NAME) != session_id:
            handler.set_session_cookie()
    if handler._record_activity(user):
        handler.db.commit()
    return user


def set_user_cookie(handler: Any, user: Any, server: Any) -> None:
    """Set a login cookie that names the user and the hub session."""
    value = f"{user.cookie_id}:{handler.get_session_cookie()}"
    handler._set_cookie(server.cookie_name, value, encrypted=True, path=server.base_url)


def set_login_cookie(handler: Any, user: Any) -> None:
    """Store a completed sign-in, under a new hub session unless the user is signed in, and set the cookie.

    Raises:
        HTTPError: The provider has ended the session during the sign-in.
    """
    provider: ProviderSession | None = getattr(handler, "provider_session", None)
    signed_in = handler.get_current_user_cookie()
    is_new = signed_in is None or signed_in.id != user.id
    if is_new:
        handler._session_id = uuid.uuid4().hex
        handler.set_session_cookie()
    if is_new or provider is not None:
        session_id = handler.get_session_cookie()
        if not open_sign_in(handler.db, user.id, session_id, provider or ProviderSession(), now=time.time()):
            raise http_error(403, Message(ENDED_MEANWHILE, {}))
    _set_login_cookie(handler, user)
