"""Classification of CAS responses to a made-up ticket."""

from __future__ import annotations

import pytest

from bridge.check.probe import Failure, Response
from bridge.check.protocols import (
    ProbeResult,
    ProtocolName,
    classify_response,
    evaluate_blocked,
    evaluate_protocols,
    evaluate_redirect,
    is_blocked,
    redirected_base,
)
from tests.support.bridge.check_values import NO_RESPONSE, SERVICE, response
from tests.support.cas import cas_xml


@pytest.mark.parametrize(
    ("received", "verdict"),
    [
        (response(body=cas_xml.failure("INVALID_TICKET")), "supported"),
        (response(body=cas_xml.failure("INTERNAL_ERROR")), "supported"),
        (response(body=cas_xml.failure("UNAUTHORIZED_SERVICE")), "service_rejected"),
        (response(body=b"no\n\n"), "supported"),
        (response(body=b'{"serviceResponse":{"authenticationFailure":{"code":"INVALID_TICKET"}}}'), "supported"),
        (response(body=cas_xml.success()), "ticket_accepted"),
        (response(body=b"yes\nalice\n"), "ticket_accepted"),
        (response(body=b"<html>hello</html>"), "unsupported"),
        (response(body=b""), "unsupported"),
        (response(body=b"\xff" * 300_000), "unsupported"),
        (response(404, cas_xml.failure("INVALID_TICKET")), "supported"),
        (response(400, cas_xml.KEYCLOAK_FAILURE), "supported"),
        (response(400, cas_xml.KEYCLOAK_UNKNOWN_FORM), "supported"),
        (response(400, b"no\n"), "supported"),
        (response(403, cas_xml.failure("INVALID_REQUEST", "HTTPS required")), "service_rejected"),
        (response(400, cas_xml.success()), "unsupported"),
        (response(500, cas_xml.KEYCLOAK_FAILURE), "unsupported"),
        (response(404, b"<html>no such page</html>"), "unsupported"),
        (response(302, location="https://sso.example.org/"), "redirect"),
        (NO_RESPONSE, "unsupported"),
    ],
)
def test_response_to_made_up_ticket_is_classified(received: Response | Failure, verdict: str) -> None:
    assert classify_response(received, "3.0", SERVICE).verdict == verdict


@pytest.mark.parametrize(
    ("code", "level", "words"),
    [
        ("INVALID_TICKET", "ok", "as it should"),
        ("INVALID_REQUEST", "FAULT", "do not arrive"),
        ("INTERNAL_ERROR", "warning", "INTERNAL_ERROR"),
        ("INVALID_PROXY_CALLBACK", "warning", "INVALID_PROXY_CALLBACK"),
        ("UNAUTHORIZED_SERVICE", "warning", "UNAUTHORIZED_SERVICE"),
        ("", "warning", "no code"),
    ],
)
def test_only_invalid_ticket_code_is_ok(code: str, level: str, words: str) -> None:
    result = classify_response(response(body=cas_xml.failure(code)), "3.0", SERVICE)
    found = evaluate_protocols({"3.0": result}, "3.0", setting="S")
    assert (found.level, words in found.seen) == (level, True), found


def test_protocol_1_0_uses_code_of_other_protocol() -> None:
    lost = classify_response(response(body=cas_xml.failure("INVALID_REQUEST")), "2.0", SERVICE)
    found = evaluate_protocols({**results_for("1.0"), "2.0": lost}, "1.0", setting="S")
    assert (found.level, "do not arrive" in found.seen) == ("FAULT", True)


@pytest.mark.parametrize(
    ("status", "words"),
    [(503, "down or under maintenance"), (500, "down"), (403, "rejects this machine"), (429, "limits requests")],
)
def test_blocked_status_does_not_blame_url(status: int, words: str) -> None:
    assert is_blocked(status)
    found = evaluate_blocked(classify_response(response(status), "3.0", SERVICE))
    assert (found.level, words in found.means) == ("FAULT", True), found
    assert not any(map(is_blocked, (200, 302, 400, 404, 405)))


