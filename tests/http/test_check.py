"""`passerelle check` against real servers: it reports each broken setup and nothing else."""

from __future__ import annotations

import pytest

from tests.http.broken_setups import (
    BrokenSetup,
    bridge_is_down,
    cas_accepts_any_ticket,
    cas_clock_behind,
    cas_in_maintenance,
    cas_never_responds,
    cas_proxy_drops_query,
    cas_redirects_to_https,
    cas_rejects_this_machine,
    cas_responds_slowly,
    cas_with_expired_certificate,
    cas_with_other_host_name,
    cas_with_unknown_authority,
    cas_without_intermediate,
    cas_without_protocol_3,
    cas_without_tls,
    http_at_tls_port,
    internal_url_is_other_program,
    logout_behind_login_page,
    logout_blocked,
    logout_redirected,
    newer_database,
    no_attributes,
    other_database,
    other_server_at_cas_name,
    proxy_drops_query,
    public_is_other_program,
    public_issuer_differs,
    public_issuer_path_differs,
    public_with_unknown_authority,
    registered_with_http,
    registered_without_query,
    service_unregistered,
    service_unregistered_at_apereo_7,
)
from tests.http.check_site import SECRET_KEY, Site, shared, site
from tests.support.bridge.live_bridge import free_port

__all__ = ["shared", "site"]  # fixtures

