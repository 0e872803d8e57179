"""`passerelle check` in the bundle: our own certificate, and settings that have other names there."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.http.check_site import Checked, Site, shared, site
from tests.support.bridge.checked_site import Issuer
from tests.support.bridge.live_bridge import PASSERELLE, LiveBridge
from tests.support.certificates import write_certificate

__all__ = ["shared", "site"]  # fixtures


def checks(site: Site, *options: str, edge: Path | None = None, **settings: str) -> Checked:
    """Without --ca-file, as compose.yml lets it run."""
    given = {f"PASSERELLE_{name.upper()}": value for name, value in settings.items()}
    environment = site.bridge.environment | given | {"LANG": "C.UTF-8", "COLUMNS": "100"}
    environment |= {"EDGE_CERT_FILE": str(edge)} if edge else {}
    command = [PASSERELLE, "check", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
    return Checked(done.returncode, done.stdout, done.stderr)


def self_signed(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate that is its own authority, and a server's side of TLS with it."""
    write_certificate(folder, ["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    return folder / "server.crt", context


@contextmanager
def shown(site: Site, tls: ssl.SSLContext) -> Iterator[None]:
    """The site's own proxy shows another certificate."""

    def other(connection: ssl.SSLObject, name: str | None, usual: ssl.SSLContext) -> None:
        connection.context = tls

    assert site.front.tls is not None
    site.front.tls.sni_callback = other
    yield
    site.front.tls.sni_callback = None


def test_the_authority_of_cas_is_ours_too_without_being_named_twice(site: Site) -> None:
    checked = checks(site, "--json")

    assert checked.status == 0, checked.stdout
    assert "trusted by PASSERELLE_CAS_CA_FILE" in checked.findings["public.certificate"]["seen"]


def test_a_certificate_that_the_deployment_made_itself_is_known_as_such_and_the_rest_is_asked(
    site: Site, tmp_path: Path
) -> None:
    edge, tls = self_signed(tmp_path)
    with shown(site, tls):
        checked = checks(site, "--json", edge=edge)

    assert checked.of_level("FAULT") == {"public.certificate"}
    assert "this deployment's own" in checked.findings["public.certificate"]["seen"]
    assert "deployment/certs/server.crt" in checked.findings["public.certificate"]["do"]
    assert checked.of_level("ok") >= {"public.issuer", "public.bridge", "logout.reach"}


def test_an_own_certificate_of_an_authority_unknown_here_is_a_warning_and_the_rest_is_asked(
    site: Site, tmp_path: Path
) -> None:
    issuer = Issuer(tmp_path, "Campus Root")
    tls = issuer.server("localhost")
    (leaf,) = tmp_path.glob("localhost-*.pem")
    with shown(site, tls):
        checked = checks(site, "--json", edge=leaf)

    assert (checked.status, checked.of_level("warning")) == (0, {"public.certificate"}), checked.stdout
    assert "'Campus Root'" in checked.findings["public.certificate"]["seen"]
    assert checked.of_level("ok") >= {"public.issuer", "public.bridge", "logout.reach"}


def test_a_strangers_certificate_at_our_address_stays_a_fault(site: Site, tmp_path: Path) -> None:
    edge, _ = self_signed(tmp_path)
    (tmp_path / "other").mkdir()
    _, tls = self_signed(tmp_path / "other")
    with shown(site, tls):
        checked = checks(site, "--json", edge=edge)

    assert checked.of_level("FAULT") == {"public.certificate"}
    assert "this deployment's own" not in checked.findings["public.certificate"]["seen"]
    assert "from those who run it" not in checked.findings["public.certificate"]["do"]


def test_the_own_certificate_of_cas_as_ca_file_is_a_note(site: Site, tmp_path: Path) -> None:
    file, tls = self_signed(tmp_path)
    checked = site.checks("--json", "--no-public", cas_url=site.new_cas(tls=tls).url, cas_ca_file=file)

    assert checked.status == 0, checked.stdout
    assert checked.findings["cas.ca_file"]["level"] == "note"
    assert "renewed" in checked.findings["cas.ca_file"]["means"]


@pytest.mark.parametrize("is_edge_known", [True, False])
def test_where_the_settings_are_is_said_in_the_bundle(site: Site, tmp_path: Path, is_edge_known: bool) -> None:
    edge = tmp_path / "server.crt" if is_edge_known else None
    for settings in ({"cas_protocol": "4.0"}, {"cas_url": "http://localhost:1/cas", "cas_ca_file": ""}):
        said = " ".join(checks(site, "--no-public", edge=edge, **settings).stdout.split())
        assert ("PASSERELLE_CAS_… and PASSERELLE_SINGLE_LOGOUT_… are in .env here" in said) is is_edge_known


def test_json_has_the_same_keys_whatever_the_settings(site: Site) -> None:
    well, faulty = site.checks("--json", "--no-public").report, checks(site, "--json", issuer="x").report

    assert well.keys() == faulty.keys() >= {"version", "issuer", "findings", "faults", "message"}
    assert (faulty["issuer"], faulty["message"], faulty["faults"]) == (None, None, 1)
    assert well["version"] == faulty["version"]
    assert all("to_cas" in one for one in [*well["findings"], *faulty["findings"]])


def test_json_has_what_is_to_be_told_to_cas(site: Site) -> None:
    site.cas.registered = "https://somebody.else.example.org/"
    try:
        found = site.checks("--json", "--no-public").findings["cas.service"]
    finally:
        site.cas.registered = f"{site.front.url}/cas/callback"

    told = json.loads(json.dumps(found))["to_cas"]
    assert set(told) == {"en", "fr"}


def test_the_message_alone_does_not_ask_our_own_address(site: Site) -> None:
    checked = site.checks("--message", issuer="https://auth.nowhere.invalid")

    assert "https://auth.nowhere.invalid/cas/logout" in checked.stdout


@pytest.mark.parametrize("has_client", [True, False])
def test_the_start_warns_of_no_application_only_when_there_is_none(tmp_path: Path, has_client: bool) -> None:
    bridge = LiveBridge(tmp_path, cas_url="http://127.0.0.1:1/cas", clients=[])
    if has_client:
        add = [PASSERELLE, "clients", "add", "Wiki", "--redirect-uri", "https://wiki.example.org/callback"]
        subprocess.run(add, env=bridge.environment, capture_output=True, timeout=60, check=True)
    with bridge:
        assert ('"event": "no_clients"' in bridge.log) is not has_client
