"""Usernames that the hub accepts, and what users read about the others."""

from typing import Any

import pytest
from tornado import web
from traitlets.config import Config

from hub.auth.pam import PamAuthenticator
from hub.auth.usernames import USERNAME_PATTERN


@pytest.fixture
def authenticator() -> Any:
    config = Config()
    config.Authenticator.username_pattern = USERNAME_PATTERN
    config.Authenticator.allow_all = True
    return PamAuthenticator(config=config)


@pytest.mark.parametrize(
    "name", ["bob", "BOB", "o'brien", "jean+lab@example.org", "a.b_c-d", "7of9", "a" * 63, "D'Arc+x@Example.ORG"]
)
def test_username_is_accepted(authenticator: Any, name: str) -> None:
    authenticator.check_username(name)
    assert authenticator.validate_username(authenticator.normalize_username(name))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("jürgen", "because of “ü”"),
        ("anna maria", "because of “ ”"),
        ("bob\n", "because of U+000A"),
        ("a`b", "because of “`”"),
        ("a/b\\c", "because of “/”, “\\”"),
        ("\u212aim", "because of “\u212a”"),  # the Kelvin sign: its lower case is the letter k
        ("İpek", "because of “İ”"),
        ("-bob", "does not begin with a letter"),
        ("@home", "does not begin with a letter"),
        ("", "does not begin with a letter"),
        ("a" * 64, "has 64 characters and the hub accepts at most 63"),
    ],
)
def test_rejected_username_is_explained(authenticator: Any, name: str, reason: str) -> None:
    with pytest.raises(web.HTTPError) as caught:
        authenticator.check_username(name)
    text = str(caught.value.user_message)
    assert caught.value.status_code == 403
    assert reason in text
    assert "administrator of this hub" in text


def test_rejected_username_is_explained_in_french(authenticator: Any) -> None:
    with pytest.raises(web.HTTPError) as caught:
        authenticator.check_username("jürgen")
    assert "établissement" in caught.value.user_message.translate("fr")


def test_own_pattern_of_a_site_is_respected() -> None:
    config = Config()
    config.Authenticator.username_pattern = "^[a-zü]+$"
    config.Authenticator.allow_all = True
    PamAuthenticator(config=config).check_username("jürgen")
