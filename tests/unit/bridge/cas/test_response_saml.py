"""SAML 1.1 responses."""

import pytest

from bridge.cas.response import USER_MAX_CHARS
from bridge.cas.response.saml import CLOCK_TOLERANCE_SECONDS
from bridge.errors import BridgeError, ServiceRejected, SignInDenied, TicketRejected, UpstreamError, UpstreamMalformed
from tests.support.cas.cas_responses import (
    NOW,
    SERVICE,
    assertion,
    attributed,
    authenticated,
    conditions_of,
    moment,
    parse_response,
    saml_failure,
    saml_response,
    saml_signed_in,
    soap,
    subject,
)

GOOD = saml_signed_in("alice", {"mail": ["a@x.org"], "memberOf": ["staff", "admins"]}, service=SERVICE, now=NOW)
SUCCESS = '<StatusCode Value="samlp:Success"/>'


def says(inside: str, conditions: str | None = None) -> bytes:
    return saml_response(assertion(inside, conditions))


def test_saml_success_returns_user_attributes_and_time() -> None:
    found = parse_response(GOOD)
    assert found.user == "alice"
    assert found.attributes == {
        "mail": ("a@x.org",),
        "memberOf": ("staff", "admins"),
        "authenticationDate": (moment(NOW),),
    }


def test_released_date_wins_over_saml_instant() -> None:
    """Some servers write the time of the response there."""
    date = {"authenticationDate": ["2026-09-21T08:00:00+00:00"]}
    assert parse_response(saml_signed_in("alice", date, service=SERVICE, now=NOW)).attributes == {
        "authenticationDate": ("2026-09-21T08:00:00+00:00",)
    }


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(says(authenticated()), id="without-attributes"),
        pytest.param(
            saml_response(assertion(authenticated()), '<StatusCode Value="saml1p:Success"></StatusCode>'), id="prefix"
        ),
        pytest.param(saml_response(assertion(authenticated()), '<StatusCode Value="Success"/>'), id="no-prefix"),
        pytest.param(
            saml_response(assertion(authenticated()), f"{SUCCESS}<StatusMessage>fine</StatusMessage>"), id="message"
        ),
        pytest.param(says(authenticated(subject("al<![CDATA[ic]]>e"))), id="cdata"),
        pytest.param(says(authenticated(subject("\n alice\t"))), id="space-around"),
        pytest.param(b'\xef\xbb\xbf<?xml version="1.0"?>' + GOOD, id="byte-order-mark"),
        pytest.param(GOOD.replace(b"SOAP-ENV", b"soap"), id="other-prefix"),
        pytest.param(says(authenticated(), conditions_of(begins=None, ends=None)), id="no-times"),
        pytest.param(says(authenticated(), conditions_of(begins=NOW + 59, ends=NOW + 89)), id="clock-59-s-behind"),
        pytest.param(says(authenticated(), conditions_of(begins=NOW - 90, ends=NOW - 59)), id="clock-59-s-ahead"),
        pytest.param(says(authenticated() + attributed({"user": ["admin"]})), id="attribute-called-user"),
    ],
)
def test_valid_saml_assertions_return_alice(body: bytes) -> None:
    assert parse_response(body).user == "alice"


def test_saml_hex_names_decode_and_markup_is_dropped() -> None:
    hexed = "_" + b"urn:oid:0.9.2342".hex()
    odd = attributed({hexed: ["x"], "cn": ["y"]}).replace("y</Attr", "y<b>z</b></Attr")
    assert "<b>" in odd
    found = parse_response(says(authenticated() + odd)).attributes
    assert found["urn:oid:0.9.2342"] == ("x",)
    assert "cn" not in found


