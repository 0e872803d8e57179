"""Signing in with a password that a real LDAP server (Debian's slapd) knows, and losing access while signed in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import write_certificate
from tests.support.hub.hub_process import HubProcess, Visitor
from tests.support.hub.ldap_server import BASE, READER, READER_PASSWORD, LdapServer

pytestmark = pytest.mark.needs("ldap")

AGE = 1.1
PASSWORD = "correct horse, battery ☂"
WAYS = ("template over StartTLS", "looked up over TLS")


@pytest.fixture(scope="module")
def ldap() -> Iterator[LdapServer]:
    with LdapServer() as server:
        yield server


def settings(hub: HubProcess, ldap: LdapServer, way: str) -> dict[str, str]:
    where = (
        {"AUTH_URL": ldap.url, "AUTH_LDAP_USER_DN": f"uid={{username}},ou=people,{BASE}"}
        if way.startswith("template")
        else {"AUTH_URL": ldap.tls_url, "AUTH_LDAP_USER_BASE": f"ou=people,{BASE}"}
    )
    return where | {
        "AUTH_METHOD": "ldap",
        "AUTH_CA_FILE": str(ldap.ca_file),
        "AUTH_SECRET_FILE": hub.secret("reader", READER_PASSWORD),
        "AUTH_LDAP_SEARCH_USER": READER,
        "AUTH_LDAP_GROUP_BASE": f"ou=groups,{BASE}",
    }


@pytest.fixture(scope="module", params=WAYS)
def hub(
    request: pytest.FixtureRequest, ldap: LdapServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    ours = HubProcess(tmp_path_factory.mktemp("hub"))
    with ours.with_settings(settings(ours, ldap, request.param)):
        yield ours


@pytest.fixture(autouse=True)
def people(ldap: LdapServer) -> Iterator[None]:
    for name in ("ann", "ben", "eve"):
        ldap.person(name, PASSWORD)
    ldap.group("staff", "ann")
    ldap.group("students", "ben")
    ldap.group("admins", "ann")
    yield
    for name in ("staff", "students", "admins"):
        ldap.deletes(f"cn={name},ou=groups,{BASE}")
    for name in ("ann", "ben", "eve"):
        ldap.deletes(f"uid={name},ou=people,{BASE}")


def enters(hub: HubProcess, name: str) -> Visitor:
    visitor = Visitor(hub)
    page = visitor.types(name, PASSWORD)
    assert page.url == f"{hub.url}/hub/home", f"{page.status_code} {page.url}\n{hub.log[-3000:]}"
    return visitor


def test_a_member_enters_with_groups_and_rights(hub: HubProcess) -> None:
    enters(hub, "ann")
    user = hub.user("ann")
    assert (user["admin"], sorted(user["groups"])) == (True, ["admins", "staff"])


@pytest.mark.parametrize("password", ["wrong", "", "*"])
def test_a_wrong_password_does_not(hub: HubProcess, password: str) -> None:
    assert Visitor(hub).types("ann", password).status_code == 403


@pytest.mark.parametrize("name", ["*", "ann)(uid=*", "ann,ou=people", "nobody", "", "a" * 10_000, "ann\\2c", "a@b"])
def test_a_name_that_is_more_than_a_name_opens_nothing(hub: HubProcess, name: str) -> None:
    assert Visitor(hub).types(name, PASSWORD).status_code in (400, 403)


def test_who_is_in_none_of_the_groups_does_not_enter(hub: HubProcess) -> None:
    assert Visitor(hub).types("eve", PASSWORD).status_code == 403
    assert hub.user("eve").get("status") == 404


def test_taken_out_of_the_group_means_out_at_the_next_refresh(hub: HubProcess, ldap: LdapServer) -> None:
    ben = enters(hub, "ben")
    token = hub.token_of("ben")
    time.sleep(AGE)
    assert ben.is_in()
    ldap.removes("ben", "students")
    time.sleep(AGE)
    assert hub.asks("GET", "/user", token).status_code == 403
    assert not ben.is_in()


def test_rights_end_with_the_group(hub: HubProcess, ldap: LdapServer) -> None:
    ann = enters(hub, "ann")
    ldap.removes("ann", "admins")
    time.sleep(AGE)
    assert ann.is_in()
    assert hub.user("ann")["admin"] is False


def test_a_person_who_is_no_more_is_out(hub: HubProcess, ldap: LdapServer) -> None:
    ben = enters(hub, "ben")
    ldap.deletes(f"uid=ben,ou=people,{BASE}")
    time.sleep(AGE)
    assert not ben.is_in()
    ldap.person("ben", PASSWORD)


def test_a_directory_that_is_down_or_hangs_signs_nobody_out_and_says_so_to_who_comes(
    hub: HubProcess, ldap: LdapServer
) -> None:
    ann = enters(hub, "ann")
    ldap.stop()
    try:
        time.sleep(AGE)
        assert ann.is_in()
        page = Visitor(hub).types("ben", PASSWORD)
        assert page.status_code == 503
        assert "does not respond. Try again in a few minutes." in page.text
    finally:
        ldap.start()
    ldap.hangs(True)
    try:
        time.sleep(AGE)
        began = time.monotonic()
        assert hub.asks("GET", "/users", hub.token).ok
        assert ann.is_in()
        assert time.monotonic() - began < 25
    finally:
        ldap.hangs(False)
    assert enters(hub, "ben").is_in()


def test_a_directory_that_is_away_in_the_morning_has_said_no_to_nobody(ldap: LdapServer, tmp_path: Path) -> None:
    """The last answer is from yesterday: nobody passes until the directory answers, and nothing is lost."""
    hub = HubProcess(tmp_path)
    hub.configured(
        "30-times.py", "import hub.auth.refresh\nhub.auth.refresh.OUTAGE_GRACE = hub.auth.refresh.LAB_GRACE = 2\n"
    )
    with hub.with_settings(settings(hub, ldap, WAYS[0])):
        ann = enters(hub, "ann")
        token = hub.token_of("ann")
        time.sleep(3)
        ldap.stop()
        try:
            assert not ann.is_in()
            assert hub.asks("GET", "/user", token).status_code == 403
        finally:
            ldap.start()
        assert ann.is_in()
        assert hub.asks("GET", "/user", token).ok


def test_no_password_is_in_the_log(hub: HubProcess) -> None:
    assert PASSWORD not in hub.log
    assert READER_PASSWORD not in hub.log


def test_a_certificate_that_nobody_vouches_for_gets_no_password(ldap: LdapServer, tmp_path: Path) -> None:
    hub = HubProcess(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    write_certificate(other, ["localhost"])
    changed = settings(hub, ldap, WAYS[0]) | {"AUTH_CA_FILE": str(other / "server.crt")}
    with hub.with_settings(changed):
        assert Visitor(hub).types("ann", PASSWORD).status_code == 503
        assert "certificate verify failed" in hub.log


def test_a_certificate_of_another_host_gets_no_password_either(ldap: LdapServer, tmp_path: Path) -> None:
    hub = HubProcess(tmp_path)
    changed = settings(hub, ldap, WAYS[1]) | {"AUTH_URL": ldap.tls_url.replace("localhost", "127.0.0.1")}
    with hub.with_settings(changed):
        assert Visitor(hub).types("ann", PASSWORD).status_code == 503
