"""How `passerelle check` shows what it found: what comes last, and when the letter is part of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bridge.check.examination import Report
from bridge.check.findings import Finding, Told, fault, ok, warning
from bridge.check.message import Request
from bridge.cli.check_output import report_text

TOLD = Told("please", "merci")


def faults(*names: str) -> list[Finding]:
    return [fault(name, f"{name} is wrong.", "It matters.", f"Mend {name}.") for name in names]


def shown(findings: Sequence[Finding]) -> str:
    request = Request(
        issuer="https://auth.example.org",
        cas_url="https://sso/cas",
        state_in_cookie=False,
        wanted=(),
        findings=findings,
    )
    report = Report(installation=findings, cas=(), public=(), applications=(), sign_ins=(), request=request)
    return report_text(report, "THE LETTER")


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (("cas.service", "public.issuer"), "public.issuer"),
        (("cas.service", "public.certificate", "logout.reach"), "public.certificate"),
        (("cas.service", "logout.reach", "attributes.released"), "cas.service"),
        (("cas.protocol", "public.issuer"), "cas.protocol"),
        (("cas.service", "public.metrics"), "cas.service"),
        (("database", "cas.port"), "database"),
    ],
)
def test_what_to_begin_with_is_what_the_others_hang_on(names: tuple[str, ...], first: str) -> None:
    assert " ".join(shown(faults(*names)).splitlines()[-2:]).endswith(f"{first}: {first} is wrong. Mend {first}.")


def test_a_single_fault_is_said_once_more_at_the_end() -> None:
    assert shown([ok("x", "fine"), *faults("cas.port")]).endswith(
        "1 FAULT. It is cas.port: cas.port is wrong. Mend cas.port."
    )


@pytest.mark.parametrize(
    ("findings", "has_letter"),
    [
        ([fault("cas.service", "s", "m", "d", TOLD)], True),
        ([fault("cas.service", "s", "m", "d", TOLD), *faults("public.issuer")], False),
        ([fault("cas.service", "s", "m", "d", TOLD), *faults("public.metrics")], True),
        ([warning("cas.certificate", "It expires.", "m", "d", TOLD)], False),
        ([warning("cas.certificate", "It expires.", "m", "d", TOLD), *faults("database")], False),
        (faults("cas.port"), False),
    ],
)
def test_the_letter_is_shown_when_cas_has_something_to_mend_and_we_have_not(
    findings: list[Finding], has_letter: bool
) -> None:
    text = shown(findings)
    assert ("THE LETTER" in text) is has_letter
    assert ("passerelle check --message`." in text) is not has_letter