OTHER = authenticated(subject("bob"))
BROKEN = [
    pytest.param(soap(""), id="empty-body"),
    pytest.param(soap("<Fault><faultstring>no</faultstring></Fault>"), id="fault"),
    pytest.param(GOOD.replace(b"</SOAP-ENV:Body>", b"<Fault/></SOAP-ENV:Body>"), id="cas07-fault-beside-a-success"),
    pytest.param(
        saml_response(
            assertion(authenticated()),
            '<StatusCode Value="samlp:Success"><StatusCode Value="samlp:RequestDenied"/></StatusCode>',
        ),
        id="cas07-refusal-inside-a-success",
    ),
    pytest.param(saml_response(""), id="success-of-nobody"),
    pytest.param(says(""), id="no-statement"),
    pytest.param(says(attributed({"cn": ["x"]})), id="attributes-without-authentication"),
    pytest.param(saml_response(assertion(authenticated()) * 2), id="two-assertions"),
    pytest.param(saml_response(f"<x>{assertion(authenticated())}</x>"), id="assertion-one-level-too-deep"),
    pytest.param(says(authenticated() * 2), id="two-authentications"),
    pytest.param(says(authenticated() + attributed({}, "bob")), id="cas04-two-users"),
    pytest.param(says(authenticated(subject() + subject())), id="two-subjects"),
    pytest.param(
        says(authenticated("<Subject><NameIdentifier>a</NameIdentifier><NameIdentifier>a</NameIdentifier></Subject>")),
        id="two-names",
    ),
    pytest.param(says(authenticated(subject("admin<!-- -->evil"))), id="cas03-comment"),
    pytest.param(says(authenticated(subject("admin<?x y?>evil"))), id="cas03-processing-instruction"),
    pytest.param(says(authenticated(subject("admin<b/>evil"))), id="cas03-nested"),
    pytest.param(says(authenticated(subject(""))), id="cas06-empty"),
    pytest.param(says(authenticated(subject(" \n "))), id="cas06-only-space"),
    pytest.param(says(authenticated(subject("al&#10;ice"))), id="cas06-line-break"),
    pytest.param(says(authenticated(subject("x" * (USER_MAX_CHARS + 1)))), id="cas06-256-characters"),
    pytest.param(says(authenticated(), conditions_of("https://evil.example/")), id="other-audience"),
    pytest.param(says(authenticated(), conditions_of(SERVICE + "x")), id="longer-audience"),
    pytest.param(says(authenticated(), conditions_of(SERVICE.upper())), id="audience-in-capitals"),
    pytest.param(says(authenticated(), "<Conditions/>"), id="no-audience"),
    pytest.param(says(authenticated(), ""), id="no-conditions"),
    pytest.param(says(authenticated(), conditions_of() * 2), id="two-conditions"),
    pytest.param(
        says(
            authenticated(),
            "<Conditions><AudienceRestrictionCondition><Audience>x</Audience></AudienceRestrictionCondition>"
            + conditions_of().removeprefix("<Conditions").partition(">")[2],
        ),
        id="one-restriction-for-another",
    ),
    pytest.param(
        says(authenticated(), conditions_of(begins=NOW + CLOCK_TOLERANCE_SECONDS + 1, ends=None)), id="too-early"
    ),
    pytest.param(says(authenticated(), conditions_of(begins=None, ends=NOW - CLOCK_TOLERANCE_SECONDS)), id="too-late"),
    pytest.param(says(authenticated(), '<Conditions NotBefore="yesterday"/>'), id="no-date"),
    pytest.param(saml_response(assertion(authenticated()), ""), id="no-code"),
    pytest.param(saml_response(assertion(authenticated()), SUCCESS * 2), id="two-codes"),
    pytest.param(
        saml_response(assertion(authenticated()), '<StatusCode Value="samlp:RequestDenied"/>'), id="cas07-both-outcomes"
    ),
    pytest.param(
        saml_response(assertion(authenticated()), f'<StatusCode Value="samlp:Responder">{SUCCESS}</StatusCode>'),
        id="cas07-success-inside-failure",
    ),
    pytest.param(
        saml_response(assertion(authenticated()), '<StatusCode Value="samlp:NoSuccess"/>'), id="ends-in-success"
    ),
    pytest.param(GOOD.replace(b"SAML:1.0:assertion", b"SAML:2.0:assertion"), id="saml-2"),
    pytest.param(GOOD.replace(b"SAML:1.0:protocol", b"SAML:9.9:protocol"), id="other-protocol"),
    pytest.param(GOOD.replace(b"schemas.xmlsoap.org", b"schemas.evil.org"), id="other-envelope"),
    pytest.param(b"<!DOCTYPE x>" + GOOD, id="cas08-doctype"),
    pytest.param(
        b'<!DOCTYPE x [<!ENTITY u "admin">]>' + says(authenticated(subject("&u;"))), id="cas08-internal-entity"
    ),
    pytest.param(GOOD[:-9], id="truncated"),
]


@pytest.mark.parametrize("body", BROKEN)
def test_ambiguous_or_expired_saml_is_rejected(body: bytes) -> None:
    with pytest.raises(UpstreamMalformed) as caught:
        parse_response(body)
    assert caught.value.detail


def test_injected_saml_statement_is_rejected_cas4() -> None:
    value = f"x</AttributeValue></Attribute></AttributeStatement>{OTHER}<AttributeStatement>{subject()}<Attribute>"
    body = says(authenticated() + attributed({"cn": ["SPOT"]}).replace("SPOT", value + "<AttributeValue>"))
    with pytest.raises(UpstreamMalformed):
        parse_response(body)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(saml_failure("Ticket 'ST-1-secret' not recognized"), TicketRejected, id="apereo-ticket"),
        pytest.param(
            saml_failure("ticket 'ST-1-secret' does not match supplied service. The original service was 'x'."),
            ServiceRejected,
            id="apereo-service",
        ),
        pytest.param(saml_failure("INVALID_TICKET"), TicketRejected, id="code-ticket"),
        pytest.param(saml_failure("UNAUTHORIZED_SERVICE: no"), ServiceRejected, id="code-service"),
        pytest.param(saml_failure("UNAUTHORIZED_USER"), SignInDenied, id="code-user"),
        pytest.param(
            saml_response("", '<StatusCode Value="samlp:AuthnFailed">ticket ST-secret not found</StatusCode>'),
            TicketRejected,
            id="django-ticket",
        ),
        pytest.param(
            saml_response(
                "", '<StatusCode Value="samlp:AuthnFailed">TARGET https://x?state=secret does not match ticket service'
                "</StatusCode>"
            ),
            ServiceRejected,
            id="django-service",
        ),
        pytest.param(saml_failure("", "samlp:VersionMismatch"), ServiceRejected, id="version"),
        pytest.param(saml_failure("", "samlp:Requester"), ServiceRejected, id="requester"),
        pytest.param(saml_failure("", "samlp:Responder"), UpstreamError, id="responder"),
        pytest.param(
            saml_response(
                "", '<StatusCode Value="samlp:Responder"><StatusCode Value="samlp:RequestDenied"/></StatusCode>'
            ),
            TicketRejected,
            id="nested",
        ),
        pytest.param(saml_failure("", ""), UpstreamError, id="nothing"),
    ],
)  # fmt: skip
def test_saml_failures_map_to_errors_without_ticket_in_log(body: bytes, error: type[BridgeError]) -> None:
    with pytest.raises(BridgeError) as caught:
        parse_response(body)
    assert type(caught.value) is error
    assert caught.value.detail.startswith("CAS returned")
    assert "secret" not in caught.value.detail
