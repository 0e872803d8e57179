"""What `passerelle check` makes of answers, without the network."""

from __future__ import annotations

import re

import pytest

from bridge.check.certificates import Certificate, judge_trusted, judge_untrusted, read_certificate
from bridge.check.findings import duration, listed, plain
from bridge.check.probe import Answer, Trouble
from bridge.check.protocols import (
    ProbeResult,
    Way,
    hear,
    is_kept_out,
    judge_kept_out,
    judge_protocols,
    judge_redirect,
)
from tests.support.bridge.check_values import DAY, NOTHING, NOW, SERVICE, TRUST, answer, certificate
from tests.support.cas import cas_xml


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 seconds"), (1, "1 second"), (60, "1 minute"), (90, "90 seconds"), (600, "10 minutes"), (-7200, "2 hours")],
)
def test_a_length_of_time_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_what_a_server_says_cannot_steer_a_terminal_or_fill_it() -> None:
    said = plain("a\x1b[2J\r\nb\u202e" + "x" * 1000)
    assert said.startswith("a?[2J b?xxx")
    assert len(said) <= 201
    assert listed((str(number) for number in range(20)), most=3) == "0, 1, 2 and 17 more"


@pytest.mark.parametrize(("days", "level"), [(13.9, "warning"), (14.1, "ok")])
def test_a_certificate_that_soon_expires_is_a_warning_with_its_date(days: float, level: str) -> None:
    found = judge_trusted("c", "sso.example.org", certificate(ends=NOW + days * DAY), TRUST)
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
        ([certificate(issuer="sso")], "self-signed certificate", "is its own authority"),
        ([certificate(), certificate(subject="CA")], "self-signed certificate in certificate chain", "authority 'CA'"),
        ([certificate()], "unable to get local issuer certificate", "issued by 'CA'"),
        ([certificate(), certificate(subject="CA", issuer="Root")], "unable to get issuer certificate", "by 'Root'"),
        ([], "certificate revoked", "certificate revoked"),
        ([certificate()], "EE certificate key too weak", "key too weak"),
    ],
)
def test_why_a_certificate_is_not_trusted(chain: list[Certificate], openssl: str, words: str) -> None:
    found = judge_untrusted("c", "sso.example.org", chain, openssl, TRUST)
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
def test_a_certificate_for_another_host_is_seen_before_its_authority(host: str, name: str, is_for: bool) -> None:
    found = judge_untrusted("c", host, [certificate(names=(name,))], "unable to get local issuer certificate", TRUST)
    assert ("not for" not in found.seen) is is_for


@pytest.mark.parametrize("der", [b"", b"\x30", b"no certificate", b"\x30\x82" + bytes(500)])
def test_bytes_that_are_no_certificate_are_none(der: bytes) -> None:
    assert read_certificate(der) is None


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (answer(body=cas_xml.failure("INVALID_TICKET")), "speaks"),
        (answer(body=cas_xml.failure("INTERNAL_ERROR")), "speaks"),
        (answer(body=cas_xml.failure("UNAUTHORIZED_SERVICE")), "refuses_service"),
        (answer(body=b"no\n\n"), "speaks"),
        (answer(body=b'{"serviceResponse":{"authenticationFailure":{"code":"INVALID_TICKET"}}}'), "speaks"),
        (answer(body=cas_xml.success()), "accepts"),
        (answer(body=b"yes\nalice\n"), "accepts"),
        (answer(body=b"<html>hello</html>"), "else"),
        (answer(body=b""), "else"),
        (answer(body=b"\xff" * 300_000), "else"),
        (answer(404, cas_xml.failure("INVALID_TICKET")), "else"),
        (answer(302, location="https://sso.example.org/"), "redirects"),
        (NOTHING, "else"),
    ],
)
def test_what_an_answer_to_a_made_up_ticket_amounts_to(given: Answer | Trouble, verdict: str) -> None:
    assert hear(given, "3.0", SERVICE).verdict == verdict