def test_saml_note_mentions_its_attributes() -> None:
    found = evaluate_protocols(results_for("3.0", "saml1.1"), "saml1.1", setting="S")
    assert (found.level, "Both return attributes" in found.means) == ("note", True)


def test_xml_is_not_classified_as_json() -> None:
    assert classify_response(response(body=cas_xml.failure("INVALID_TICKET")), "json", SERVICE).verdict == "unsupported"


def results_for(*ways: ProtocolName) -> dict[ProtocolName, ProbeResult]:
    everything: tuple[ProtocolName, ...] = ("3.0", "2.0", "saml1.1", "1.0", "json")
    return {
        way: ProbeResult(
            verdict="supported" if way in ways else "unsupported", detail="status 404", url=f"https://sso/{way}"
        )
        for way in everything
    }


@pytest.mark.parametrize(
    ("spoken", "configured", "level", "words"),
    [
        (("3.0", "2.0", "1.0", "json"), "3.0", "ok", "also supported: 2.0, 1.0, JSON"),
        (("2.0", "1.0"), "3.0", "FAULT", "PASSERELLE_CAS_PROTOCOL=2.0"),
        (("saml1.1", "1.0"), "3.0", "FAULT", "PASSERELLE_CAS_PROTOCOL=saml1.1"),
        (("1.0",), "3.0", "FAULT", "no attributes"),
        (("3.0",), "1.0", "FAULT", "PASSERELLE_CAS_PROTOCOL=3.0"),
        (("3.0", "1.0"), "1.0", "note", "PASSERELLE_CAS_PROTOCOL=3.0"),
        (("3.0", "2.0"), "2.0", "note", "If sign-ins work, change nothing"),
        (("2.0", "saml1.1"), "3.0", "FAULT", "Jasig CAS 3 returns them by SAML only"),
        (("2.0", "1.0"), "2.0", "ok", "also supported: 1.0"),
        ((), "3.0", "FAULT", "before /login"),
    ],
)
def test_best_supported_protocol_is_recommended(
    spoken: tuple[ProtocolName, ...], configured: ProtocolName, level: str, words: str
) -> None:
    found = evaluate_protocols(results_for(*spoken), configured, setting="PASSERELLE_CAS_URL")
    assert (found.level, words in found.seen + found.do) == (level, True), found


def test_missing_json_support_is_note() -> None:
    found = evaluate_protocols(results_for("3.0"), "3.0", setting="PASSERELLE_CAS_URL", wants_json=True)
    assert found.level == "note"


BASE = "http://sso.example.org/cas"


def redirect_to(location: str) -> ProbeResult:
    return ProbeResult(verdict="redirect", detail="", url=f"{BASE}/p3/serviceValidate", location=location)


@pytest.mark.parametrize(
    ("location", "better"),
    [
        ("https://sso.example.org/cas/p3/serviceValidate?ticket=ST-1", "https://sso.example.org/cas"),
        ("https://new.example.org/idp/p3/serviceValidate", "https://new.example.org/idp"),
        ("https://new.example.org/idp/login;jsessionid=1?ticket=ST-1", "https://new.example.org/idp"),
        ("/idp/login", "http://sso.example.org/idp"),
        (f"{BASE}/login", ""),
        ("/cas/login", ""),
        ("/portal", ""),
    ],
)
def test_redirect_suggests_another_base_or_none(location: str, better: str) -> None:
    assert redirected_base(BASE, redirect_to(location)) == better


def test_redirect_finding_never_advises_its_target() -> None:
    found = evaluate_redirect(BASE, redirect_to("/cas/login;jsessionid=secret?ticket=ST-1"), "S", "")
    assert (found.level, found.seen) == ("FAULT", f"{BASE} redirects to {BASE}/login.")
    assert "Set S" not in found.do


def test_malformed_xml_suggests_json() -> None:
    broken = classify_response(response(body=cas_xml.success("<cas:a>x & y</cas:a>")), "3.0", SERVICE)
    found = evaluate_protocols({**results_for("json"), "3.0": broken}, "3.0", setting="S")
    assert (found.level, found.do) == ("FAULT", "Set PASSERELLE_CAS_FORMAT=json")
