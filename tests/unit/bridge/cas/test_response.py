"""Acceptance and rejection of validation responses (cas.md cases 1-8)."""

import pytest

from bridge.cas.client import BODY_MAX_BYTES
from bridge.cas.response import USER_MAX_CHARS, parse_failure
from bridge.cas.response.limits import JSON_MARKS_MAX, XML_MARKS_MAX
from bridge.errors import TicketRejected, UpstreamMalformed, UpstreamMisconfigured
from tests.support.cas import cas_xml
from tests.support.cas.cas_responses import NOW, SERVICE, parse_response
from tests.support.cas.cas_xml import response, success

NS = cas_xml.NAMESPACE
USER = "<cas:user>alice</cas:user>"
SUCCESS = f"<cas:authenticationSuccess>{USER}</cas:authenticationSuccess>"
FAILURE = '<cas:authenticationFailure code="INVALID_TICKET">no</cas:authenticationFailure>'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(success(), id="cas01-usual-prefix"),
        pytest.param(success().replace(b"cas:", b"x:").replace(b"xmlns:cas", b"xmlns:x"), id="cas01-other"),
        pytest.param(
            f'<serviceResponse xmlns="{NS}"><authenticationSuccess><user>alice</user>'
            "</authenticationSuccess></serviceResponse>".encode(),
            id="cas01-default-namespace",
        ),
        pytest.param(b"\xef\xbb\xbf" + success(), id="cas02-byte-order-mark"),
        pytest.param(b'<?xml version="1.0" encoding="utf-8"?>\n' + success(), id="cas02-declared-utf8"),
        pytest.param(b'\xef\xbb\xbf\n<?xml version="1.0"?>' + success(), id="cas02-mark-and-empty-line-before-xml"),
        pytest.param(b'\n\n  <?xml version="1.0"?>\n' + success() + b"\n \n", id="cas02-empty-lines-around"),
        pytest.param(success("<cas:user>al<![CDATA[ic]]>e</cas:user>"), id="cas03-cdata"),
        pytest.param(success("<!-- a --><cas:user>alice</cas:user><?b c?>"), id="cas03-comment-beside-user"),
        pytest.param(success("<cas:user>\n   alice\t</cas:user>"), id="cas06-space-around"),
        pytest.param(
            success(f"<cas:attributes><cas:user>admin</cas:user></cas:attributes>{USER}"),
            id="cas05-attribute-called-user",
        ),
    ],
)
def test_valid_success_responses_return_alice(body: bytes) -> None:
    assert parse_response(body).user == "alice"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(success().replace(NS.encode(), b"http://evil.example/cas"), id="cas02-wrong-namespace"),
        pytest.param(success().replace(b"cas:", b"").replace(b"xmlns:cas", b"xmlns:x"), id="cas02-no-namespace"),
        pytest.param(success().replace(b"serviceResponse", b"proxyResponse"), id="cas02-other-root"),
        pytest.param(b"", id="cas02-empty"),
        pytest.param(b"\xef\xbb\xbf", id="cas02-only-a-byte-order-mark"),
        pytest.param(success()[:-9], id="cas02-truncated"),
        pytest.param(success() + success(), id="cas02-twice"),
        pytest.param(b"alice\n", id="cas02-text"),
        pytest.param(b'{"serviceResponse": {}}', id="cas02-json"),
        pytest.param(success().decode().encode("utf-16"), id="cas02-utf16"),
        pytest.param(success().decode().encode("utf-16-le"), id="cas02-utf16-without-its-mark"),
        pytest.param(success().decode().encode("utf-16-be"), id="cas02-big-endian-utf16"),
        pytest.param(b'<?xml version="1.0" encoding="utf-16"?>' + success(), id="cas02-utf8-that-says-it-is-utf16"),
        pytest.param(b'<?xml version="1.0" encoding="utf-7"?>' + success(), id="cas02-declared-utf7"),
        pytest.param(b'<?xml version="1.0" encoding="cp037"?>' + success(), id="cas02-declared-ebcdic"),
        pytest.param(success("<cas:user>al\xefce</cas:user>").decode().encode("latin-1"), id="cas02-latin1"),
        pytest.param(success("<cas:user>alice&eacute;</cas:user>"), id="cas02-html-entity"),
        pytest.param(response(""), id="cas02-no-outcome"),
        pytest.param(success("<cas:user>admin<!-- -->evil</cas:user>"), id="cas03-comment"),
        pytest.param(success("<cas:user>admin<?x y?>evil</cas:user>"), id="cas03-processing-instruction"),
        pytest.param(success("<cas:user>admin<cas:b/>evil</cas:user>"), id="cas03-nested-element"),
        pytest.param(success(USER + USER), id="cas04-two-users"),
        pytest.param(success(USER + "<user>alice</user>"), id="cas04-second-user-without-namespace"),
        pytest.param(cas_xml.LEMONLDAP_INJECTION, id="cas04-injection-by-an-unescaped-value"),
        pytest.param(
            success("<cas:attributes><cas:user>alice</cas:user></cas:attributes>"),
            id="cas05-user-only-among-attributes",
        ),
        pytest.param(success("<user>alice</user>"), id="cas05-user-without-namespace"),
        pytest.param(success("<cas:user/>"), id="cas06-empty-user"),
        pytest.param(success("<cas:user> \n </cas:user>"), id="cas06-only-space"),
        pytest.param(success("<cas:user>al&#10;ice</cas:user>"), id="cas06-line-break-inside"),
        pytest.param(success("<cas:user>al&#x85;ice</cas:user>"), id="cas06-control-character"),
        pytest.param(success("<cas:user>al&#x202E;ice</cas:user>"), id="cas06-writing-direction-turned"),
        pytest.param(success("<cas:user>al&#x200B;ice</cas:user>"), id="cas06-invisible-character"),
        pytest.param(success(f"<cas:user>{'x' * 10_000}</cas:user>"), id="cas06-10000-characters"),
        pytest.param(success(f"<cas:user>{'x' * (USER_MAX_CHARS + 1)}</cas:user>"), id="cas06-256-characters"),
        pytest.param(response(FAILURE + SUCCESS), id="cas07-failure-then-success"),
        pytest.param(response(SUCCESS + FAILURE), id="cas07-success-then-failure"),
        pytest.param(response(SUCCESS + SUCCESS), id="cas07-two-successes"),
        pytest.param(
            response(f'<cas:authenticationFailure code="X">{SUCCESS}</cas:authenticationFailure>'),
            id="cas07-success-inside-failure",
        ),
        pytest.param(success(USER + FAILURE), id="cas07-failure-inside-success"),
        pytest.param(response(f"<cas:wrapper>{SUCCESS}</cas:wrapper>"), id="cas07-success-one-level-too-deep"),
        pytest.param(b" " * (BODY_MAX_BYTES + 1), id="cas09-too-large"),
    ],
)
def test_ambiguous_responses_are_rejected(body: bytes) -> None:
    with pytest.raises(UpstreamMalformed) as caught:
        parse_response(body)
    assert caught.value.status == 502
    assert caught.value.detail


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<!DOCTYPE html><html><body>Sign in", id="cas02-page"),
        pytest.param(b"\n<!doctype HTML PUBLIC '-//W3C//DTD'>", id="cas02-old-page"),
        pytest.param(b"<html xmlns='http://www.w3.org/1999/xhtml'></html>", id="cas02-xhtml"),
        pytest.param(b"<!-- proxy -->\n<HTML><BODY>Bad gateway", id="cas02-after-a-comment"),
    ],
)
def test_web_page_is_reported(body: bytes) -> None:
    with pytest.raises(UpstreamMisconfigured, match="did not respond as expected") as caught:
        parse_response(body)
    assert "HTML" in caught.value.detail


