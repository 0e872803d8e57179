"""Debian's Apache with mod_auth_openidc in front of an application, with the recipe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.clients.apache_server import Apache, running_apache
from tests.clients.bridge_commands import edit_client, end_session, is_token_active, rotate_secret, sessions
from tests.clients.person import Person
from tests.clients.site import Site

pytestmark = pytest.mark.needs("apache")

LOGOUT_SECONDS_MAX = 5
FRESH_SECONDS = 3.1
AT_ONCE = 10


@pytest.fixture(scope="module")
def apache(site: Site) -> Iterator[Apache]:
    with running_apache(site, "--recipe=mod-auth-openidc") as apache:
        yield apache


def test_apache_passes_the_user_to_the_application(apache: Apache, site: Site, person: Person) -> None:
    address = f"{apache.url}/private/notes?of=today"
    page = person.sign_in(address)

    assert page.url == address, f"{page.text}\n{apache.log}"
    headers = page.json()["headers"]
    user = site.cas.user
    assert headers["OIDC_CLAIM_sub"] == headers["OIDC_CLAIM_preferred_username"] == user.name
    assert headers["OIDC_CLAIM_groups"] == ",".join(user.attributes["memberOf"])
    assert [headers["OIDC_CLAIM_email"]] == list(user.attributes["mail"])
    assert [headers["OIDC_CLAIM_name"].encode("latin-1").decode()] == list(user.attributes["displayName"])


def test_apache_admits_by_group(apache: Apache, person: Person) -> None:
    assert person.sign_in(f"{apache.url}/administration/").status_code == 200
    assert person.get(f"{apache.url}/elsewhere/").status_code == 401


def test_require_claim_line_restricts_access(site: Site, person: Person) -> None:
    edited = {"# Require claim groups:staff": "Require claim groups:unused-group"}
    with running_apache(site, "--recipe=mod-auth-openidc", edited=edited) as strict:
        assert person.sign_in(f"{strict.url}/private/").status_code == 401


def test_apache_denies_removed_member_at_next_refresh(site: Site, person: Person) -> None:
    with running_apache(site, "--recipe=mod-auth-openidc", "--access-token-lifetime=62") as apache:
        assert person.sign_in(f"{apache.url}/private/").status_code == 200
        edit_client(site, apache.client, "--allowed-group=unused-group")
        time.sleep(FRESH_SECONDS)
        assert person.get_without_redirects(f"{apache.url}/private/").status_code != 200, apache.log
        page = person.get(f"{apache.url}/private/")
        assert (page.status_code, "No access to this application" in page.text) == (403, True), page.text


def test_apache_refreshes_tokens(apache: Apache, site: Site, person: Person) -> None:
    person.sign_in(f"{apache.url}/private/")
    first = tokens(apache, person)
    wanted = {"refresh": f"{apache.url}/private/", "access_token": first["access_token"]}
    page = person.get(f"{apache.callback}?{urlencode(wanted)}")

    assert (page.status_code, page.url) == (200, f"{apache.url}/private/")
    fresh = tokens(apache, person)
    assert fresh["refresh_token"] != first["refresh_token"]
    assert fresh["access_token"] != first["access_token"]
    assert fresh["userinfo"]["groups"] == list(site.cas.user.attributes["memberOf"])


def test_apache_may_refresh_for_many_requests_at_once(apache: Apache, site: Site, person: Person) -> None:
    """Parallel requests may refresh with the same refresh token when the access token is about to expire."""
    person.sign_in(f"{apache.url}/private/")
    first = tokens(apache, person)
    time.sleep(FRESH_SECONDS)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert set(
            pool.map(lambda _: person.get_without_redirects(f"{apache.url}/busy/").status_code, range(AT_ONCE))
        ) == {200}
    last = tokens(apache, person)
    assert last["refresh_token"] != first["refresh_token"]
    assert is_token_active(site, apache.client, last["refresh_token"])


def test_apache_signs_out_at_bridge_and_cas(apache: Apache, site: Site, person: Person) -> None:
    already = sessions(site)
    person.sign_in(f"{apache.url}/private/")
    assert len(sessions(site) - already) == 1

    page = person.get(f"{apache.callback}?logout=")
    assert page.url == f"{apache.callback}?logout=get", f"{page.url}: {page.text}"
    assert "Logged Out" in page.text
    assert sessions(site) == already
    assert person.is_at_cas(person.get(f"{apache.url}/private/"))


def test_apache_accepts_backchannel_logout(apache: Apache, site: Site, person: Person) -> None:
    bystander = site.person()
    bystander.sign_in(f"{apache.url}/private/")
    already = sessions(site)
    person.sign_in(f"{apache.url}/private/")
    (sid,) = sessions(site) - already
    end_session(site, sid)

    deadline = time.monotonic() + LOGOUT_SECONDS_MAX
    while person.get_without_redirects(f"{apache.url}/private/").status_code == 200:
        assert time.monotonic() < deadline, site.bridge.log[-2000:]
        time.sleep(0.05)
    assert bystander.get_without_redirects(f"{apache.url}/private/").status_code == 200


def test_apache_secret_rotates_without_downtime(apache: Apache, site: Site, person: Person) -> None:
    person.sign_in(f"{apache.url}/private/")
    old = apache.client
    secret = rotate_secret(site, old, "--keep-old")
    assert site.person().sign_in(f"{apache.url}/private/").status_code == 200
    assert secret
    apache.replace_secret(secret)
    assert rotate_secret(site, old, "--drop-old") is None

    assert site.person().sign_in(f"{apache.url}/private/").status_code == 200
    assert person.get(f"{apache.url}/private/").status_code == 200
    assert person.passwords_typed == 1
    with pytest.raises(AssertionError, match="invalid_client"):
        is_token_active(site, old, "any token")


def tokens(apache: Apache, person: Person) -> dict[str, Any]:
    """Return the tokens that Apache holds for this person."""
    return dict(person.get(f"{apache.callback}?info=json").json())
