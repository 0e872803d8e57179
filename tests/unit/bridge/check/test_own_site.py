"""What `passerelle check` says of our own certificate, of files with authorities, and in the bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from bridge.check.authorities import certificates_in, fault_of_ca_file
from bridge.check.certificates import Certificate, Trust, judge_untrusted
from bridge.check.findings import fault, ok
from bridge.check.installation import judge_ca_file
from bridge.check.own_address import OurTrust
from bridge.check.probe import Place, Trouble, ask
from bridge.check.public import judge_own_certificate
from bridge.check.reach import Server, judge_trouble
from bridge.cli.check_output import settings_text
from tests.support.bridge.checked_site import Issuer
from tests.support.bridge.live_bridge import free_port

HOST, NOW = "auth.example.org", 1_800_000_000.0
LEAF = Certificate(subject=HOST, issuer="Institution CA", names=(HOST,), begins=NOW - 9, ends=NOW + 9e6)
TRUST = Trust(whose="this site", setting="--ca-file", now=NOW, is_ours=True)
SERVER = Server(about="public", name="This site", setting="PASSERELLE_ISSUER", remedy="Look.")


@pytest.mark.parametrize(("issuer", "level"), [(HOST, "FAULT"), ("Institution CA", "warning")])
def test_a_certificate_of_our_own_edge_is_ours_to_replace(issuer: str, level: str) -> None:
    found = judge_own_certificate("public.certificate", HOST, replace(LEAF, issuer=issuer))

    assert found.level == level
    assert "deployment/certs/server.crt" in found.do
    assert found.to_cas is None


@pytest.mark.parametrize("is_ours", [True, False])
def test_an_unknown_authority_is_asked_of_others_only_when_it_is_theirs(is_ours: bool) -> None:
    trust = replace(TRUST, is_ours=is_ours)
    found = judge_untrusted("public.certificate", HOST, [replace(LEAF, issuer=HOST)], "self-signed certificate", trust)

    assert ("from those who run it" in found.do) is not is_ours
    assert ("CAS and browsers have to trust it too" in found.do) is is_ours


def test_for_our_own_address_the_authorities_of_cas_are_tried_unless_others_are_named(tmp_path: Path) -> None:
    authority, broken = Issuer(tmp_path, "Institution CA").ca_file, tmp_path / "broken.pem"
    broken.write_text("x")

    assert OurTrust(cas_ca_file=authority).file_and_setting == (authority, "PASSERELLE_CAS_CA_FILE")
    assert OurTrust(cas_ca_file=broken).file_and_setting == (None, "--ca-file")
    assert OurTrust(option=broken, cas_ca_file=authority).file_and_setting == (broken, "--ca-file")


def test_the_certificates_of_a_file_are_found_and_a_file_without_any_holds_none(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path, "Institution CA")

    assert [one.subject for one in certificates_in(issuer.ca_file)] == ["Institution CA"]
    assert certificates_in(tmp_path / "missing.pem") == []
    assert certificates_in(Path(__file__)) == []


def test_a_file_in_der_form_is_told_with_the_command_that_makes_pem_of_it(tmp_path: Path) -> None:
    der = tmp_path / "ca.der"
    der.write_bytes(Issuer(tmp_path, "Institution CA").certificate.public_bytes(Encoding.DER))
    reason = fault_of_ca_file(der)
    found = judge_ca_file("cas.ca_file", "PASSERELLE_CAS_CA_FILE", der, reason, is_needed=None)

    assert found is not None
    assert "openssl x509 -inform der -in FILE -out FILE.pem" in found.do


def test_a_file_that_docker_made_a_directory_of_is_told_as_such(tmp_path: Path) -> None:
    reason = fault_of_ca_file(tmp_path)
    found = judge_ca_file("cas.ca_file", "PASSERELLE_CAS_CA_FILE", tmp_path, reason, is_needed=None)

    assert found is not None
    assert "Is a directory; Docker creates a directory for a missing file" in found.seen


def test_the_own_certificate_of_cas_as_its_authority_is_worth_a_note() -> None:
    found = judge_ca_file("cas.ca_file", "X", Path("x"), None, is_needed=True, holds_its_own=True)

    assert found is not None
    assert (found.level, "renewed" in found.means) == ("note", True)
    assert judge_ca_file("cas.ca_file", "X", Path("x"), None, is_needed=True) is None


@pytest.mark.parametrize(
    ("numbers", "shown", "is_itself"),
    [
        (("127.0.0.1",), True, True),
        (("::1", "127.0.0.1"), True, True),
        (("192.0.2.7",), True, False),
        ((), False, False),
    ],
)
def test_the_address_that_did_not_answer_is_shown(numbers: tuple[str, ...], shown: bool, is_itself: bool) -> None:
    trouble = Trouble(url=f"https://{HOST}", kind="refused", detail="Connection refused", numbers=numbers)
    found = judge_trouble(SERVER, Place(url=f"https://{HOST}"), trouble, [], TRUST)

    assert (f"{HOST}:443 ({', '.join(numbers)})" in found.seen) is shown
    assert ("the container itself" in found.means) is is_itself


def test_the_address_of_a_refused_connection_is_found_out() -> None:
    answer = ask(Place(url=f"http://localhost:{free_port()}"), seconds=2)

    assert isinstance(answer, Trouble)
    assert answer.kind == "refused"
    assert "127.0.0.1" in answer.numbers


@pytest.mark.parametrize("in_bundle", [True, False])
def test_in_the_bundle_it_is_said_where_the_settings_are(in_bundle: bool) -> None:
    wrong = fault("settings", "PASSERELLE_CAS_URL: is required", "The bridge does not start.", "Correct it.")

    assert ("are in .env here" in settings_text([wrong], in_bundle=in_bundle)) is in_bundle
    assert ".env" not in settings_text([ok("settings", "Well.")], in_bundle=in_bundle)
