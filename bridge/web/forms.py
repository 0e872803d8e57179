"""Forms that only our own pages can send: a token bound to the session and to what the form does."""

from __future__ import annotations

import hmac

from bridge.errors import LoginNotContinued
from bridge.store import Session
from bridge.web.context import Bridge


def form_token(bridge: Bridge, session: Session, purpose: str) -> str:
    """To stand in a hidden field named `form_token`."""
    return bridge.authority.derived_secret("form", purpose, session.cookie_hash)


def check_form_token(bridge: Bridge, session: Session, purpose: str, unverified: str | None) -> None:
    """Raise LoginNotContinued for a form that another page sent, or one from before a new sign-in."""
    if not hmac.compare_digest(form_token(bridge, session, purpose).encode(), (unverified or "").encode()):
        raise LoginNotContinued(
            "This form is not (or no longer) valid: it was sent by another page, or you signed in again meanwhile. "
            "Go back, load the page again and repeat what you did.",
            detail=f"wrong form token for {purpose}",
        )
