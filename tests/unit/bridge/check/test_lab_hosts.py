"""Findings about the hosts of the labs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bridge.check.certificates import read_certificates
from bridge.check.findings import Finding
from bridge.check.lab_hosts import LabHostCheck, evaluate_origin
from bridge.check.probe import Failure, Response, Target
from tests.support.bridge.check_values import response
from tests.support.certificates import write_certificate

HUB_URL = "https://jupyter.example.org:8443"
WILDCARD = LabHostCheck(hub_url=HUB_URL, lab_host="*.labs.example.org")
TO_HUB = response(302, location=f"{HUB_URL}/")


class Network:
    """Answers each request with the next result and keeps the targets."""

    def __init__(self, *results: Response | Failure) -> None:
        self.results = list(results)
        self.targets: list[Target] = []

    def send(self, target: Target) -> Response | Failure:
        self.targets.append(target)
        return self.results.pop(0)


def probed(check: LabHostCheck, *results: Response | Failure) -> dict[str, Finding]:
    return {one.id: one for one in check.findings(Network(*results).send, 0.0)}


def failure(kind: str, url: str = "https://x.labs.example.org/", **facts: object) -> Failure:
    return Failure(url=url, kind=kind, detail="refused by the test", **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lab_host", "level"), [("", "warning"), ("labs.example.org", "note"), ("*.labs.example.org", "ok")]
)
def test_shared_origin_is_reported(lab_host: str, level: str) -> None:
    assert evaluate_origin(lab_host).level == level


@pytest.mark.parametrize(
    ("lab_host", "url"),
    [
        ("labs.example.org", "https://labs.example.org:8443/"),
        ("*.labs.example.org", "https://u-x--passerelle-check.labs.example.org:8443/"),
    ],
)
def test_probe_uses_a_host_of_no_user(lab_host: str, url: str) -> None:
    network = Network(TO_HUB)
    replace(WILDCARD, lab_host=lab_host).findings(network.send, 0.0)
    assert [target.url for target in network.targets] == [url]


def test_redirect_to_hub_is_the_edge() -> None:
    assert probed(WILDCARD, TO_HUB)["labs.host"].level == "ok"


@pytest.mark.parametrize(
    "other",
    [
        response(200),
        response(404),
        response(302, location="https://jupyter.example.org/"),
        response(302, location=f"{HUB_URL}.evil.example/"),
    ],
)
def test_other_response_is_a_fault(other: Response) -> None:
    assert probed(WILDCARD, other)["labs.host"].level == "FAULT"


def test_missing_dns_entry_is_a_fault() -> None:
    found = probed(WILDCARD, failure("name"))["labs.name"]
    assert found.level == "FAULT"
    assert "LAB_HOST" in found.do
    assert found.to_cas is None


def test_demo_host_without_dns_is_a_note() -> None:
    demo = replace(WILDCARD, lab_host="*.labs.localhost")
    assert probed(demo, failure("name"))["labs.name"].level == "note"


def test_certificate_without_wildcard_is_a_fault(tmp_path: Path) -> None:
    write_certificate(tmp_path, ["jupyter.example.org"])
    edge = tmp_path / "server.crt"
    refused = failure("certificate", chain=read_certificates(edge))
    found = probed(replace(WILDCARD, edge_certificate=edge), refused, refused)["labs.certificate"]
    assert found.level == "FAULT"
    assert "u-x--passerelle-check.labs.example.org" in found.seen


def test_untrusted_own_certificate_that_covers_labs_is_a_note(tmp_path: Path) -> None:
    write_certificate(tmp_path, ["*.labs.example.org"])
    edge = tmp_path / "server.crt"
    refused = failure("certificate", chain=read_certificates(edge))
    found = probed(replace(WILDCARD, edge_certificate=edge), refused, TO_HUB)
    assert (found["labs.certificate"].level, found["labs.host"].level) == ("note", "ok")


def test_check_without_probe_reports_origin_only() -> None:
    assert [one.id for one in WILDCARD.findings(None, 0.0)] == ["labs.origin"]