BROKEN = {
    "the host name of CAS does not resolve": BrokenSetup(
        lambda site: {"cas_url": "https://sso.nowhere.invalid/cas"}, "cas.name", ("sso.nowhere.invalid", "DNS")
    ),
    "CAS refuses the connection": BrokenSetup(
        lambda site: {"cas_url": f"https://localhost:{free_port()}/cas"}, "cas.port", ("refused", "PASSERELLE_CAS_URL")
    ),
    "the proxy for CAS is down": BrokenSetup(
        lambda site: {"cas_proxy": f"http://bridge:proxy-s3cret@127.0.0.1:{free_port()}"},
        "cas.port",
        ("PASSERELLE_CAS_PROXY", "refused"),
    ),
    "CAS responds after the limit of a sign-in": BrokenSetup(cas_responds_slowly, "cas.speed", ("took 5.", "502")),
    "the proxy in front of CAS drops the query": BrokenSetup(
        cas_proxy_drops_query, "cas.protocol", ("INVALID_REQUEST", "drops the query")
    ),
    "CAS is under maintenance": BrokenSetup(
        cas_in_maintenance, "cas.protocol", ("status 503", "may be correct", "Wait")
    ),
    "CAS rejects this machine": BrokenSetup(
        cas_rejects_this_machine, "cas.protocol", ("status 403", "rejects this machine", "allow the address")
    ),
    "our service is registered without its query": BrokenSetup(
        registered_without_query,
        "cas.service",
        ("without the query", "state=passerelle-check", r"in (\?.*)?", "=cookie"),
    ),
    "our service is registered as http": BrokenSetup(registered_with_http, "cas.service", ("registered as http,",)),
    "http is configured for the port of https": BrokenSetup(
        http_at_tls_port, "cas.port", ("speaks TLS", "Set PASSERELLE_CAS_URL=https://localhost:")
    ),
    "another server with its own certificate has the name of CAS": BrokenSetup(
        other_server_at_cas_name,
        "cas.certificate",
        ("is for router.local, not for localhost", "another server answers"),
    ),
    "CAS never responds": BrokenSetup(cas_never_responds, "cas.port", ("no response within 8 s", "curl")),
    "CAS speaks http where https is configured": BrokenSetup(
        cas_without_tls, "cas.port", ("TLS", "change https to http")
    ),
    "the certificate of CAS comes from an unknown authority": BrokenSetup(
        cas_with_unknown_authority, "cas.certificate", ("'Unknown Root'", "PASSERELLE_CAS_CA_FILE", "PEM")
    ),
    "CAS omits its intermediate certificate": BrokenSetup(
        cas_without_intermediate, "cas.certificate", ("'Forgotten Intermediate'", "full chain")
    ),
    "the certificate of CAS is for another host": BrokenSetup(
        cas_with_other_host_name, "cas.certificate", ("is for sso.example.org, not for localhost",)
    ),
    "the certificate of CAS has expired": BrokenSetup(
        cas_with_expired_certificate, "cas.certificate", ("expired on", "3 days ago", "Renew")
    ),
    "the CA file is no certificate": BrokenSetup(
        lambda site: {"cas_ca_file": __file__}, "cas.ca_file", ("PEM", "BEGIN CERTIFICATE")
    ),
    "the path of CAS is wrong": BrokenSetup(
        lambda site: {"cas_url": site.cas.url.replace("/cas", "/wrong")},
        "cas.protocol",
        ("status 404", "PASSERELLE_CAS_URL=https://localhost"),
    ),
    "http redirects to https": BrokenSetup(
        cas_redirects_to_https, "cas.redirect", ("requires https", "PASSERELLE_CAS_URL=https://")
    ),
    "our service is not registered": BrokenSetup(
        service_unregistered, "cas.service", ("not registered", "--message", r"/cas/callback(\?.*)?$")
    ),
    "our service is not registered and CAS fails for it": BrokenSetup(
        service_unregistered_at_apereo_7, "cas.service", ("not registered", "status 500", "--message")
    ),
    "the configured protocol is not supported, another is": BrokenSetup(
        cas_without_protocol_3, "cas.protocol", ("Protocol 3.0 is not supported", "PASSERELLE_CAS_PROTOCOL=2.0")
    ),
    "CAS accepts made-up tickets": BrokenSetup(cas_accepts_any_ticket, "cas.protocol", ("made-up", "Do not run")),
    "the clock of CAS is ten minutes off": BrokenSetup(
        cas_clock_behind, "cas.clock", ("10 minutes behind", "time synchronisation")
    ),
    "the internal URL leads to another program": BrokenSetup(
        internal_url_is_other_program, "cas.protocol", ("web page", "PASSERELLE_CAS_INTERNAL_URL")
    ),
    "the internal URL leads to a dead server": BrokenSetup(
        lambda site: {"cas_internal_url": f"http://127.0.0.1:{free_port()}/cas"},
        "cas.port",
        ("refused", "PASSERELLE_CAS_INTERNAL_URL"),
    ),
    "our public address serves another issuer": BrokenSetup(
        public_issuer_differs, "public.issuer", ("the port differs", "PASSERELLE_ISSUER")
    ),
    "the issuer served has another path": BrokenSetup(
        public_issuer_path_differs, "public.issuer", ("the path differs",)
    ),
    "our public address is another program": BrokenSetup(
        public_is_other_program, "public.program", ("web page", "DNS", "proxy")
    ),
    "the bridge behind the proxy is down": BrokenSetup(bridge_is_down, "public.program", ("502", "passerelle serve")),
    "our public address cannot be reached": BrokenSetup(
        lambda site: {"issuer": f"https://localhost:{free_port()}"}, "public.port", ("refused", "--no-public")
    ),
    "our certificate is not trusted": BrokenSetup(
        public_with_unknown_authority, "public.certificate", ("'Private CA'", "--ca-file")
    ),
    "the bridge there has another database": BrokenSetup(other_database, "public.bridge", ("another database", "keys")),
    "the proxy drops the query": BrokenSetup(proxy_drops_query, "public.query", ("does not reach", "nginx")),
    "the proxy blocks single logout": BrokenSetup(logout_blocked, "logout.reach", ("status 405", "Allow POST")),
    "single logout reaches a login page": BrokenSetup(logout_behind_login_page, "logout.reach", ("another program",)),
    "single logout is redirected": BrokenSetup(logout_redirected, "logout.reach", ("portal.example.org/login",)),
    "CAS releases no attributes": BrokenSetup(
        no_attributes, "attributes.released", ("no attribute", "displayName", "--message")
    ),
    "the database cannot be reached": BrokenSetup(
        lambda site: {"database_url": f"postgresql://bridge:db-s3cret@127.0.0.1:{free_port()}/bridge"},
        "database",
        ("refused", "Start it, or correct host"),
    ),
    "the database is of a newer version": BrokenSetup(
        newer_database, "database", ("newer version", "Install that version")
    ),
    "the secret key is from an example": BrokenSetup(
        lambda site: {
            "secret_key": "change-me-change-me-change-me-1234",
            "database_url": f"sqlite:///{site.folder}/none.sqlite3",
        },
        "secret_key",
        ("openssl rand -hex 32",),
    ),
    "the secret key does not match the database": BrokenSetup(
        lambda site: {"secret_key": SECRET_KEY[::-1]}, "secret_key", ("encrypted with another one", "former value")
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_setup_has_one_fault_with_remedy(site: Site, name: str) -> None:
    broken = BROKEN[name]
    settings = broken.prepare(site)
    registered = site.cas.registered
    site.cas.registered = f"{settings.get('issuer', site.front.url)}/cas/callback"

    checked = site.run_check("--json", **settings)
    site.cas.registered = registered

    assert checked.of_level("FAULT") == {broken.fault}, checked.stdout + checked.stderr
    assert checked.status == 1
    found = checked.findings[broken.fault]
    text = " ".join((found["seen"], found["means"], found["do"]))
    for words in broken.words:
        assert words in text
    assert all((found["seen"], found["means"], found["do"]))
    assert "s3cret" not in checked.stdout + checked.stderr
    assert SECRET_KEY not in checked.stdout
