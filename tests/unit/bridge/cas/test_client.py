"""The CAS client with a misbehaving server on loopback (cas.md cases 2, 8-10, 14, 16)."""

import time
import tracemalloc
from collections.abc import Iterator

import pytest

from bridge.cas.client import BODY_MAX_BYTES, CasClient
from bridge.errors import (
    BridgeError,
    ConfigurationError,
    ServiceRejected,
    TicketRejected,
    UpstreamError,
    UpstreamMalformed,
    UpstreamMisconfigured,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from tests.support.cas import cas_scripts as scripts
from tests.support.cas import cas_xml
from tests.support.cas.scripted_cas import Script, ScriptedCas, head

SERVICE = "https://auth.localhost/cas/callback?state=Zm9v_-1"
TICKET = "ST-a.secret_ticket-1"
LIMIT = 0.3
"""Read timeout of these tests in seconds."""


@pytest.fixture
def cas() -> Iterator[ScriptedCas]:
    with ScriptedCas() as cas:
        yield cas


@pytest.fixture
def client(cas: ScriptedCas) -> Iterator[CasClient]:
    client = CasClient(cas.url, connect_timeout=LIMIT, read_timeout=LIMIT)
    yield client
    client.close()


def refusal(client: CasClient, kind: type[BridgeError]) -> BridgeError:
    """Validate a ticket; expect this error, without the ticket in its text."""
    with pytest.raises(kind) as caught:
        client.validate(SERVICE, TICKET)
    assert type(caught.value) is kind
    told = caught.value.description + caught.value.detail + repr(caught.value.__cause__)
    assert "secret" not in told
    assert "Zm9v_-1" not in told
    return caught.value


def test_valid_ticket_returns_user_and_attributes(cas: ScriptedCas, client: CasClient) -> None:
    found = client.validate(SERVICE, cas.issue_ticket(SERVICE))
    assert found.user == "alice"
    assert found.attributes["groups"] == ("staff", "jupyter-admins")


def test_ticket_is_valid_once_for_one_service(cas: ScriptedCas, client: CasClient) -> None:
    ticket = cas.issue_ticket(SERVICE)
    client.validate(SERVICE, ticket)
    with pytest.raises(TicketRejected):
        client.validate(SERVICE, ticket)
    with pytest.raises(ServiceRejected):
        client.validate(SERVICE + "x", cas.issue_ticket(SERVICE))


def test_request_has_only_service_and_ticket_cas16(cas: ScriptedCas, client: CasClient) -> None:
    ticket = "ST-" + "a_b.c%3A" * 50
    with pytest.raises(TicketRejected):
        client.validate(SERVICE, ticket)
    asked = cas.validations[0]
    assert asked.query == {"service": [SERVICE], "ticket": [ticket]}
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["host"] == f"127.0.0.1:{cas.port}"
    assert set(asked.headers) == {"host", "accept", "accept-encoding", "user-agent"}


def test_renew_is_requested_and_enforced(cas: ScriptedCas, client: CasClient) -> None:
    client.validate(SERVICE, cas.issue_ticket(SERVICE), renew_since=time.time())
    assert cas.validations[-1].value("renew") == "true"
    cas.sign_in_as("alice", {"isFromNewLogin": ("false",)})
    with pytest.raises(TicketRejected):
        client.validate(SERVICE, cas.issue_ticket(SERVICE), renew_since=time.time())
    client.validate(SERVICE, cas.issue_ticket(SERVICE))


XML = cas_xml.success()
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
BAD_ANSWERS: list[tuple[str, Script, type[BridgeError]]] = [
    ("cas02-html", scripts.reply_html(), UpstreamMisconfigured),
    ("cas02-html-503", scripts.reply_html(503), UpstreamMisconfigured),
    ("cas02-empty", scripts.reply(b""), UpstreamMalformed),
    ("cas02-truncated-xml", scripts.reply(XML[:-5]), UpstreamMalformed),
    ("cas02-not-http", scripts.reply_raw(b"220 smtp.example ESMTP\r\n"), UpstreamMalformed),
    ("cas02-echo", scripts.reply_raw(f"GET /?ticket={TICKET} HTTP/1.1\r\n".encode()), UpstreamMalformed),
    ("cas02-hangs-up", scripts.close(), UpstreamUnreachable),
    ("cas02-no-content", scripts.reply(b"", status=204), UpstreamMisconfigured),
    ("cas04-two-users", scripts.reply(cas_xml.LEMONLDAP_INJECTION), UpstreamMalformed),
    ("cas08-doctype", scripts.reply(cas_xml.DOCTYPES["billion-laughs"]), UpstreamMalformed),
    ("cas09-5-mib", scripts.reply(b" " * (5 << 20)), UpstreamMalformed),
    ("cas09-one-byte-too-many", scripts.reply(b" " * (BODY_MAX_BYTES + 1)), UpstreamMalformed),
    ("cas09-5-mib-without-length", scripts.reply_raw(head(200, {}) + b" " * (5 << 20)), UpstreamMalformed),
    ("cas09-5-mib-in-chunks", scripts.chunks(b" " * (5 << 20), 1 << 20), UpstreamMalformed),
    ("cas09-long-header", scripts.reply(XML, X=70_000 * "x"), UpstreamMalformed),
    ("cas09-many-headers", scripts.reply(XML, **{f"X{n}": "" for n in range(200)}), UpstreamMalformed),
    ("cas09-gzip-bomb", scripts.gzips(b" " * (50 << 20)), UpstreamMisconfigured),
    ("cas09-body-ends-early", scripts.truncate(XML, len(XML) + 1), UpstreamMalformed),
    ("cas09-body-dribbles", scripts.dribbles_body(XML, LIMIT / 5), UpstreamTimeout),
    ("cas09-headers-dribble", scripts.dribbles_headers(XML, LIMIT / 5), UpstreamTimeout),
    ("cas09-only-continues", scripts.dribbles(CONTINUE * 99, at_once=1, every=0.01), UpstreamTimeout),
    ("cas09-never-answers", scripts.never_answers(), UpstreamTimeout),
    ("cas10-redirect", scripts.redirect(f"https://elsewhere.example/x?ticket={TICKET}"), UpstreamMisconfigured),
    ("cas10-redirect-nowhere", scripts.redirect("http://[broken", 307), UpstreamMisconfigured),
    ("cas10-500-with-success", scripts.reply(XML, status=500), UpstreamMisconfigured),
    ("cas10-404-with-success", scripts.reply(XML, status=404), UpstreamMisconfigured),
    ("cas10-400-with-success", scripts.reply(XML, status=400), UpstreamMisconfigured),
    ("cas10-404-page", scripts.reply_html(404), UpstreamMisconfigured),
    ("cas10-500-with-failure", scripts.reply(cas_xml.KEYCLOAK_FAILURE, status=500), UpstreamMisconfigured),
]  # fmt: skip


@pytest.mark.parametrize(
    ("script", "kind"), [pytest.param(script, kind, id=name) for name, script, kind in BAD_ANSWERS]
)
def test_bad_response_is_rejected_in_time_without_retry(
    cas: ScriptedCas, client: CasClient, script: Script, kind: type[BridgeError]
) -> None:
    cas.script = script
    error = refusal(client, kind)
    assert isinstance(error, UpstreamError)
    assert len(cas.validations) == 1
    cas.script = None
    assert client.validate(SERVICE, cas.issue_ticket(SERVICE)).user == "alice"  # the next login is unaffected


def test_redirect_is_rejected_and_only_its_host_logged_cas10(cas: ScriptedCas, client: CasClient) -> None:
    with ScriptedCas() as elsewhere:  # it would respond with a success
        elsewhere.script = scripts.reply(XML)
        cas.script = scripts.redirect(f"{elsewhere.url}/p3/serviceValidate?secret=1")
        error = refusal(client, UpstreamMisconfigured)
        assert not elsewhere.requests
    assert "'127.0.0.1'" in error.detail


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(cas_xml.KEYCLOAK_FAILURE, 400, id="keycloak"),
        pytest.param(cas_xml.KEYCLOAK_UNKNOWN_FORM, 400, id="keycloak-unknown-form"),
        pytest.param(cas_xml.KEYCLOAK_FAILURE_JSON, 400, id="keycloak-json"),
        pytest.param(b"no\n", 400, id="keycloak-1.0"),
        pytest.param(cas_xml.failure("INVALID_TICKET"), 404, id="other-status"),
    ],
)
def test_failure_with_status_400_rejects_the_ticket(
    cas: ScriptedCas, client: CasClient, body: bytes, status: int
) -> None:
    cas.script = scripts.reply(body, status=status)
    refusal(client, TicketRejected)


