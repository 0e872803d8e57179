"""How `passerelle check` shows what it found: lines to be read by somebody tired, without colour."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

from bridge.check.examination import Report
from bridge.check.findings import Finding
from bridge.check.registration import single_logout_url

_LEVEL_WIDTH = 9
_WIDEST = 100
_IN_BUNDLE = (
    "PASSERELLE_CAS_… and PASSERELLE_SINGLE_LOGOUT_… are in .env here, without PASSERELLE_; PASSERELLE_ISSUER is made "
    "of AUTH_HOST and HTTPS_PORT there. Every other setting goes into the file that BRIDGE_CONFIG_FILE names. "
    "`docker compose up -d` makes a change count."
)


def report_text(report: Report, message: str, *, in_bundle: bool = False) -> str:
    """Everything, the summary last: that is what a terminal still shows."""
    request = report.request
    parts = [
        _section("This installation", report.installation),
        _section(f"CAS: {request.cas_url}", report.cas),
        _section(f"Our public address: {request.issuer}", report.public),
        *([_section("Applications that are told of sign-outs", report.applications)] if report.applications else []),
        _section("What sign-ins have shown", report.sign_ins),
        "\n".join(
            [
                "To be registered at CAS",
                f"  service pattern   {request.pattern}",
                f"  logout URL        {single_logout_url(request.issuer)}   (back channel)",
            ]
        ),
    ]
    if _is_time_for_the_letter(report.findings):
        ruler = "-" * 72
        parts.append(f"To the CAS administrator (`--message` prints this alone)\n{ruler}\n{message.rstrip()}\n{ruler}")
    else:
        parts.append("A message to the CAS administrator with all of this: `passerelle check --message`.")
    return "\n\n".join([*parts, *_where_settings_are(report.findings, in_bundle), _verdict(report.findings)])


def settings_text(findings: Sequence[Finding], *, in_bundle: bool = False) -> str:
    """When there is nothing but faults of the settings."""
    found = _section("This installation", findings)
    return "\n\n".join([found, *_where_settings_are(findings, in_bundle), _verdict(findings)])


def _where_settings_are(findings: Sequence[Finding], in_bundle: bool) -> list[str]:
    """Remedies name settings of the bridge; what compose.yml hands on has another name where people write it."""
    if not in_bundle or not any("PASSERELLE_" in f"{finding.seen} {finding.do}" for finding in findings):
        return []
    return [_wrapped(_IN_BUNDLE, "", "")]


def summary(findings: Sequence[Finding]) -> dict[str, int]:
    """How many there are."""
    levels = [finding.level for finding in findings]
    return {"faults": levels.count("FAULT"), "warnings": levels.count("warning")}


def _verdict(findings: Sequence[Finding]) -> str:
    counts = summary(findings)
    faults, warnings = counts["faults"], counts["warnings"]
    also = f", {warnings} warning{'s' * (warnings != 1)}" if warnings else ""
    if not faults:
        return f"No fault{also}."
    first = min((finding for finding in findings if finding.level == "FAULT"), key=_turn)
    begin = "Begin with" if faults > 1 else "It is"
    return _wrapped(
        f"{faults} FAULT{'S' * (faults != 1)}{also}. {begin} {first.about}: {first.seen} {first.do}", "", ""
    )


def _turn(finding: Finding) -> int:
    """Where a fault stands in the order of mending: while our own address is wrong, a wrong one would be registered."""
    if finding.about == "cas.service":
        return 2
    return 1 if _is_of_our_address(finding) else 3 * finding.about.startswith(("public.", "logout.", "attributes."))


def _is_of_our_address(finding: Finding) -> bool:
    return finding.about.startswith("public.") and finding.about != "public.metrics"


def _is_time_for_the_letter(findings: Sequence[Finding]) -> bool:
    """Whether there is something for those who run CAS to mend, and our own part is in order."""
    faults = [finding for finding in findings if finding.level == "FAULT"]
    return any(finding.to_cas for finding in faults) and not any(map(_is_of_our_address, faults))


def _section(title: str, findings: Sequence[Finding]) -> str:
    return "\n".join([title, *(_lines(finding) for finding in findings)])


def _lines(finding: Finding) -> str:
    margin = " " * (_LEVEL_WIDTH + 2)
    lines = [_wrapped(f"{finding.about}: {finding.seen}", f"  {finding.level.ljust(_LEVEL_WIDTH)}", margin)]
    if finding.means:
        lines.append(_wrapped(finding.means, f"{margin}Meaning: ", f"{margin}  "))
    if finding.do:
        lines.append(_wrapped(finding.do, f"{margin}Do: ", f"{margin}  "))
    return "\n".join(lines)


def _wrapped(text: str, first: str, margin: str) -> str:
    """Addresses and commands are never broken: they are there to be copied."""
    width = max(40, min(_WIDEST, shutil.get_terminal_size((_WIDEST, 24)).columns))
    return textwrap.fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
