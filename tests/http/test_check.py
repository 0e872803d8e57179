"""`passerelle check`, the real command against real servers: each of these broken setups is named, and nothing else."""

from __future__ import annotations

import time

import pytest

from tests.http.broken_setups import (
    Broken,
    bridge_is_down,
    cas_in_maintenance,
    cas_of_another_name,
    cas_that_refuses_this_machine,
    cas_without_intermediate,
    cas_without_its_query,
    cas_without_tls_at_its_port,
    credulous_cas,
    expired_cas,
    http_at_the_tls_port,
    internal_is_another_program,
    issuer_with_another_path,
    late_cas,
    logout_behind_a_login_page,
    logout_blocked,
    logout_redirected,
    newer_database,
    no_attributes,
    old_cas,
    other_database,
    other_issuer,
    proxy_drops_the_query,
    public_is_another_program,
    public_of_unknown_authority,
    redirecting_cas,
    registered_with_http,
    registered_without_query,
    silent_cas,
    slow_cas,
    stranger_at_that_name,
    unregistered,
    unregistered_at_apereo_7,
    untrusted_cas,
)
from tests.http.check_site import SECRET_KEY, Site, shared, site
from tests.support.bridge.live_bridge import free_port

__all__ = ["shared", "site"]  # fixtures

BROKEN = {
    "the host name of CAS does not resolve": Broken(
        lambda site: {"cas_url": "https://sso.nowhere.invalid/cas"}, "cas.name", ("sso.nowhere.invalid", "DNS")
    ),
    "CAS refuses the connection": Broken(
        lambda site: {"cas_url": f"https://localhost:{free_port()}/cas"}, "cas.port", ("refused", "PASSERELLE_CAS_URL")
    ),
    "the proxy on the way to CAS is dead": Broken(
        lambda site: {"cas_proxy": f"http://bridge:proxy-s3cret@127.0.0.1:{free_port()}"},
        "cas.port",
        ("PASSERELLE_CAS_PROXY", "refused"),
    ),
    "CAS answers later than a sign-in waits": Broken(slow_cas, "cas.speed", ("took 5.", "502")),
    "what is in front of CAS drops the query": Broken(
        cas_without_its_query, "cas.protocol", ("INVALID_REQUEST", "drops the query")
    ),
    "CAS is being maintained": Broken(cas_in_maintenance, "cas.protocol", ("status 503", "may be right", "Wait")),
    "CAS refuses the validations of this machine": Broken(
        cas_that_refuses_this_machine, "cas.protocol", ("status 403", "refuses this machine", "allow the address")
    ),
    "our service is registered without its query": Broken(
        registered_without_query,
        "cas.service",
        ("without the query", "state=passerelle-check", r"in (\?.*)?", "=cookie"),
    ),
    "our service is registered as http": Broken(registered_with_http, "cas.service", ("registered as http,",)),
    "http is configured for the port of https": Broken(
        http_at_the_tls_port, "cas.port", ("speaks TLS", "Set PASSERELLE_CAS_URL=https://localhost:")
    ),
    "another server with a certificate of its own has CAS's name": Broken(
        stranger_at_that_name, "cas.certificate", ("is for router.local, not for localhost", "another server answers")
    ),
    "CAS never answers": Broken(silent_cas, "cas.port", ("no answer within 8 s", "curl")),
    "CAS speaks http where https is configured": Broken(cas_without_tls_at_its_port, "cas.port", ("TLS", "https to")),
    "the certificate of CAS is of an unknown authority": Broken(
        untrusted_cas, "cas.certificate", ("'Unknown Root'", "PASSERELLE_CAS_CA_FILE", "PEM")
    ),
    "CAS leaves out its intermediate certificate": Broken(
        cas_without_intermediate, "cas.certificate", ("'Forgotten Intermediate'", "full chain")
    ),
    "the certificate of CAS is for another host": Broken(
        cas_of_another_name, "cas.certificate", ("is for sso.example.org, not for localhost",)
    ),
    "the certificate of CAS has expired": Broken(expired_cas, "cas.certificate", ("expired on", "3 days ago", "renew")),
    "the CA file is no certificate": Broken(
        lambda site: {"cas_ca_file": __file__}, "cas.ca_file", ("PEM", "BEGIN CERTIFICATE")
    ),
    "the path of CAS is wrong": Broken(
        lambda site: {"cas_url": site.cas.url.replace("/cas", "/wrong")},
        "cas.protocol",
        ("status 404", "PASSERELLE_CAS_URL=https://localhost"),
    ),
    "http redirects to https": Broken(redirecting_cas, "cas.redirect", ("wants https", "PASSERELLE_CAS_URL=https://")),
    "our service is not registered": Broken(
        unregistered, "cas.service", ("not registered", "--message", r"/cas/callback(\?.*)?$")
    ),
    "our service is not registered, and CAS fails over it": Broken(
        unregistered_at_apereo_7, "cas.service", ("not registered", "status 500", "--message")
    ),
    "the configured protocol is not answered, another is": Broken(
        old_cas, "cas.protocol", ("Protocol 3.0 is not answered", "PASSERELLE_CAS_PROTOCOL=2.0")
    ),
    "CAS accepts made-up tickets": Broken(credulous_cas, "cas.protocol", ("made up", "Do not run")),
    "the clock of CAS is ten minutes off": Broken(late_cas, "cas.clock", ("10 minutes behind", "time synchronisation")),
    "the internal URL leads to another program": Broken(
        internal_is_another_program, "cas.protocol", ("web page", "PASSERELLE_CAS_INTERNAL_URL")
    ),
    "the internal URL leads to a dead server": Broken(
        lambda site: {"cas_internal_url": f"http://127.0.0.1:{free_port()}/cas"},
        "cas.port",
        ("refused", "PASSERELLE_CAS_INTERNAL_URL"),
    ),
    "our public address serves another issuer": Broken(
        other_issuer, "public.issuer", ("the port differs", "PASSERELLE_ISSUER")
    ),
    "the issuer served has another path": Broken(issuer_with_another_path, "public.issuer", ("the path differs",)),
    "our public address is another program": Broken(
        public_is_another_program, "public.program", ("web page", "DNS", "proxy")
    ),
    "the bridge behind the proxy is down": Broken(bridge_is_down, "public.program", ("502", "passerelle serve")),
    "our public address cannot be reached": Broken(
        lambda site: {"issuer": f"https://localhost:{free_port()}"}, "public.port", ("refused", "--no-public")
    ),
    "our certificate is not trusted": Broken(
        public_of_unknown_authority, "public.certificate", ("'Nobody'", "--ca-file")
    ),
    "the bridge there has another database": Broken(other_database, "public.bridge", ("another database", "keys")),
    "the proxy drops the query": Broken(proxy_drops_the_query, "public.query", ("does not reach", "nginx")),
    "the proxy blocks single logout": Broken(logout_blocked, "logout.reach", ("status 405", "Let POST through")),
    "single logout meets a login page": Broken(logout_behind_a_login_page, "logout.reach", ("another program",)),
    "single logout is redirected": Broken(logout_redirected, "logout.reach", ("portal.example.org/login",)),
    "CAS releases no attributes": Broken(
        no_attributes, "attributes.released", ("no attribute", "displayName", "--message")
    ),
    "the database cannot be reached": Broken(
        lambda site: {"database_url": f"postgresql://bridge:db-s3cret@127.0.0.1:{free_port()}/bridge"},
        "database",
        ("refused", "Start it, or correct host"),
    ),
    "the database is of a newer version": Broken(newer_database, "database", ("newer version", "Install that one")),
    "the secret key is an example's": Broken(
        lambda site: {
            "secret_key": "change-me-change-me-change-me-1234",
            "database_url": f"sqlite:///{site.folder}/none.sqlite3",
        },
        "secret_key",
        ("openssl rand -hex 32",),
    ),
    "the secret key is not the one of the database": Broken(
        lambda site: {"secret_key": SECRET_KEY[::-1]}, "secret_key", ("encrypted with another one", "former value")
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_setup_is_named_with_its_remedy_and_nothing_else_is_blamed(site: Site, name: str) -> None:
    broken = BROKEN[name]
    settings = broken.how(site)
    registered = site.cas.registered
    site.cas.registered = f"{settings.get('issuer', site.front.url)}/cas/callback"

    began = time.monotonic()
    checked = site.checks("--json", **settings)
    site.cas.registered = registered

    assert checked.of_level("FAULT") == {broken.fault}, checked.stdout + checked.stderr
    assert checked.status == 1
    found = checked.findings[broken.fault]
    told = " ".join((found["seen"], found["means"], found["do"]))
    for words in broken.says:
        assert words in told
    assert all((found["seen"], found["means"], found["do"]))
    assert "s3cret" not in checked.stdout + checked.stderr
    assert SECRET_KEY not in checked.stdout
    assert time.monotonic() - began < 30