def test_failure_with_status_403_names_its_code(cas: ScriptedCas, client: CasClient) -> None:
    cas.script = scripts.reply(cas_xml.failure("INVALID_REQUEST", "HTTPS required"), status=403)
    assert "HTTPS required" in refusal(client, ServiceRejected).detail


def test_own_path_of_redirect_is_logged(cas: ScriptedCas, client: CasClient) -> None:
    cas.script = scripts.redirect(f"/cas/login;jsessionid=secret?service=x&ticket={TICKET}")
    assert "its own path '/cas/login'" in refusal(client, UpstreamMisconfigured).detail


def test_response_of_a_user_with_many_groups_is_read(cas: ScriptedCas, client: CasClient) -> None:
    groups = tuple(f"cn=group-{n:03},ou={'x' * 97},dc=example,dc=org" for n in range(515))
    cas.sign_in_as("alice", {"groups": groups})
    assert client.validate(SERVICE, cas.issue_ticket(SERVICE)).attributes["groups"] == groups


def test_response_size_is_a_setting(cas: ScriptedCas) -> None:
    client = CasClient(cas.url, body_max_bytes=1000)
    cas.script = scripts.reply(b" " * 1001)
    assert "cas_response_max_bytes (1000)" in refusal(client, UpstreamMalformed).detail
    client.close()