@pytest.mark.parametrize("body", cas_xml.DOCTYPES.values(), ids=[f"cas08-{name}" for name in cas_xml.DOCTYPES])
def test_doctype_is_rejected(body: bytes) -> None:
    with pytest.raises(UpstreamMalformed, match="invalid response") as caught:
        parse_response(body)
    assert "DOCTYPE" in caught.value.detail


@pytest.mark.parametrize(
    ("encoding", "declared", "content_type"),
    [
        ("latin-1", "ISO-8859-1", "text/xml"),
        ("latin-1", "iso-8859-1", 'application/xml; charset="ISO-8859-1"'),
        ("cp1252", "windows-1252", ""),
        ("iso-8859-15", "ISO-8859-15", "text/xml"),
        ("latin-1", "", "text/xml;charset=iso-8859-1"),
        ("latin-1", "UTF-8", "text/xml; charset=latin1"),  # a template that declares what it is not
        ("utf-8", "", "text/xml;charset=ISO-8859-1"),  # the default label of servlet containers
        ("utf-8", "ISO-8859-1", "text/xml; charset=utf-8"),  # converted on the way
    ],
)
def test_declared_encoding_is_honoured(encoding: str, declared: str, content_type: str) -> None:
    prolog = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    body = (prolog + success("<cas:user>zoé</cas:user>").decode()).encode(encoding)
    assert parse_response(body, content_type=content_type).user == "zoé"


