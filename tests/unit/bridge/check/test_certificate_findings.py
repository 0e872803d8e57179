"""Findings about certificates and CA files."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from bridge.check.certificate_findings import evaluate_ca_file, evaluate_trusted, evaluate_untrusted, unusable_ca_file
from bridge.check.certificates import Certificate, TrustConfig, ca_file_error, parse_certificate, read_certificates
from bridge.check.public_address import choose_ca_file
from bridge.check.public_findings import evaluate_edge_certificate
from tests.support.bridge.check_values import DAY, NOW, TRUST, certificate
from tests.support.bridge.checked_site import Issuer

HOST = "auth.example.org"

LEAF = Certificate(subject=HOST, issuer="Institution CA", names=(HOST,), begins=NOW - 9, ends=NOW + 9e6)

OUR_TRUST = TrustConfig(owner="this site", setting="--ca-file", now=NOW, is_ours=True)


@pytest.mark.parametrize(("days", "level"), [(13.9, "warning"), (14.1, "ok")])
def test_certificate_expiring_soon_is_warning_with_date(days: float, level: str) -> None:
    found = evaluate_trusted("c", "sso.example.org", certificate(ends=NOW + days * DAY), TRUST)
    assert found.level == level
    assert re.search(r"20\d\d-\d\d-\d\d", found.seen)


@pytest.mark.parametrize(
    ("chain", "openssl", "words"),
    [
        ([certificate(ends=NOW - 1)], "certificate has expired", "expired on"),
        # OpenSSL names one reason, and here a lesser one.
        ([certificate(ends=NOW - 1)], "unable to get local issuer certificate", "expired on"),
        ([certificate(begins=NOW + DAY)], "certificate is not yet valid", "valid only from"),
        ([certificate(names=("router.local",))], "self-signed certificate", "is for router.local, not for sso.exa"),
        ([certificate(names=("x",), ends=NOW - 1)], "certificate has expired", "is for x, not for sso.example.org"),
        ([certificate(names=())], "Hostname mismatch", "no host name at all"),
        ([certificate(issuer="sso")], "self-signed certificate", "is self-signed"),
        ([certificate(), certificate(subject="CA")], "self-signed certificate in certificate chain", "authority 'CA'"),
        ([certificate()], "unable to get local issuer certificate", "issued by 'CA'"),
        ([certificate(), certificate(subject="CA", issuer="Root")], "unable to get issuer certificate", "by 'Root'"),
        ([], "certificate revoked", "certificate revoked"),
        ([certificate()], "EE certificate key too weak", "key too weak"),
    ],
)
def test_untrusted_certificate_has_reason(chain: list[Certificate], openssl: str, words: str) -> None:
    found = evaluate_untrusted("c", "sso.example.org", chain, openssl, TRUST)
    assert found.level == "FAULT"
    assert words in found.seen
    assert found.do


@pytest.mark.parametrize(
    ("host", "name", "is_for"),
    [
        ("SSO.example.org", "sso.Example.org", True),
        ("sso.example.org", "*.example.org", True),
        ("example.org", "*.example.org", False),
        ("a.sso.example.org", "*.example.org", False),
        ("::1", "0:0:0:0:0:0:0:1", True),
        ("10.0.0.1", "*.0.0.1", False),
        ("10.0.0.1", "10.0.0.2", False),
        ("localhost", "sso.example.org", False),
    ],
)
def test_wrong_host_precedes_unknown_authority(host: str, name: str, is_for: bool) -> None:
    found = evaluate_untrusted("c", host, [certificate(names=(name,))], "unable to get local issuer certificate", TRUST)
    assert ("not for" not in found.seen) is is_for


@pytest.mark.parametrize("der", [b"", b"\x30", b"no certificate", b"\x30\x82" + bytes(500)])
def test_malformed_certificate_is_none(der: bytes) -> None:
    assert parse_certificate(der) is None


@pytest.mark.parametrize(("issuer", "level"), [(HOST, "FAULT"), ("Institution CA", "warning")])
def test_edge_certificate_names_file_to_replace(issuer: str, level: str) -> None:
    found = evaluate_edge_certificate(HOST, replace(LEAF, issuer=issuer))

    assert found.level == level
    assert "deployment/certs/server.crt" in found.do
    assert found.to_cas is None


@pytest.mark.parametrize("is_ours", [True, False])
def test_unknown_authority_remedy_depends_on_owner(is_ours: bool) -> None:
    trust = replace(OUR_TRUST, is_ours=is_ours)
    found = evaluate_untrusted(
        "public.certificate", HOST, [replace(LEAF, issuer=HOST)], "self-signed certificate", trust
    )

    assert ("from its administrators" in found.do) is not is_ours
    assert ("CAS and browsers must trust it too" in found.do) is is_ours


def test_ca_option_overrides_ca_file_of_cas(tmp_path: Path) -> None:
    authority, broken = Issuer(tmp_path, "Institution CA").ca_file, tmp_path / "broken.pem"
    broken.write_text("x")

    assert choose_ca_file(None, authority) == (authority, "PASSERELLE_CAS_CA_FILE")
    assert choose_ca_file(None, broken) == (None, "--ca-file")
    assert choose_ca_file(broken, authority) == (broken, "--ca-file")


def test_read_certificates_of_file(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path, "Institution CA")

    assert [one.subject for one in read_certificates(issuer.ca_file)] == ["Institution CA"]
    assert read_certificates(tmp_path / "missing.pem") == []
    assert read_certificates(Path(__file__)) == []


def test_der_file_has_conversion_command(tmp_path: Path) -> None:
    der = tmp_path / "ca.der"
    der.write_bytes(Issuer(tmp_path, "Institution CA").certificate.public_bytes(Encoding.DER))
    error = ca_file_error(der)
    found = unusable_ca_file("cas.ca_file", "PASSERELLE_CAS_CA_FILE", der, error)

    assert "openssl x509 -inform der -in FILE -out FILE.pem" in found.do


def test_directory_made_by_docker_is_explained(tmp_path: Path) -> None:
    error = ca_file_error(tmp_path)
    found = unusable_ca_file("cas.ca_file", "PASSERELLE_CAS_CA_FILE", tmp_path, error)

    assert "Is a directory; Docker creates a directory for a missing file" in found.seen


def test_server_certificate_as_ca_file_is_note() -> None:
    found = evaluate_ca_file("cas.ca_file", "X", is_needed=True, holds_server_certificate=True)

    assert found is not None
    assert (found.level, "renewed" in found.means) == ("note", True)
    assert evaluate_ca_file("cas.ca_file", "X", is_needed=True, holds_server_certificate=False) is None
