"""Tests of the error tree and its documentation."""

import re

import pytest

from bridge import errors
from bridge.errors import BridgeError, ConfigurationError, oauth

MEMBERS = {**vars(errors), **vars(oauth)}.values()
ALL = [kind for kind in MEMBERS if isinstance(kind, type) and issubclass(kind, BridgeError)]


def test_error_tree_shows_every_error_with_status_and_code() -> None:
    drawn = {}
    for line in (errors.__doc__ or "").splitlines():
        if entry := re.match(r"[│├└─\s]*(\w+)\s+(\d{3})(?:  ([a-z_]+)\b)?", line):
            name, status, code = entry.groups()
            drawn[name] = (int(status), code)
    assert set(drawn) == {kind.__name__ for kind in ALL}
    for kind in ALL:
        status, code = drawn[kind.__name__]
        assert status == kind.status
        if code:  # otherwise inherited from the parent
            assert code == kind.code


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind.__init__ is BridgeError.__init__])
def test_descriptions_are_sentences_without_the_detail(kind: type[BridgeError]) -> None:
    error = kind(detail="for the log")
    assert error.description[0].isupper()
    assert error.description.endswith(".")
    assert str(error) == error.description
    assert error.detail == "for the log"


def test_configuration_error_lists_every_fault() -> None:
    error = ConfigurationError(["first", "second"])
    assert error.faults == ("first", "second")
    assert "first" in str(error)
    assert "second" in str(error)
