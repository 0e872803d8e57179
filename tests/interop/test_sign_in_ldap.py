"""Sign-in with a password of a real LDAP server (Debian's slapd), and loss of access."""

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
BIND_MODES = ("template over StartTLS", "looked up over TLS")


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
        "AUTH_SECRET_FILE": hub.write_secret("reader", READER_PASSWORD),
        "AUTH_LDAP_SEARCH_USER": READER,
        "AUTH_LDAP_GROUP_BASE": f"ou=groups,{BASE}",
    }


@pytest.fixture(scope="module", params=BIND_MODES)
def hub(
    request: pytest.FixtureRequest, ldap: LdapServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    ours = HubProcess(tmp_path_factory.mktemp("hub"))
    with ours.with_environment(settings(ours, ldap, request.param)):
        yield ours


@pytest.fixture(autouse=True)
def people(ldap: LdapServer) -> Iterator[None]:
    for name in ("ann", "ben", "eve"):
        ldap.add_user(name, PASSWORD)
    ldap.add_group("staff", "ann")
    ldap.add_group("students", "ben")
    ldap.add_group("admins", "ann")
    yield
    for name in ("staff", "students", "admins"):
        ldap.delete(f"cn={name},ou=groups,{BASE}")
    for name in ("ann", "ben", "eve"):
        ldap.delete(f"uid={name},ou=people,{BASE}")


def sign_in(hub: HubProcess, name: str) -> Visitor:
    visitor = Visitor(hub)
    page = visitor.submit_password(name, PASSWORD)
    assert page.url == f"{hub.url}/hub/home", f"{page.status_code} {page.url}\n{hub.log[-3000:]}"
    return visitor


def test_member_signs_in_with_groups_and_rights(hub: HubProcess) -> None:
    sign_in(hub, "ann")
    user = hub.user("ann")
    assert (user["admin"], sorted(user["groups"])) == (True, ["admins", "staff"])


@pytest.mark.parametrize("password", ["wrong", "", "*"])
def test_wrong_password_is_rejected(hub: HubProcess, password: str) -> None:
    assert Visitor(hub).submit_password("ann", password).status_code == 403


@pytest.mark.parametrize("name", ["*", "ann)(uid=*", "ann,ou=people", "unknown", "", "a" * 10_000, "ann\\2c", "a@b"])
def test_unsafe_name_is_rejected(hub: HubProcess, name: str) -> None:
    assert Visitor(hub).submit_password(name, PASSWORD).status_code in (400, 403)


def test_user_without_allowed_group_is_denied(hub: HubProcess) -> None:
    assert Visitor(hub).submit_password("eve", PASSWORD).status_code == 403
    assert hub.user("eve").get("status") == 404


def test_removal_from_group_revokes_access(hub: HubProcess, ldap: LdapServer) -> None:
    ben = sign_in(hub, "ben")
    token = hub.create_token("ben")
    time.sleep(AGE)
    assert ben.is_signed_in()
    ldap.remove_member("ben", "students")
    time.sleep(AGE)
    assert hub.request("GET", "/user", token).status_code == 403
    assert not ben.is_signed_in()


def test_administration_rights_end_with_group(hub: HubProcess, ldap: LdapServer) -> None:
    ann = sign_in(hub, "ann")
    ldap.remove_member("ann", "admins")
    time.sleep(AGE)
    assert ann.is_signed_in()
    assert hub.user("ann")["admin"] is False


def test_deleted_entry_loses_access(hub: HubProcess, ldap: LdapServer) -> None:
    ben = sign_in(hub, "ben")
    ldap.delete(f"uid=ben,ou=people,{BASE}")
    time.sleep(AGE)
    assert not ben.is_signed_in()
    ldap.add_user("ben", PASSWORD)


def test_directory_outage_signs_no_user_out(hub: HubProcess, ldap: LdapServer) -> None:
    ann = sign_in(hub, "ann")
    ldap.stop()
    try:
        time.sleep(AGE)
        assert ann.is_signed_in()
        page = Visitor(hub).submit_password("ben", PASSWORD)
        assert page.status_code == 503
        assert "does not respond. Try again in a few minutes." in page.text
    finally:
        ldap.start()
    ldap.suspend(True)
    try:
        time.sleep(AGE)
        began = time.monotonic()
        assert hub.request("GET", "/users", hub.token).ok
        assert ann.is_signed_in()
        assert time.monotonic() - began < 25
    finally:
        ldap.suspend(False)
    assert sign_in(hub, "ben").is_signed_in()


def test_directory_outage_after_grace_revokes_nothing(ldap: LdapServer, tmp_path: Path) -> None:
    """Access is denied until the directory responds, but cookies and tokens stay valid."""
    hub = HubProcess(tmp_path)
    hub.add_config(
        "30-times.py", "import hub.auth.refresh\nhub.auth.refresh.OUTAGE_GRACE = hub.auth.refresh.LAB_GRACE = 2\n"
    )
    with hub.with_environment(settings(hub, ldap, BIND_MODES[0])):
        ann = sign_in(hub, "ann")
        token = hub.create_token("ann")
        time.sleep(3)
        ldap.stop()
        try:
            assert not ann.is_signed_in()
            assert hub.request("GET", "/user", token).status_code == 403
        finally:
            ldap.start()
        assert ann.is_signed_in()
        assert hub.request("GET", "/user", token).ok


def test_log_contains_no_password(hub: HubProcess) -> None:
    assert PASSWORD not in hub.log
    assert READER_PASSWORD not in hub.log


def test_untrusted_certificate_is_rejected(ldap: LdapServer, tmp_path: Path) -> None:
    hub = HubProcess(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    write_certificate(other, ["localhost"])
    changed = settings(hub, ldap, BIND_MODES[0]) | {"AUTH_CA_FILE": str(other / "server.crt")}
    with hub.with_environment(changed):
        assert Visitor(hub).submit_password("ann", PASSWORD).status_code == 503
        assert "certificate verify failed" in hub.log


def test_certificate_of_other_host_is_rejected(ldap: LdapServer, tmp_path: Path) -> None:
    hub = HubProcess(tmp_path)
    changed = settings(hub, ldap, BIND_MODES[1]) | {"AUTH_URL": ldap.tls_url.replace("localhost", "127.0.0.1")}
    with hub.with_environment(changed):
        assert Visitor(hub).submit_password("ann", PASSWORD).status_code == 503
