"""The error tree and the drawing of it."""

import re

import pytest

from bridge import errors
from bridge.errors import BridgeError, ConfigurationError

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BridgeError)]


def test_the_drawing_shows_every_error_with_its_status_and_code() -> None:
    drawn = {}
    for line in (errors.__doc__ or "").splitlines():
        if entry := re.match(r"[│├└─\s]*(\w+)\s+(\d{3})(?:  ([a-z_]+)\b)?", line):
            name, status, code = entry.groups()
            drawn[name] = (int(status), code)
    assert set(drawn) == {kind.__name__ for kind in ALL}
    for kind in ALL:
        status, code = drawn[kind.__name__]
        assert status == kind.status
        if code:  # a child without one has its parent's
            assert code == kind.code


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind.__init__ is BridgeError.__init__])
def test_what_users_read_is_whole_sentences_and_keeps_the_detail_private(kind: type[BridgeError]) -> None:
    error = kind(detail="for the log")
    assert error.description[0].isupper()
    assert error.description.endswith(".")
    assert str(error) == error.description
    assert error.detail == "for the log"


def test_a_configuration_error_lists_every_fault() -> None:
    error = ConfigurationError(["first", "second"])
    assert error.faults == ("first", "second")
    assert "first" in str(error)
    assert "second" in str(error)