def test_charset_of_the_content_type_is_honoured(cas: ScriptedCas, client: CasClient) -> None:
    body = cas_xml.success("<cas:user>zoé</cas:user>").decode().encode("latin-1")
    cas.script = scripts.reply(body, Content_Type="text/xml; charset=ISO-8859-1")
    assert client.validate(SERVICE, TICKET).user == "zoé"


def test_memory_is_bounded_cas9(cas: ScriptedCas, client: CasClient) -> None:
    cas.script = scripts.reply_raw(head(200, {}) + b" " * (5 << 20))
    tracemalloc.start()
    refusal(client, UpstreamMalformed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * BODY_MAX_BYTES


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(scripts.reply(XML), id="with-length"),
        pytest.param(scripts.chunks(XML), id="in-chunks"),
        pytest.param(scripts.reply_raw(head(200, {}) + XML), id="until-closed"),
        pytest.param(scripts.reply(XML, Content_Encoding="identity"), id="said-to-be-plain"),
        pytest.param(scripts.reply(XML, Content_Type="text/html"), id="xml-called-html"),
        pytest.param(scripts.reply(XML, Connection="close"), id="closing"),
        pytest.param(scripts.waits(LIMIT / 3, scripts.reply(XML)), id="slow-but-in-time"),
    ],
)
def test_all_http_framings_are_read(cas: ScriptedCas, client: CasClient, script: Script) -> None:
    cas.script = script
    assert [client.validate(SERVICE, TICKET).user for _ in range(3)] == ["alice"] * 3


def test_upstream_cookies_are_not_returned(cas: ScriptedCas, client: CasClient) -> None:
    cas.script = scripts.reply(XML, Set_Cookie="JSESSIONID=1; Path=/")
    client.validate(SERVICE, TICKET)
    client.validate(SERVICE, TICKET)
    assert "cookie" not in cas.validations[-1].headers


def test_environment_proxies_and_netrc_are_ignored(
    cas: ScriptedCas, client: CasClient, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    client.validate(SERVICE, cas.issue_ticket(SERVICE))
    assert "authorization" not in cas.validations[0].headers


def test_nothing_is_logged(cas: ScriptedCas, client: CasClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    client.validate(SERVICE, cas.issue_ticket(SERVICE))
    cas.script = scripts.close()
    refusal(client, UpstreamUnreachable)
    assert not caplog.records


@pytest.mark.parametrize("url", ["", "cas.localhost/cas", "ftp://cas.localhost/cas", "https:///cas"])
def test_invalid_endpoint_url_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="http or https"):
        CasClient(url)
