"""Text output of `passerelle check`, without colour."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bridge.check.findings import Finding

if TYPE_CHECKING:
    from bridge.check.run import Report

_MARGIN = " " * 11
_MAX_COLUMNS = 100
_IN_BUNDLE = (
    "In this bundle, PASSERELLE_CAS_… settings are in .env, without the prefix PASSERELLE_. "
    "PASSERELLE_ISSUER is composed of AUTH_HOST and HTTPS_PORT there. All other settings belong in the file that "
    "BRIDGE_CONFIG_FILE names. Apply a change with `docker compose up -d`."
)


def format_report(report: Report, message: str, *, in_bundle: bool = False) -> str:
    """Return the whole report, with the summary last so that a terminal still shows it."""
    registration = report.request.registration
    parts = [
        _section("This installation", report.installation),
        _section(f"CAS: {report.request.cas_url}", report.cas),
        _section(f"Our public address: {registration.issuer}", report.public),
        *([_section("Hosts of the labs", report.labs)] if report.labs else []),
        *([_section("Applications that receive sign-outs", report.applications)] if report.applications else []),
        _section("Past sign-ins", report.sign_ins),
        "To register at CAS\n"
        f"  service pattern   {registration.pattern}\n"
        f"  logout URL        {registration.logout_url}   (back channel)",
    ]
    if _needs_cas_administrator(report.findings):
        ruler = "-" * 72
        parts.append(f"To the CAS administrator (`--message` prints only this)\n{ruler}\n{message.rstrip()}\n{ruler}")
    else:
        parts.append("To print a message with all of this to the CAS administrator: `passerelle check --message`.")
    return "\n\n".join([*parts, *_settings_location(report.findings, in_bundle), _summary(report.findings)])


def format_settings_errors(findings: Sequence[Finding], *, in_bundle: bool = False) -> str:
    """Return the report for invalid settings."""
    found = _section("This installation", findings)
    return "\n\n".join([found, *_settings_location(findings, in_bundle), _summary(findings)])


def _settings_location(findings: Sequence[Finding], in_bundle: bool) -> list[str]:
    """Explain where settings are in the bundle, because compose.yml renames them."""
    if not in_bundle or not any("PASSERELLE_" in f"{finding.seen} {finding.do}" for finding in findings):
        return []
    return [_wrapped(_IN_BUNDLE)]


def count_levels(findings: Sequence[Finding]) -> dict[str, int]:
    """Return the numbers of faults and warnings."""
    levels = [finding.level for finding in findings]
    return {"faults": levels.count("FAULT"), "warnings": levels.count("warning")}


def _summary(findings: Sequence[Finding]) -> str:
    faults, warnings = count_levels(findings).values()
    also = f", {warnings} warning{'s' * (warnings != 1)}" if warnings else ""
    if not faults:
        return f"No fault{also}."
    first = min((finding for finding in findings if finding.level == "FAULT"), key=_fix_order)
    lead = "Begin with" if faults > 1 else "It is"
    return _wrapped(f"{faults} FAULT{'S' * (faults != 1)}{also}. {lead} {first.id}: {first.seen} {first.do}")


def _fix_order(finding: Finding) -> int:
    """Return the position of a fault in the order of fixing: our own address before its registration."""
    if finding.id == "cas.service":
        return 2
    return (
        1
        if _is_about_our_address(finding)
        else 3 * finding.id.startswith(("public.", "labs.", "logout.", "attributes."))
    )


def _is_about_our_address(finding: Finding) -> bool:
    return finding.id.startswith("public.") and finding.id != "public.metrics"


def _needs_cas_administrator(findings: Sequence[Finding]) -> bool:
    """Return whether the CAS administrator has to act and our own address is correct."""
    faults = [finding for finding in findings if finding.level == "FAULT"]
    return any(finding.to_cas for finding in faults) and not any(map(_is_about_our_address, faults))


def _section(title: str, findings: Sequence[Finding]) -> str:
    lines = [title]
    for finding in findings:
        lines.append(_wrapped(f"{finding.id}: {finding.seen}", f"  {finding.level.ljust(9)}", _MARGIN))
        for label, text in (("Meaning", finding.means), ("Do", finding.do)):
            if text:
                lines.append(_wrapped(text, f"{_MARGIN}{label}: ", f"{_MARGIN}  "))
    return "\n".join(lines)


def _wrapped(text: str, first: str = "", margin: str = "") -> str:
    """Wrap text to the terminal without breaking URLs and commands, so they can be copied."""
    width = max(40, min(_MAX_COLUMNS, shutil.get_terminal_size((_MAX_COLUMNS, 24)).columns))
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
    )
