"""Volumes of a deployment, and the users whose homes they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.administration.volume_names import escape, find_volumes, labels_of, unescape, volume_of

LABELS = {"com.docker.compose.project": "hub"}


def places(*found: tuple[str, dict[str, str]]) -> list[str]:
    return [volume.place for volume in find_volumes("hub", found)]


@given(st.text(min_size=1))
def test_escaped_names_are_unescaped(user: str) -> None:
    try:
        user.encode()
    except UnicodeEncodeError:
        return
    assert unescape(escape(user)) == user


@pytest.mark.parametrize(
    ("user", "escaped"),
    [
        ("bob", "bob"),
        ("jean-pierre", "jean-2dpierre"),
        ("a.b@c", "a-2eb-40c"),
        ("é", "-c3-a9"),
        ("../etc", "-2e-2e-2fetc"),
    ],
)
def test_names_are_escaped_as_dockerspawner_does(user: str, escaped: str) -> None:
    from string import ascii_letters, digits

    from escapism import escape as dockerspawner_escape

    assert (
        escape(user) == escaped == dockerspawner_escape(user, safe=set(ascii_letters + digits), escape_char="-").lower()
    )


@pytest.mark.parametrize("text", ["", "-", "a-", "a_b", "a-2", "-zz", "-ff", "a-62", "a/b", "page_secrets"])
def test_invalid_escapes_are_no_home(text: str) -> None:
    assert unescape(text) is None


def test_volumes_of_similarly_named_projects_are_ignored() -> None:
    assert places(
        ("hub_secrets", LABELS | {"com.docker.compose.volume": "secrets"}),
        ("hub-home-bob", {}),
        ("hub-course-algebra-1", {}),
        ("hub-public", {}),
        ("hub-course-public", {"org.passerelle.project": "hub-course"}),
        (
            "hub-home-page_secrets",
            {"com.docker.compose.project": "hub-home-page", "com.docker.compose.volume": "secrets"},
        ),
        ("hub-home-page-home-bob", {}),
        ("hub-homely", {}),
        ("hubble-home-bob", {}),
        ("other", {}),
        ("public", {}),
    ) == ["service/secrets", "public/public", "course/algebra-1", "home/bob"]


@pytest.mark.parametrize("place", ["service/bridge-data", "public/public", "course/algebra-1", "home/a-2eb"])
def test_each_place_has_one_volume_in_every_deployment(place: str) -> None:
    volume = volume_of("other", place)
    assert find_volumes("other", [(volume.name, labels_of("other", volume))]) == [volume]
    assert volume.place == place
