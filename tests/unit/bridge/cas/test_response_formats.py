"""JSON and CAS 1.0 responses (cas.md cases 17 and 18), and detection of the format by the body."""

import json

import pytest

from bridge.cas.response import USER_MAX_CHARS
from bridge.errors import ServiceRejected, SignInDenied, TicketRejected, UpstreamError, UpstreamMalformed
from tests.support.cas import cas_xml
from tests.support.cas.cas_responses import json_response, json_success, parse_response

FAILED = {"code": "INVALID_TICKET", "description": "Ticket 'ST-12-secret' not recognized"}
OVER = "x" * (USER_MAX_CHARS + 1)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"yes\nalice\n", id="cas17-as-specified"),
        pytest.param(b"yes\r\nalice\r\n", id="cas17-carriage-returns"),
        pytest.param(b"yes\nalice\n\n", id="cas17-empty-line-after"),
        pytest.param(b"\xef\xbb\xbfyes\nalice\n", id="cas17-byte-order-mark"),
        pytest.param(b"yes\n alice \n", id="cas17-space-around"),
        pytest.param(b"yes\nalice\nmail=a@x.org\nmemberOf=staff,admins\n", id="cas17-attribute-lines"),
        pytest.param(b"yes\nalice\nuser=admin\nmail=\n", id="cas17-attribute-called-user"),
    ],
)
def test_cas1_returns_user_without_attributes(body: bytes) -> None:
    """Attribute lines are unescaped: a line break in a value could forge any attribute."""
    found = parse_response(body)
    assert found.user == "alice"
    assert found.attributes == {}


@pytest.mark.parametrize("body", [b"no\n", b"no\n\n", b"no\r\n\r\n"], ids=["cas17-no", "cas17-apereo", "cas17-returns"])
def test_cas1_no_rejects_the_ticket(body: bytes) -> None:
    with pytest.raises(TicketRejected):
        parse_response(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"yes\n", id="cas17-yes-and-nobody"),
        pytest.param(b"yes", id="cas17-a-lone-yes"),
        pytest.param(b"yes\n\n", id="cas17-empty-user"),
        pytest.param(b"yes\n \n", id="cas17-only-space"),
        pytest.param(b"yes\nalice", id="cas17-cut-off-within-the-name"),
        pytest.param(b"YES\nalice\n", id="cas17-upper-case"),
        pytest.param(b"yes alice\n", id="cas17-one-line"),
        pytest.param(b"\nyes\nalice\n", id="cas17-line-before"),
        pytest.param(b"yes\nalice\nbob\n", id="cas17-two-names"),
        pytest.param(b"yes\nalice\nno\n", id="cas17-yes-and-no"),
        pytest.param(b"no\nyes\nalice\n", id="cas17-no-and-yes"),
        pytest.param(b"no", id="cas17-cut-off-no"),
        pytest.param(b"yes\ralice\r", id="cas17-old-macintosh"),
        pytest.param("yes\u2028alice\u2028".encode(), id="cas17-line-separators"),
        pytest.param(b"yes\nal\x00ice\n", id="cas17-nul"),
        pytest.param(b"yes\nal\x07ice\n", id="cas17-control-character"),
        pytest.param(b"yes\nal\xefce\n", id="cas17-latin1"),
        pytest.param(f"yes\n{OVER}\n".encode(), id="cas17-256-characters"),
        pytest.param(b"yes\nalice\n<html>\n", id="cas17-a-page-after-it"),
    ],
)
def test_malformed_cas1_is_rejected(body: bytes) -> None:
    with pytest.raises(UpstreamMalformed):
        parse_response(body)