def test_euro_sign_of_windows_1252_is_read() -> None:
    body = '<?xml version="1.0" encoding="windows-1252"?>' + success("<cas:user>€uro</cas:user>").decode()
    assert parse_response(body.encode("cp1252")).user == "€uro"


def test_charset_applies_to_plain_lines() -> None:
    assert parse_response("yes\nzoé\n".encode("latin-1"), content_type="text/plain; charset=latin1").user == "zoé"


@pytest.mark.parametrize("charset", ["utf-16", "utf-7", "cp037", "shift_jis", "no-such-charset"])
def test_other_charsets_are_not_honoured(charset: str) -> None:
    with pytest.raises(UpstreamMalformed):
        parse_response(
            success("<cas:user>zoé</cas:user>").decode().encode("latin-1"), content_type=f"a/b;charset={charset}"
        )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(success("<cas:a>x</cas:a>" * (XML_MARKS_MAX // 2)), id="elements"),
        pytest.param(success("<cas:a " + 'b="" ' * XML_MARKS_MAX + "/>"), id="xml-attributes"),
        pytest.param(b'{"serviceResponse": [' + b"1," * JSON_MARKS_MAX + b"1]}", id="json-values"),
        pytest.param(b"no\n" + b"\n" * XML_MARKS_MAX, id="lines"),
    ],
)
def test_too_much_markup_is_rejected_before_parsing(body: bytes) -> None:
    with pytest.raises(UpstreamMalformed, match="invalid response") as caught:
        parse_response(body)
    assert "of the characters" in caught.value.detail


def test_failure_is_read_but_never_a_success() -> None:
    found = parse_failure(cas_xml.KEYCLOAK_FAILURE, service=SERVICE, now=NOW)
    assert type(found) is TicketRejected
    assert parse_failure(success(), service=SERVICE, now=NOW) is None
    assert parse_failure(b"<html>not here</html>", service=SERVICE, now=NOW) is None


def test_malformed_xml_hints_at_json() -> None:
    with pytest.raises(UpstreamMalformed) as caught:
        parse_response(success("<cas:a>x & y</cas:a>"))
    assert "cas_format=json" in caught.value.detail


def test_deep_nesting_is_rejected_cleanly() -> None:
    depth = 9_000
    with pytest.raises(UpstreamMalformed):
        parse_response(b"<a>" * depth + b"</a>" * depth)
