"""A whole application: people sign in at a Matrix server with the account that CAS knows, and talk."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.clients.at_the_bridge import ends, sessions
from tests.clients.person import Person
from tests.clients.site import Site
from tests.clients.synapse_server import Synapse

pytestmark = pytest.mark.needs("synapse")

MATRIX_CLIENT = "http://localhost:9/#/welcome"
"""Where the program of the user waits to hear that its user signed in."""
TOLD_SECONDS_MAX = 5


@pytest.fixture(scope="module")
def synapse(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    synapse = Synapse(tmp_path_factory.mktemp("synapse"))
    client = site.adds_client("Synapse", "--recipe=synapse", f"--url={synapse.base}")
    with synapse.is_client(site, client):
        yield synapse
    assert "Traceback" not in synapse.log, synapse.log


@dataclass
class Device:
    """A program that is signed in at the Matrix server."""

    synapse: Synapse
    token: str

    @property
    def is_signed_in(self) -> bool:
        status = self.synapse.asks("GET", "v3/account/whoami", token=self.token).status_code
        assert status in (200, 401)
        return status == 200


def signs_in(synapse: Synapse, person: Person) -> Device:
    """From the server's own address for it, over CAS, to the page that asks whether to go on, and on."""
    query = urlencode({"redirectUrl": MATRIX_CLIENT})
    page = person.opens(f"{synapse.base}/_matrix/client/v3/login/sso/redirect/oidc-cas?{query}")
    page = person.types_password(page) if person.is_at_cas(page) else page
    assert page.status_code == 200, f"{page.url} {page.text}\n{synapse.log[-3000:]}"
    (link,) = re.findall(r'href="(http://localhost:9/[^"]*)"', page.text)
    (token,) = parse_qs(urlsplit(unescape(link)).query)["loginToken"]
    answer = synapse.asks("POST", "v3/login", {"type": "m.login.token", "token": token})
    assert answer.status_code == 200, answer.text
    return Device(synapse, answer.json()["access_token"])


def test_somebody_signs_in_and_writes_into_a_room(synapse: Synapse, site: Site, person: Person) -> None:
    device = signs_in(synapse, person)
    user = site.cas.user
    me = synapse.asks("GET", "v3/account/whoami", token=device.token).json()["user_id"]
    assert me == f"@{user.name}:matrix.example.org"
    profile = synapse.asks("GET", f"v3/profile/{me}", token=device.token).json()
    assert [profile["displayname"]] == list(user.attributes["displayName"])
    known = synapse.asks("GET", "v3/account/3pid", token=device.token).json()["threepids"]
    assert [each["address"] for each in known] == list(user.attributes["mail"])

    room = synapse.asks("POST", "v3/createRoom", {"name": "A room"}, token=device.token).json()["room_id"]
    path = f"v3/rooms/{room}/send/m.room.message/1"
    sent = synapse.asks("PUT", path, {"msgtype": "m.text", "body": "Good morning"}, token=device.token)
    assert sent.status_code == 200, sent.text


def test_signing_out_of_matrix_ends_that_session_and_no_other(synapse: Synapse, site: Site, person: Person) -> None:
    device = signs_in(synapse, person)
    already = sessions(site)
    assert synapse.asks("POST", "v3/logout", token=device.token).status_code == 200
    assert not device.is_signed_in
    assert sessions(site) == already
    assert signs_in(synapse, person).is_signed_in
    assert person.passwords_typed == 1


def test_signing_out_at_the_bridge_signs_every_program_out(synapse: Synapse, site: Site, person: Person) -> None:
    bystander = signs_in(synapse, site.person())
    already = sessions(site)
    programs = [signs_in(synapse, person), signs_in(synapse, person)]
    (sid,) = sessions(site) - already
    assert all(program.is_signed_in for program in [*programs, bystander])
    ends(site, sid)

    deadline = time.monotonic() + TOLD_SECONDS_MAX
    while any(program.is_signed_in for program in programs):
        assert time.monotonic() < deadline, f"{site.bridge.log[-2000:]}\n{synapse.log[-2000:]}"
        time.sleep(0.1)
    assert bystander.is_signed_in
