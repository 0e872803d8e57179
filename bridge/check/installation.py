"""This installation by itself: its settings, its secret key and its clients. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from bridge.check.findings import Finding, fault, listed, note, ok, plain, warning
from bridge.settings import ClientSettings
from bridge.store import NotReady

State = NotReady | Literal["read", "failed"]

_SHORT_CHARS = 32
_FEW_DIFFERENT_CHARS = 8
_EXAMPLE = re.compile(r"change.?me|replace.?me|password|passw0rd|example|secret.?key|0123456789|12345678|qwerty", re.I)


def judge_settings(faults: Sequence[str], file: str | None = None) -> list[Finding]:
    """One finding for each fault, or one that there is none, and which file was read."""
    do = "Correct it; the settings page of the documentation says what each may be."
    return [fault("settings", plain_whole(text), "The bridge does not start.", do) for text in faults] or [
        ok("settings", f"The settings can be read{f' ({plain_whole(file)})' if file else ''}.")
    ]


def plain_whole(text: str) -> str:
    """A fault of the settings is ours to word, so it is not cut."""
    return "".join(char if char.isprintable() else " " for char in text)


def judge_database(state: State, place: str, fault_found: str = "") -> Finding:
    """Whether it can be used, or will be as soon as the bridge starts.

    :param place: its kind
    :param fault_found: what is wrong where it failed; a remedy of its own stands behind its last semicolon
    """
    by_itself = "`passerelle serve` makes it when it starts; nothing was changed now."
    match state:
        case "read":
            return ok("database", f"The database answers ({place}).")
        case "absent":
            return note("database", f"There is no database yet ({place}).", by_itself)
        case "empty":
            return note("database", f"The database answers ({place}), and holds no tables yet.", by_itself)
        case "older":
            seen = f"The database answers ({place}), and has the tables of an older version: nothing was read."
            return note("database", seen, "`passerelle serve` brings it up to date when it starts. Keep a backup.")
    seen, remedy = _with_remedy(
        fault_found.removeprefix("PASSERELLE_DATABASE_URL: "),
        "start the database, or correct PASSERELLE_DATABASE_URL (host, name, password, file permissions)",
    )
    return fault("database", seen, "Nobody can sign in: everything is kept there.", remedy)


def _with_remedy(text: str, usual: str) -> tuple[str, str]:
    """A fault that says what to do, taken apart into two sentences."""
    seen, _, remedy = plain_whole(text).rstrip(".").rpartition("; ")
    remedy = remedy if seen else usual
    return f"{seen or plain_whole(text).rstrip('.')}.", f"{remedy[:1].upper()}{remedy[1:]}."


def judge_service_state(about: str, pattern: str) -> Finding:
    """Of sign-ins whose id travels in a cookie alone (decision 10).

    :param pattern: the one that would make it needless
    """
    return warning(
        about,
        "PASSERELLE_CAS_SERVICE_STATE is cookie: nothing in the address says which sign-in CAS answers.",
        "A hostile page can sign somebody in as another user without their noticing (login CSRF).",
        f"Ask the CAS administrator to register the pattern {pattern} then take that setting away.",
    )


def judge_secret_key(key: str, key_fault: str | None = None) -> Finding:
    """By whether it opens the stored keys, then by its looks; it is never shown.

    :param key_fault: why the bridge would not start with it
    """
    if key_fault is not None:
        seen, remedy = _with_remedy(key_fault, "set the former value again")
        return fault("secret_key", seen, "The bridge does not start.", remedy)
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
