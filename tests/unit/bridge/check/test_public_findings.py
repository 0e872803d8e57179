"""Findings about our public address."""

from __future__ import annotations

import json

import pytest

from bridge.check.probe import Response
from bridge.check.public_findings import (
    evaluate_hsts,
    evaluate_identity,
    evaluate_metrics,
    evaluate_plain_http,
    evaluate_program,
    served_issuer,
    url_difference,
)
from tests.support.bridge.check_values import ISSUER, NO_RESPONSE, response


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ("http://auth.example.org", "the scheme differs"),
        ("https://www.example.org", "the host differs"),
        ("https://auth.example.org:8443", "the port differs"),
        ("https://auth.example.org/auth", "the path differs"),
        ("https://auth.example.org/", "a trailing slash differs"),
        ("http://www.example.org/x", "the scheme differs, the host differs, the path differs"),
        ("HTTPS://Auth.example.org", "case or spelling"),
        ("https://[", "not a URL"),
    ],
)
def test_issuer_difference_is_named(other: str, words: str) -> None:
    assert words in url_difference(ISSUER, other)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"issuer": 1}', b"[" * 100_000, b"\xff", b'"issuer"'])
def test_malformed_discovery_has_no_issuer(body: bytes) -> None:
    assert served_issuer(response(body=body)) is None
    assert evaluate_program(ISSUER, response(body=body)) is not None


@pytest.mark.parametrize(
    ("received", "words"),
    [
        (
            response(301, location="https://auth.example.org/auth/?x=secret"),
            "redirects to https://auth.example.org/auth/",
        ),
        (response(502, b"Bad Gateway"), "the bridge behind it (status 502)"),
        (response(401), "A program other than Passerelle"),
        (response(200, b"<html>It works"), "a web page"),
    ],
)
def test_other_program_at_issuer_is_named(received: Response, words: str) -> None:
    found = evaluate_program(ISSUER, received)
    assert found is not None
    assert words in found.seen
    assert "secret" not in found.seen


def test_other_signing_keys_are_fault() -> None:
    discovery = response(x_request_id="ab")
    keys = response(body=json.dumps({"keys": [{"kid": "one"}]}).encode())
    assert evaluate_identity(discovery, keys, ["one", "two"]).level == "ok"
    assert evaluate_identity(discovery, keys, ["two"]).level == "FAULT"
    assert evaluate_identity(discovery, keys, []).level == "note"
    assert evaluate_identity(discovery, NO_RESPONSE, ["one"]).level == "note"
    assert evaluate_identity(discovery, response(body=b"[1]"), ["one"]).level == "FAULT"
    assert evaluate_identity(response(), keys, ["one"]).level == "warning"


def test_plain_http_hsts_and_metrics() -> None:
    assert evaluate_plain_http(ISSUER, response(301, location=f"{ISSUER}/")).level == "ok"
    assert evaluate_plain_http(ISSUER, response(200)).level == "warning"
    assert evaluate_plain_http(ISSUER, NO_RESPONSE).level == "note"
    assert evaluate_hsts(response(strict_transport_security="max-age=1")).level == "ok"
    assert evaluate_hsts(response()).level == "note"
    assert evaluate_metrics(response(404)).level == "ok"
    assert evaluate_metrics(response(200, b"# HELP passerelle_sign_ins x")).level == "FAULT"
    assert evaluate_metrics(response(200, b"<html>an intranet")).level == "ok"
