"""Text output of `passerelle check`."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bridge.check.findings import Finding, fault, ok, warning
from bridge.check.registration import Registration, RegistrationRequest
from bridge.check.run import Report
from bridge.cli.check_output import format_report, format_settings_errors
from passerelle_common.i18n import Message

TO_CAS = Message("Please act.")


@pytest.mark.parametrize("in_bundle", [True, False])
def test_bundle_explains_where_settings_are(in_bundle: bool) -> None:
    wrong = fault("settings", "PASSERELLE_CAS_URL: is required", "The bridge does not start.", "Correct it.")

    assert ("are in .env, without" in format_settings_errors([wrong], in_bundle=in_bundle)) is in_bundle
    assert ".env" not in format_settings_errors([ok("settings", "Well.")], in_bundle=in_bundle)


def faults(*names: str) -> list[Finding]:
    return [fault(name, f"{name} is wrong.", "It matters.", f"Fix {name}.") for name in names]


def formatted(findings: Sequence[Finding]) -> str:
    ours = Registration(issuer="https://auth.example.org")
    request = RegistrationRequest(registration=ours, cas_url="https://sso/cas", attributes=(), findings=findings)
    return format_report(Report(installation=findings, request=request), "THE MESSAGE")


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
def test_summary_begins_with_root_fault(names: tuple[str, ...], first: str) -> None:
    assert " ".join(formatted(faults(*names)).splitlines()[-2:]).endswith(f"{first}: {first} is wrong. Fix {first}.")


def test_single_fault_is_repeated_at_end() -> None:
    assert formatted([ok("x", "fine"), *faults("cas.port")]).endswith(
        "1 FAULT. It is cas.port: cas.port is wrong. Fix cas.port."
    )


@pytest.mark.parametrize(
    ("findings", "has_message"),
    [
        ([fault("cas.service", "s", "m", "d", TO_CAS)], True),
        ([fault("cas.service", "s", "m", "d", TO_CAS), *faults("public.issuer")], False),
        ([fault("cas.service", "s", "m", "d", TO_CAS), *faults("public.metrics")], True),
        ([warning("cas.certificate", "It expires.", "m", "d", TO_CAS)], False),
        ([warning("cas.certificate", "It expires.", "m", "d", TO_CAS), *faults("database")], False),
        (faults("cas.port"), False),
    ],
)
def test_message_is_shown_if_only_cas_must_act(findings: list[Finding], has_message: bool) -> None:
    text = formatted(findings)
    assert ("THE MESSAGE" in text) is has_message
    assert ("passerelle check --message`." in text) is not has_message
