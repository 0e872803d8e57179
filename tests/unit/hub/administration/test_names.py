"""Which volumes are a deployment's, and whose home is which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.administration.names import escape, size, unescape, volume_labels, volume_name, volumes_of

OURS = {"com.docker.compose.project": "hub"}


def places(*found: tuple[str, dict[str, str]]) -> list[str]:
    return [volume.place for volume in volumes_of("hub", found)]


@given(st.text(min_size=1))
def test_every_name_is_found_again_in_its_volume(user: str) -> None:
    try:
        user.encode()
    except UnicodeEncodeError:
        return
    assert unescape(escape(user)) == user


@pytest.mark.parametrize(
    ("user", "written"),
    [
        ("bob", "bob"),
        ("jean-pierre", "jean-2dpierre"),
        ("a.b@c", "a-2eb-40c"),
        ("é", "-c3-a9"),
        ("../etc", "-2e-2e-2fetc"),
    ],
)
def test_names_are_written_as_dockerspawner_writes_them(user: str, written: str) -> None:
    from string import ascii_letters, digits

    from escapism import escape as theirs

    assert escape(user) == written == theirs(user, safe=set(ascii_letters + digits), escape_char="-").lower()


@pytest.mark.parametrize("text", ["", "-", "a-", "a_b", "a-2", "-zz", "-ff", "a-62", "a/b", "page_secrets"])
def test_what_no_name_is_written_as_is_nobodys_home(text: str) -> None:
    assert unescape(text) is None


def test_volumes_of_a_deployment_whose_name_begins_alike_are_not_ours() -> None:
    assert places(
        ("hub_secrets", OURS | {"com.docker.compose.volume": "secrets"}),
        ("hub-home-bob", {}),
        ("hub-course-algebra-1", {}),
        ("hub-public", {}),
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
def test_a_place_has_one_volume_in_every_deployment(place: str) -> None:
    made = volume_name("other", place), volume_labels("other", place)
    assert [volume.place for volume in volumes_of("other", [made])] == [place]


def test_sizes_are_for_people() -> None:
    assert [size(count) for count in (0, 1023, 1024, 3 * 2**30, 5 * 2**40)] == [
        *("0 B", "1023 B", "1.0 KiB", "3.0 GiB", "5.0 TiB")
    ]