@pytest.mark.parametrize(
    ("code", "level", "words"),
    [
        ("INVALID_TICKET", "ok", "as it should be"),
        ("INVALID_REQUEST", "FAULT", "do not arrive"),
        ("INTERNAL_ERROR", "warning", "INTERNAL_ERROR"),
        ("INVALID_PROXY_CALLBACK", "warning", "INVALID_PROXY_CALLBACK"),
        ("UNAUTHORIZED_SERVICE", "warning", "UNAUTHORIZED_SERVICE"),
        ("", "warning", "no code"),
    ],
)
def test_only_an_unknown_ticket_is_the_right_reason_to_refuse_one(code: str, level: str, words: str) -> None:
    said = hear(answer(body=cas_xml.failure(code)), "3.0", SERVICE)
    found = judge_protocols("p", {"3.0": said}, "3.0", setting="S")
    assert (found.level, words in found.seen) == (level, True), found


def test_protocol_1_0_gives_no_reason_so_another_way_is_believed() -> None:
    lost = hear(answer(body=cas_xml.failure("INVALID_REQUEST")), "2.0", SERVICE)
    found = judge_protocols("p", {**heard("1.0"), "2.0": lost}, "1.0", setting="S")
    assert (found.level, "do not arrive" in found.seen) == ("FAULT", True)


@pytest.mark.parametrize(
    ("status", "words"),
    [(503, "down or being maintained"), (500, "down"), (403, "refuses this machine"), (429, "asked too much")],
)
def test_a_status_that_says_nothing_of_the_address_does_not_blame_it(status: int, words: str) -> None:
    assert is_kept_out(status)
    found = judge_kept_out("p", hear(answer(status), "3.0", SERVICE))
    assert (found.level, words in found.means) == ("FAULT", True), found
    assert not any(map(is_kept_out, (200, 302, 400, 404, 405)))


def test_saml_is_not_said_to_give_no_attributes() -> None:
    found = judge_protocols("p", heard("3.0", "saml1.1"), "saml1.1", setting="S")
    assert (found.level, "Both give attributes" in found.means) == ("note", True)


def test_xml_is_no_json() -> None:
    assert hear(answer(body=cas_xml.failure("INVALID_TICKET")), "json", SERVICE).verdict == "else"


def heard(*ways: Way) -> dict[Way, ProbeResult]:
    everything: tuple[Way, ...] = ("3.0", "2.0", "saml1.1", "1.0", "json")
    return {
        way: ProbeResult(verdict="speaks" if way in ways else "else", detail="status 404", url=f"https://sso/{way}")
        for way in everything
    }


@pytest.mark.parametrize(
    ("spoken", "configured", "level", "words"),
    [
        (("3.0", "2.0", "1.0", "json"), "3.0", "ok", "also 2.0, 1.0, JSON"),
        (("2.0", "1.0"), "3.0", "FAULT", "PASSERELLE_CAS_PROTOCOL=2.0"),
        (("saml1.1", "1.0"), "3.0", "FAULT", "PASSERELLE_CAS_PROTOCOL=saml1.1"),
        (("1.0",), "3.0", "FAULT", "no attributes"),
        (("3.0",), "1.0", "FAULT", "PASSERELLE_CAS_PROTOCOL=3.0"),
        (("3.0", "1.0"), "1.0", "note", "PASSERELLE_CAS_PROTOCOL=3.0"),
        (("2.0", "1.0"), "2.0", "ok", "also 1.0"),
        ((), "3.0", "FAULT", "without, /login"),
    ],
)
def test_the_protocol_to_set_is_the_best_that_is_answered(
    spoken: tuple[Way, ...], configured: Way, level: str, words: str
) -> None:
    found = judge_protocols("p", heard(*spoken), configured, setting="PASSERELLE_CAS_URL")
    assert (found.level, words in found.seen + found.do) == (level, True), found


def test_json_that_is_asked_for_and_not_given_is_a_note() -> None:
    found = judge_protocols("p", heard("3.0"), "3.0", setting="PASSERELLE_CAS_URL", wants_json=True)
    assert found.level == "note"


@pytest.mark.parametrize(
    ("location", "do"),
    [
        ("https://sso.example.org/cas/p3/serviceValidate?ticket=ST-1", "Set S=https://sso.example.org/cas"),
        ("https://new.example.org/idp/p3/serviceValidate", "Set S=https://new.example.org/idp"),
        ("/login", "Set S to the address that it leads to."),
    ],
)
def test_a_redirect_is_configured_away(location: str, do: str) -> None:
    said = ProbeResult(
        verdict="redirects", detail="", url="http://sso.example.org/cas/p3/serviceValidate", location=location
    )
    found = judge_redirect("r", "http://sso.example.org/cas", said, "S")
    assert (found.level, found.do) == ("FAULT", do)
    assert "ST-1" not in found.seen
