"""`passerelle check` in the bundle: certificate of the edge, and names of settings."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.http.check_site import Checked, Site, shared, site
from tests.support.bridge.checked_site import Issuer
from tests.support.bridge.command_forks import Call, Command
from tests.support.bridge.live_bridge import LiveBridge
from tests.support.certificates import write_certificate

__all__ = ["shared", "site"]  # fixtures


def run_check(site: Site, *options: str, edge: Path | None = None, **settings: str) -> Checked:
    """Run the command without --ca-file, as compose.yml does."""
    given = {f"PASSERELLE_{name.upper()}": value for name, value in settings.items()}
    return site.run("check", *options, **given, **({"EDGE_CERT_FILE": str(edge)} if edge else {}))


def self_signed(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Return a self-signed certificate and a server TLS context with it."""
    write_certificate(folder, ["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    return folder / "server.crt", context


@contextmanager
def with_certificate(site: Site, tls: ssl.SSLContext) -> Iterator[None]:
    """Make the proxy of the site present another certificate."""

    def other(connection: ssl.SSLObject, name: str | None, usual: ssl.SSLContext) -> None:
        connection.context = tls

    assert site.front.tls is not None
    site.front.tls.sni_callback = other
    yield
    site.front.tls.sni_callback = None


def test_ca_file_of_cas_is_used_for_public_address(site: Site) -> None:
    checked = run_check(site, "--json")

    assert checked.status == 0, checked.stdout
    assert "trusted by PASSERELLE_CAS_CA_FILE" in checked.findings["public.certificate"]["seen"]


def test_self_signed_edge_certificate_is_only_fault(site: Site, tmp_path: Path) -> None:
    edge, tls = self_signed(tmp_path)
    with with_certificate(site, tls):
        checked = run_check(site, "--json", edge=edge)

    assert checked.of_level("FAULT") == {"public.certificate"}
    assert "this deployment's own" in checked.findings["public.certificate"]["seen"]
    assert "deployment/certs/server.crt" in checked.findings["public.certificate"]["do"]
    assert checked.of_level("ok") >= {"public.issuer", "public.bridge", "logout.reach"}


def test_edge_certificate_of_unknown_authority_is_warning(site: Site, tmp_path: Path) -> None:
    issuer = Issuer(tmp_path, "Campus Root")
    tls = issuer.server("localhost")
    (leaf,) = tmp_path.glob("localhost-*.pem")
    with with_certificate(site, tls):
        checked = run_check(site, "--json", edge=leaf)

    assert (checked.status, checked.of_level("warning")) == (0, {"public.certificate"}), checked.stdout
    assert "'Campus Root'" in checked.findings["public.certificate"]["seen"]
    assert checked.of_level("ok") >= {"public.issuer", "public.bridge", "logout.reach"}


def test_certificate_of_other_server_is_fault(site: Site, tmp_path: Path) -> None:
    edge, _ = self_signed(tmp_path)
    (tmp_path / "other").mkdir()
    _, tls = self_signed(tmp_path / "other")
    with with_certificate(site, tls):
        checked = run_check(site, "--json", edge=edge)

    assert checked.of_level("FAULT") == {"public.certificate"}
    assert "this deployment's own" not in checked.findings["public.certificate"]["seen"]
    assert "from its administrators" not in checked.findings["public.certificate"]["do"]


def test_server_certificate_of_cas_as_ca_file_is_note(site: Site, tmp_path: Path) -> None:
    file, tls = self_signed(tmp_path)
    checked = site.run_check("--json", "--no-public", cas_url=site.new_cas(tls=tls).url, cas_ca_file=file)

    assert checked.status == 0, checked.stdout
    assert checked.findings["cas.ca_file"]["level"] == "note"
    assert "renewed" in checked.findings["cas.ca_file"]["means"]


@pytest.mark.parametrize("is_edge_known", [True, False])
def test_bundle_report_explains_where_settings_are(site: Site, tmp_path: Path, is_edge_known: bool) -> None:
    edge = tmp_path / "server.crt" if is_edge_known else None
    for settings in ({"cas_protocol": "4.0"}, {"cas_url": "http://localhost:1/cas", "cas_ca_file": ""}):
        text = " ".join(run_check(site, "--no-public", edge=edge, **settings).stdout.split())
        assert ("PASSERELLE_CAS_… settings are in .env" in text) is is_edge_known


def test_json_always_has_the_same_keys(site: Site) -> None:
    valid, invalid = site.run_check("--json", "--no-public").report, run_check(site, "--json", issuer="x").report

    assert valid.keys() == invalid.keys() >= {"version", "issuer", "findings", "faults", "message"}
    assert (invalid["issuer"], invalid["message"], invalid["faults"]) == (None, None, 1)
    assert valid["version"] == invalid["version"]
    assert all("to_cas" in one for one in [*valid["findings"], *invalid["findings"]])


def test_json_has_sentence_for_cas_in_each_language(site: Site) -> None:
    site.cas.registered = "https://other.example.org/"
    try:
        found = site.run_check("--json", "--no-public").findings["cas.service"]
    finally:
        site.cas.registered = f"{site.front.url}/cas/callback"

    to_cas = json.loads(json.dumps(found))["to_cas"]
    assert set(to_cas) == {"en", "fr"}


def test_message_option_skips_public_address(site: Site) -> None:
    checked = site.run_check("--message", issuer="https://auth.nowhere.invalid")

    assert "https://auth.nowhere.invalid/cas/logout" in checked.stdout


@pytest.mark.parametrize("has_client", [True, False])
def test_serve_warns_only_without_any_client(tmp_path: Path, has_client: bool) -> None:
    bridge = LiveBridge(tmp_path, cas_url="http://127.0.0.1:1/cas", clients=[])
    if has_client:
        words = ["clients", "add", "Wiki", "--redirect-uri", "https://wiki.example.org/callback"]
        add = Command(Call(words=words, folder=tmp_path, environment=bridge.environment), tmp_path / "output")
        assert add.wait().status == 0
    with bridge:
        assert ('"event": "no_clients"' in bridge.log) is not has_client