def test_json_scalars_and_lists_become_lists_cas18() -> None:
    found = parse_response(
        json_success(
            " alice ",
            attributes={
                "mail": "a@x.org",
                "memberOf": ["staff", "admins", "staff"],
                "urn:oid:0.9.2342": "x",
                "isFromNewLogin": True,
                "uidNumber": 1000,
                "score": 1.50,
                "nothing": None,
                "empty": "",
                "none": [],
                "structured": {"user": "admin"},
                "mixed": ["a", {"b": "c"}, ["d"], 1, False],
            },
            proxyGrantingTicket="PGTIOU-1",
            proxies=[],
        )
    )
    assert found.user == "alice"
    assert found.attributes == {
        "mail": ("a@x.org",),
        "memberOf": ("staff", "admins"),
        "urn:oid:0.9.2342": ("x",),
        "isFromNewLogin": ("true",),
        "uidNumber": ("1000",),
        "score": ("1.5",),
        "empty": ("",),
        "mixed": ("a", "1", "false"),
    }
    assert all(type(value) is str for values in found.attributes.values() for value in values)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\xef\xbb\xbf" + json_success(), id="cas18-byte-order-mark"),
        pytest.param(b"\n\n " + json_success() + b"\n", id="cas18-empty-lines-around"),
        pytest.param(
            json_response(authenticationSuccess={"user": "alice", "attributes": None}, authenticationFailure=None),
            id="cas18-nulls",
        ),
        pytest.param(json_success(attributes={"user": "admin"}), id="cas18-attribute-called-user"),
        pytest.param(cas_xml.success(), id="cas18-xml-though-json-was-asked"),
        pytest.param(b"yes\nalice\n", id="cas18-lines-though-json-was-asked"),
    ],
)
def test_response_format_is_detected(body: bytes) -> None:
    assert parse_response(body).user == "alice"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            b'{"serviceResponse":{"authenticationSuccess":{"user":"alice","user":"admin"}}}', id="cas18-two-users"
        ),
        pytest.param(
            b'{"serviceResponse":{"authenticationSuccess":{"user":"alice","\\u0075ser":"admin"}}}',
            id="cas18-two-users-one-escaped",
        ),
        pytest.param(
            b'{"serviceResponse":{},"serviceResponse":{"authenticationSuccess":{"user":"alice"}}}',
            id="cas18-two-responses",
        ),
        pytest.param(json_success(7), id="cas18-user-a-number"),
        pytest.param(json_success(["alice"]), id="cas18-user-a-list"),
        pytest.param(json_success(True), id="cas18-user-a-boolean"),
        pytest.param(json_success(None), id="cas18-user-null"),
        pytest.param(json_success({"user": "alice"}), id="cas18-user-an-object"),
        pytest.param(json_success(""), id="cas18-empty-user"),
        pytest.param(json_success("  "), id="cas18-only-space"),
        pytest.param(json_success("al\nice"), id="cas18-line-break"),
        pytest.param(json_success("al\x00ice"), id="cas18-nul"),
        pytest.param(json_success("al\u202eice"), id="cas18-writing-direction-turned"),
        pytest.param(json_success("al\ud800ice"), id="cas18-half-a-character"),
        pytest.param(json_success(OVER), id="cas18-256-characters"),
        pytest.param(
            json_response(authenticationSuccess={"user": "alice"}, authenticationFailure=FAILED),
            id="cas18-both-outcomes",
        ),
        pytest.param(json_response(authenticationSuccess={}), id="cas18-nobody"),
        pytest.param(json_response(authenticationSuccess="alice"), id="cas18-success-no-object"),
        pytest.param(json_response(authenticationFailure=["INVALID_TICKET"]), id="cas18-failure-no-object"),
        pytest.param(json_response(authenticationFailure={"code": 1}), id="cas18-code-a-number"),
        pytest.param(json_response(), id="cas18-no-outcome"),
        pytest.param(json_success(attributes=["mail"]), id="cas18-attributes-a-list"),
        pytest.param(json_success(attributes={"cn": "x\x00y"}), id="cas18-nul-in-a-value"),
        pytest.param(json_success(attributes={"cn": ["x\udfffy"]}), id="cas18-half-a-character-in-a-value"),
        pytest.param(json_success(attributes={f"x{n}": n for n in range(2_001)}), id="cas18-2001-attributes"),
        pytest.param(b'{"authenticationSuccess":{"user":"alice"}}', id="cas18-no-service-response"),
        pytest.param(b'{"serviceResponse":[{"authenticationSuccess":{"user":"alice"}}]}', id="cas18-a-list"),
        pytest.param(json_success()[:-1], id="cas18-cut-off"),
        pytest.param(json_success() + json_success(), id="cas18-twice"),
        pytest.param(json_success().replace(b'"alice"', b"'alice'"), id="cas18-single-quotes"),
        pytest.param(json_success(attributes={"n": float("nan")}), id="cas18-not-a-number"),
        pytest.param(json_success().decode().encode("utf-16"), id="cas18-utf16"),
        pytest.param(b'{"a":' * 10_000, id="cas18-objects-without-end"),
        pytest.param(b'{"serviceResponse":' + b"[" * 60_000, id="cas18-lists-without-end"),
        pytest.param(b'{"a":' * 9_000 + b"1" + b"}" * 9_000, id="cas18-deep"),
        pytest.param(b"null", id="cas18-null"),
        pytest.param(b'"alice"', id="cas18-only-text"),
    ],
)
def test_ambiguous_json_is_rejected(body: bytes) -> None:
    with pytest.raises(UpstreamMalformed) as caught:
        parse_response(body)
    assert caught.value.detail
    assert "admin" not in caught.value.detail


def test_number_of_60_000_digits_is_cheap_cas18() -> None:
    body = json.dumps({"serviceResponse": {"authenticationSuccess": {"user": "alice", "attributes": {"n": 0}}}})
    digits = "9" * 60_000
    assert parse_response(body.replace("0}", digits + "}").encode()).attributes == {"n": (digits,)}


def test_2000_values_in_json_are_read_cas18() -> None:
    values = [f"x{n}" for n in range(2_000)]
    assert parse_response(json_success(attributes={"n": values})).attributes == {"n": tuple(values)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("75726e3a6f69643a302e392e32", "urn:oid:0.9.2"),  # Apereo CAS 5.3
        ("_75726e3a6f69643a302e392e32", "urn:oid:0.9.2"),
        ("75726E3A6D6163653A6D61696C", "urn:mace:mail"),
        ("cafe12", "cafe12"),
        ("123456", "123456"),
    ],
)
def test_hexadecimal_json_names_are_decoded_cas14(name: str, expected: str) -> None:
    assert parse_response(json_success(attributes={name: "x"})).attributes == {expected: ("x",)}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("INVALID_TICKET", TicketRejected),
        ("INVALID_SERVICE", ServiceRejected),
        ("UNAUTHORIZED_SERVICE", ServiceRejected),
        ("UNAUTHORIZED_USER", SignInDenied),
        ("INTERNAL_ERROR", UpstreamError),
        ("", UpstreamError),
    ],
)
def test_json_failures_equal_xml_failures(code: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        parse_response(json_response(authenticationFailure={"code": code, "description": FAILED["description"]}))
    assert type(caught.value) is error
    assert "secret" not in str(vars(caught.value))


def test_proxied_login_is_denied_in_json() -> None:
    with pytest.raises(SignInDenied, match="another application"):
        parse_response(json_success(proxies=["https://portal.example/"]))
