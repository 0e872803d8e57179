"""Matrix Synapse, with the recipe: users sign in through CAS and send messages."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.clients.apache_server import Apache, running_apache
from tests.clients.bridge_commands import end_session, sessions
from tests.clients.person import Person
from tests.clients.site import Site
from tests.clients.synapse_server import Synapse, sign_in

pytestmark = pytest.mark.needs("synapse")

LOGOUT_SECONDS_MAX = 5


@pytest.fixture(scope="module")
def synapse(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    synapse = Synapse(tmp_path_factory.mktemp("synapse"))
    client = site.add_client("Synapse", "--recipe=synapse", f"--url={synapse.base}")
    with synapse.configure_client(site, client):
        yield synapse
    assert "Traceback" not in synapse.log, synapse.log


@pytest.fixture(scope="module")
def apache(site: Site) -> Iterator[Apache]:
    """A second application."""
    with running_apache(site, "--recipe=mod-auth-openidc") as apache:
        yield apache


def test_synapse_signs_in_and_sends_a_message(synapse: Synapse, site: Site, person: Person) -> None:
    device = sign_in(synapse, person)
    user = site.cas.user
    me = synapse.request("GET", "v3/account/whoami", token=device.token).json()["user_id"]
    assert me == f"@{user.name}:matrix.example.org"
    profile = synapse.request("GET", f"v3/profile/{me}", token=device.token).json()
    assert [profile["displayname"]] == list(user.attributes["displayName"])
    known = synapse.request("GET", "v3/account/3pid", token=device.token).json()["threepids"]
    assert [each["address"] for each in known] == list(user.attributes["mail"])

    room = synapse.request("POST", "v3/createRoom", {"name": "A room"}, token=device.token).json()["room_id"]
    path = f"v3/rooms/{room}/send/m.room.message/1"
    sent = synapse.request("PUT", path, {"msgtype": "m.text", "body": "Good morning"}, token=device.token)
    assert sent.status_code == 200, sent.text


def test_matrix_sign_out_ends_that_session_only(synapse: Synapse, site: Site, person: Person) -> None:
    device = sign_in(synapse, person)
    already = sessions(site)
    assert synapse.request("POST", "v3/logout", token=device.token).status_code == 200
    assert not device.is_signed_in
    assert sessions(site) == already
    assert sign_in(synapse, person).is_signed_in
    assert person.passwords_typed == 1


def test_bridge_sign_out_ends_all_matrix_sessions(synapse: Synapse, site: Site, person: Person) -> None:
    bystander = sign_in(synapse, site.person())
    already = sessions(site)
    programs = [sign_in(synapse, person), sign_in(synapse, person)]
    (sid,) = sessions(site) - already
    assert all(program.is_signed_in for program in [*programs, bystander])
    end_session(site, sid)

    deadline = time.monotonic() + LOGOUT_SECONDS_MAX
    while any(program.is_signed_in for program in programs):
        assert time.monotonic() < deadline, f"{site.bridge.log[-2000:]}\n{synapse.log[-2000:]}"
        time.sleep(0.1)
    assert bystander.is_signed_in


@pytest.mark.needs("apache")
@pytest.mark.parametrize("where", ["at CAS", "at the other application", "at the bridge"])
def test_sign_out_reaches_every_application(
    where: str, synapse: Synapse, apache: Apache, site: Site, person: Person
) -> None:
    bystander = site.person()
    other = sign_in(synapse, bystander)
    bystander.get(f"{apache.url}/")
    program = sign_in(synapse, person)
    person.get(f"{apache.url}/")
    assert person.passwords_typed == 1

    if where == "at CAS":
        assert person.get(f"{site.cas.url}/logout").status_code == 200
    elif where == "at the bridge":
        person.submit(person.get(f"{site.issuer}/logout"))
    else:
        person.get(f"{apache.callback}?logout=")

    deadline = time.monotonic() + LOGOUT_SECONDS_MAX
    while program.is_signed_in or person.get_without_redirects(f"{apache.url}/").status_code == 200:
        assert time.monotonic() < deadline, f"{site.bridge.log[-2000:]}\n{synapse.log[-2000:]}"
        time.sleep(0.1)
    assert person.is_at_cas(person.get(f"{apache.url}/"))
    assert other.is_signed_in
    assert bystander.get_without_redirects(f"{apache.url}/").status_code == 200
