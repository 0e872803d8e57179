"""A sign-in form that is shown though CAS was told to ask nothing: whether it refuses our address."""

from __future__ import annotations

import pytest

from bridge.check.probe import Answer, Trouble
from bridge.check.registration import NOT_REGISTERED
from bridge.check.sign_in_page import complains

SERVICE = "https://auth.example.org/cas/callback?state=passerelle-check"


def page(text: str, token: str = "t") -> Answer:
    form = f'<style>p {{}}</style><form><input name="lt" value="{token}"><input type="password"></form>'
    body = f"<h1>Sign in</h1><p>{text}</p>{form}<script>{token}</script>".encode()
    return Answer(url="https://sso/login", status=200, headers={}, body=body, received_at=0)


UNKNOWN = page(f"Service {NOT_REGISTERED} not allowed", "u")
PLAIN = page("", "p")


@pytest.mark.parametrize(
    ("ours", "other", "plain", "is_refused"),
    [
        (page(f"Service {SERVICE} not allowed"), UNKNOWN, PLAIN, True),
        (page(f"Service {SERVICE.replace('?', '&#63;')} not allowed"), UNKNOWN, PLAIN, True),
        (page(""), UNKNOWN, PLAIN, False),
        (page("Welcome to the Bridge"), UNKNOWN, PLAIN, False),
        (page(""), page("", "u"), PLAIN, False),
        (page("Down tonight"), page("Down tonight"), page("Down tonight"), False),
        (page(f"Service {SERVICE} not allowed"), None, PLAIN, False),
        (page("x"), UNKNOWN, Trouble(url="", kind="refused", detail=""), False),
    ],
)
def test_a_form_refuses_what_it_refuses_of_everybody(
    ours: Answer, other: Answer | None, plain: Answer | Trouble, is_refused: bool
) -> None:
    assert complains(ours, SERVICE, other, plain) is is_refused
