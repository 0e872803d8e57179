"""A CAS server that registers one exact URL, with the state only in the cookie."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cas.real_cas import RealCas
from tests.upstream.site import Site, error_of, site_at, wait_until_revoked


@pytest.fixture(scope="module")
def exact(cas: RealCas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_at(
        tmp_path_factory.mktemp("bridge"),
        cas,
        exactly=True,
        channel="at the service URL",
        PASSERELLE_CAS_SERVICE_STATE="cookie",
    ) as site:
        yield site


def test_login_is_single_use(exact: Site) -> None:
    person = exact.person()
    assert exact.sign_in(person).userinfo["sub"] == exact.cas.user.name
    person.cookies.clear()
    assert exact.sign_in(person).are_active()
    assert person.at_cas.password_prompts == 1


def test_prompt_none_with_and_without_cas_session_cas23(exact: Site) -> None:
    person = exact.person()
    app = exact.app(person)
    assert error_of(person.sign_in(app.authorization_url(prompt="none"))) == "login_required"
    exact.sign_in(person)
    person.cookies.clear()
    assert app.extract_code(person.sign_in(app.authorization_url(prompt="none")))


def test_single_logout_ends_everything_cas24(exact: Site) -> None:
    person, already = exact.person(), len(exact.hub.told)
    tokens = exact.sign_in(person)
    began = time.monotonic()
    person.at_cas.sign_out()
    wait_until_revoked(tokens, began=began)
    exact.assert_logout_received(tokens, began=began, already=already)


def test_state_in_query_gets_no_ticket(cas: RealCas, folder: Path) -> None:
    with site_at(folder, cas, exactly=True) as site:
        if cas.registers_exact_urls:
            site.assert_no_ticket(site.person())
        else:
            assert site.sign_in(site.person()).are_active()
