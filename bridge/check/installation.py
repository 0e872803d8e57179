"""This installation by itself: its settings, its secret key and its clients. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bridge.check.findings import Finding, fault, listed, note, ok, plain, warning
from bridge.settings import ClientSettings

_SHORT_CHARS = 32
_FEW_DIFFERENT_CHARS = 8
_EXAMPLE = re.compile(r"change.?me|replace.?me|password|passw0rd|example|secret.?key|0123456789|12345678|qwerty", re.I)


def judge_settings(faults: Sequence[str]) -> list[Finding]:
    """One finding for each fault, or one that there is none."""
    do = "Correct it; the settings page of the documentation says what each may be."
    return [fault("settings", plain_whole(text), "The bridge does not start.", do) for text in faults] or [
        ok("settings", "The settings can be read.")
    ]


def plain_whole(text: str) -> str:
    """A fault of the settings is ours to word, so it is not cut."""
    return "".join(char if char.isprintable() else " " for char in text)


def judge_database(fault_found: str | None, place: str) -> Finding:
    """Whether it answers."""
    if fault_found is None:
        return ok("database", f"The database answers ({place}).")
    return fault(
        "database",
        plain_whole(fault_found.removeprefix("PASSERELLE_DATABASE_URL: ")).rstrip(".") + ".",
        "Nobody can sign in: everything is kept there.",
        "Start the database, or correct PASSERELLE_DATABASE_URL (host, name, password, file permissions).",
    )


def judge_secret_key(key: str) -> Finding:
    """By its looks alone; it is never shown."""
    reason = None
    if _EXAMPLE.search(key):
        reason = "has words in it that come from an example"
    elif len(set(key)) < _FEW_DIFFERENT_CHARS:
        reason = f"is made of {len(set(key))} different characters"
    do = "Make one by `openssl rand -hex 32`, before anybody signs in: the signing keys are encrypted by it."
    if reason:
        means = "Who guesses it can read the signing keys in a copy of the database, and sign tokens."
        return fault("secret_key", f"PASSERELLE_SECRET_KEY {reason}.", means, do)
    if len(key) < _SHORT_CHARS:
        means = "It may be guessed from a copy of the database."
        return warning("secret_key", f"PASSERELLE_SECRET_KEY has {len(key)} characters.", means, do)
    return ok("secret_key", "The secret key is long enough and looks random.")


def judge_clients(clients: Sequence[ClientSettings]) -> Finding:
    """Without one, nobody can sign in to anything."""
    if clients:
        names = listed((client.client_id for client in clients), most=6)
        return ok("clients", f"{len(clients)} client{'s' * (len(clients) != 1)} registered: {names}.")
    return warning(
        "clients",
        "No client is registered.",
        "There is no application to sign in to.",
        "Register one: `passerelle clients add --help`.",
    )


def judge_ca_file(
    about: str, setting: str, file: Path, reason: str | None, *, is_needed: bool | None, holds_its_own: bool = False
) -> Finding | None:
    """A file with authorities: whether it can be used, and is of use.

    :param reason: why it cannot be used
    :param is_needed: whether the server is trusted by it alone; None when nobody looked
    :param holds_its_own: whether the server's own certificate is in it, in place of its authority's
    """
    if reason is not None:
        return fault(
            about,
            f"{setting} ({file}) cannot be used: {plain(reason)}.",
            "No certificate can be verified, so nothing was asked.",
            "It must be a file with certificates in PEM form (-----BEGIN CERTIFICATE-----)."
            + (" DER becomes PEM by `openssl x509 -inform der -in FILE -out FILE.pem`." if "PEM" in reason else ""),
        )
    if is_needed is False:
        return ok(about, f"{setting} is not needed: this machine trusts that certificate by itself.")
    if holds_its_own:
        return note(
            about,
            f"{setting} holds the server's own certificate.",
            "It is trusted until it is renewed: from that moment on nobody can sign in.",
            "Put the certificate of the authority that issues it there, if there is one; otherwise replace the file "
            "at each renewal.",
        )
    return None
