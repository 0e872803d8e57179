"""The user's own page: who they are here, what holds access to their data, where else they are signed in.

Each form ends something, carries a token that only this session's page has, and leads back here by a 303, so that
reloading repeats nothing. What does not belong to the user is left alone, whatever the form says.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from flask import Blueprint, Response, render_template, request

from bridge.oauth.logout import end_session
from bridge.store import Session
from bridge.web import cookies
from bridge.web.context import AppContext, current_context
from bridge.web.forms import check_form_token, form_token
from bridge.web.responses import see_other

END_ACCESS = "end access"
END_SESSION = "end session"
SIGN_OUT_EVERYWHERE = "sign out everywhere"

blueprint = Blueprint("account", __name__)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAccess:
    """What the page tells of an application."""

    client_id: str
    name: str
    scopes: tuple[str, ...]
    since: int
    until: int


@blueprint.get("/")
def account() -> str:
    """For the user; whoever is not signed in reads what this address is for."""
    context = current_context()
    session = cookies.current_session(request, context)
    if session is None:
        return render_template("index.html")
    live = context.store.sessions.of_subject(session.identity.subject, now=context.now())
    return render_template(
        "account.html",
        identity=session.identity,
        session=session,
        others=[other for other in live if other.sid != session.sid],
        access=held_access(context, session),
        end_access_token=form_token(context, session, END_ACCESS),
        end_session_token=form_token(context, session, END_SESSION),
        everywhere_token=form_token(context, session, SIGN_OUT_EVERYWHERE),
    )


@blueprint.post("/account/end-access")
def end_access() -> Response:
    """Take back all that an application holds, and what was agreed to."""
    context = current_context()
    session = session_of_form(context, END_ACCESS)
    client_id = request.form.get("client_id", "")
    if session is not None and client_id.isprintable():
        subject = session.identity.subject
        revoked = context.store.grants.revoke_client_of_subject(client_id, subject, now=context.now())
        log.info("access_ended", client=client_id[:80], subject=subject, grants=revoked)
    return own_page(context)


@blueprint.post("/account/end-session")
def end_other_session() -> Response:
    """Sign the user out in another browser."""
    context = current_context()
    session = session_of_form(context, END_SESSION)
    if session is not None:
        subject, sid = session.identity.subject, request.form.get("sid", "")
        own = {live.sid for live in context.store.sessions.of_subject(subject, now=context.now())}
        ended = sid in own and end_session(context.provider, sid)
        log.info("session_ended_by_user", subject=subject, sid=sid[:80], ended=ended)
    return own_page(context)


@blueprint.post("/account/sign-out-everywhere")
def sign_out_everywhere() -> Response:
    """End every session of the user, this one too."""
    context = current_context()
    session = session_of_form(context, SIGN_OUT_EVERYWHERE)
    if session is not None:
        subject = session.identity.subject
        live = context.store.sessions.of_subject(subject, now=context.now())
        ended = sum(end_session(context.provider, one.sid) for one in live)
        log.info("signed_out_everywhere", subject=subject, sessions=ended)
    # Which tells that CAS has a session of its own, and how to end that.
    response = see_other(f"{context.issuer}/logout")
    cookies.want_new_login(response, context)
    return response


def held_access(context: AppContext, session: Session) -> list[HeldAccess]:
    """The applications by name; one that is no longer registered keeps its id."""
    found = []
    for held in context.store.grants.access_of_subject(session.identity.subject, now=context.now()):
        client = context.provider.clients.get(held.client_id)
        found.append(
            HeldAccess(
                client_id=held.client_id,
                name=held.client_id if client is None else client.client_name,
                scopes=tuple(held.scope.split()),
                since=held.since,
                until=held.until,
            )
        )
    return sorted(found, key=lambda one: one.name.casefold())


def session_of_form(context: AppContext, purpose: str) -> Session | None:
    """The session that sent the form; None when it ended meanwhile, and there is nothing left to do.

    :raises InvalidFormToken: when another page sent it
    """
    session = cookies.current_session(request, context)
    if session is not None:
        check_form_token(context, session, purpose, request.form.get("form_token"))
    return session


def own_page(context: AppContext) -> Response:
    """Back to the page, which then shows what is left."""
    return see_other(f"{context.issuer}/")
