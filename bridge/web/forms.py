"""Forms that only our own pages can send: a token bound to the session and to what the form does."""

from __future__ import annotations

import hmac

from bridge.errors import InvalidFormToken
from bridge.store import Session
from bridge.web.context import AppContext


def form_token(context: AppContext, session: Session, purpose: str) -> str:
    """To stand in a hidden field named `form_token`."""
    return context.provider.derived_secret("form", purpose, session.cookie_hash)


def check_form_token(context: AppContext, session: Session, purpose: str, unverified: str | None) -> None:
    """Raise InvalidFormToken for a form that another page sent, or one from before a new sign-in."""
    if not hmac.compare_digest(form_token(context, session, purpose).encode(), (unverified or "").encode()):
        raise InvalidFormToken(detail=f"wrong form token for {purpose}")
