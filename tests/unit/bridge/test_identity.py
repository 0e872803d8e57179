"""The identity and its JSON form."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.identity import Identity

TEXT = st.text(st.characters(), max_size=20)  # including lone surrogates and control characters
OPTIONAL = st.none() | TEXT
IDENTITIES = st.builds(
    Identity,
    subject=TEXT,
    username=TEXT,
    name=OPTIONAL,
    given_name=OPTIONAL,
    family_name=OPTIONAL,
    email=OPTIONAL,
    groups=st.lists(TEXT, max_size=4).map(tuple),
    attributes=st.dictionaries(TEXT, st.lists(TEXT, max_size=3).map(tuple), max_size=4),
    auth_time=st.none() | st.integers(),
    is_new_login=st.none() | st.booleans(),
    long_term=st.booleans(),
)


@given(IDENTITIES)
def test_identity_json_round_trip(identity: Identity) -> None:
    again = Identity.from_json(identity.to_json())
    assert again == identity
    assert type(again.groups) is tuple
    assert all(type(values) is tuple for values in again.attributes.values())


def test_json_is_independent_of_attribute_order() -> None:
    one = Identity(subject="a", username="a", attributes={"x": ("1",), "y": ("2",)})
    other = Identity(subject="a", username="a", attributes={"y": ("2",), "x": ("1",)})
    assert one.to_json() == other.to_json()


def test_json_of_other_versions_is_read() -> None:
    assert Identity.from_json('{"subject": "a", "username": "b", "from_the_future": 1}') == Identity(
        subject="a", username="b"
    )


@pytest.mark.parametrize("text", ["", "[]", "null", '"alice"', "{}", "not json"])
def test_invalid_json_is_rejected(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        Identity.from_json(text)


def test_identity_is_immutable() -> None:
    held = {"groups": ("staff",)}
    identity = Identity(subject="a", username="a", attributes=held)
    held["groups"] = ("admins",)
    assert identity.attributes == {"groups": ("staff",)}
    with pytest.raises(dataclasses.FrozenInstanceError):
        identity.subject = "b"  # type: ignore[misc]
    with pytest.raises(TypeError):
        identity.attributes["groups"] = ()  # type: ignore[index]
    assert hash(identity) == hash(Identity(subject="a", username="a"))
