"""Debian's Apache signs people in before they reach an application, by mod_auth_openidc."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.apache_server import Apache
from tests.clients.bridge_site import BridgeSite
from tests.clients.visitor import Visitor

pytestmark = pytest.mark.needs("apache")

TOLD_WITHIN_SECONDS = 5


@pytest.fixture(scope="module")
def apache(site: BridgeSite) -> Iterator[Apache]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        apache = Apache(folder, files=site.cas.files, ca_file=site.ca_file)
        options = (
            *("--redirect-uri", apache.callback),
            *("--post-logout-redirect-uri", f"{apache.url}/goodbye"),
            *("--backchannel-logout-uri", f"{apache.callback}?logout=backchannel"),
            *("--grant-type", "authorization_code", "--grant-type", "refresh_token"),
        )
        client = site.adds({"apache": options})["apache"]
        with apache.is_client(site.issuer, **client):
            yield apache
        assert "[error]" not in apache.log, apache.log


@pytest.fixture
def visitor(site: BridgeSite) -> Iterator[Visitor]:
    with site.visitor() as visitor:
        yield visitor


def test_the_application_behind_apache_learns_who_signed_in(apache: Apache, site: BridgeSite, visitor: Visitor) -> None:
    page = visitor.signs_in(visitor.opens(f"{apache.url}/private/notes?of=today"))

    assert page.url == f"{apache.url}/private/notes?of=today", f"{page.text}\n{apache.log}"
    headers = page.json()["headers"]
    user = site.cas.user
    assert headers["OIDC_CLAIM_sub"] == headers["OIDC_CLAIM_preferred_username"] == user.name
    assert headers["OIDC_CLAIM_groups"] == ",".join(user.attributes["memberOf"])
    assert [headers["OIDC_CLAIM_email"]] == list(user.attributes["mail"])
    assert [headers["OIDC_CLAIM_name"].encode("latin-1").decode()] == list(user.attributes["displayName"])


def test_apache_admits_by_group(apache: Apache, visitor: Visitor) -> None:
    page = visitor.signs_in(visitor.opens(f"{apache.url}/administration/"))
    assert page.status_code == 200
    assert visitor.opens(f"{apache.url}/elsewhere/").status_code == 401
    assert visitor.times_asked == 1


def test_apache_refreshes_and_signs_out(apache: Apache, site: BridgeSite, visitor: Visitor) -> None:
    already = len(site.sessions())
    visitor.signs_in(visitor.opens(f"{apache.url}/private/"))
    assert len(site.sessions()) == already + 1
    first = visitor.opens(f"{apache.callback}?info=json").json()
    refresh = {"refresh": f"{apache.url}/private/", "access_token": first["access_token"]}
    page = visitor.opens(apache.callback, params=refresh)
    assert page.url == f"{apache.url}/private/", page.url
    fresh = visitor.opens(f"{apache.callback}?info=json").json()
    assert fresh["refresh_token"] != first["refresh_token"]
    assert fresh["access_token"] != first["access_token"]
    assert fresh["userinfo"]["groups"] == list(site.cas.user.attributes["memberOf"])

    page = visitor.opens(apache.callback, params={"logout": f"{apache.url}/goodbye"})
    assert page.url == f"{apache.url}/goodbye", page.text
    assert len(site.sessions()) == already
    page = visitor.opens(f"{apache.url}/private/")
    assert page.url.startswith(f"{site.cas.url}/login?"), page.url


def test_apache_hears_that_somebody_signed_out_elsewhere(apache: Apache, site: BridgeSite, visitor: Visitor) -> None:
    with site.visitor() as bystander:
        bystander.signs_in(bystander.opens(f"{apache.url}/private/"))
        before = {session.sid for session in site.sessions()}
        visitor.signs_in(visitor.opens(f"{apache.url}/private/"))
        (sid,) = {session.sid for session in site.sessions()} - before
        site.ends(sid)

        deadline = time.monotonic() + TOLD_WITHIN_SECONDS
        while visitor.opens(f"{apache.url}/private/", allow_redirects=False).status_code == 200:
            assert time.monotonic() < deadline, f"Apache was not told within {TOLD_WITHIN_SECONDS} s"
            time.sleep(0.05)
        assert bystander.opens(f"{apache.url}/private/", allow_redirects=False).status_code == 200
