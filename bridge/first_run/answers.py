"""Answers of the administrator, and the settings file built from them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

DATABASE_NAME = "passerelle.sqlite3"
SECRET_KEY_NAME = "passerelle-secret-key"  # noqa: S105  the name of the file, not what is in it
DEFAULT_BIND = "127.0.0.1:8000"

_HEADER = """\
# Settings of Passerelle's bridge, written by `passerelle init`. Reference: docs/settings.md.
# PASSERELLE_… environment variables override this file. After a change, run `passerelle check` and restart.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The values of a new installation."""

    issuer: str
    cas_url: str
    folder: Path
    """Folder for the settings file and the secret key."""
    data: Path
    """Folder for the SQLite database."""
    bind: str
    proxy_hops: int
    support_contact: str = ""
    cas_ca_file: Path | None = None
    database_url_file: Path | None = None
    """File with the URL of a PostgreSQL database, which replaces SQLite."""

    @property
    def secret_key_file(self) -> Path:
        """File with the key that encrypts the signing keys."""
        return self.folder / SECRET_KEY_NAME


def default_bind(issuer: str) -> str:
    """Return the address to listen on; an http issuer has no proxy in front, so its port is used."""
    parts = urlsplit(issuer)
    return f"127.0.0.1:{parts.port or 80}" if parts.scheme == "http" else DEFAULT_BIND


def default_proxy_hops(issuer: str) -> int:
    """Return 1 for an https issuer, because a proxy terminates TLS."""
    return int(issuer.startswith("https:"))


def data_folder_fault(data: Path) -> str | None:
    """Return why a folder cannot be part of a database URL, or None."""
    if re.match(r"[a-z][a-z0-9+.-]+:", str(data)):  # a Path keeps only one slash of a URL
        return "is a URL, not a folder: write it to a file and pass --database-url-file, because it can hold a password"
    if re.search(r"[?#%]", str(data)) or not str(data).isprintable():
        return "has ?, #, % or a control character, which a database URL cannot have"
    return None


def settings_text(answers: Answers) -> str:
    """Return the commented settings file."""
    entries: list[tuple[str, str, str | int | None]] = [
        ("Public URL of the bridge. It is part of every token: choose it for good.", "issuer", answers.issuer),
        ("Base URL of CAS, without /login.", "cas_url", answers.cas_url),
        ("Certificate authority of CAS.", "cas_ca_file", _text(answers.cas_ca_file)),
        (
            "Encrypts the signing keys in the database. Keep a backup elsewhere: without it the keys are lost.",
            "secret_key_file",
            str(answers.secret_key_file),
        ),
        ("File with the URL of the database.", "database_url_file", _text(answers.database_url_file)),
        (
            "Database for sessions, clients and keys.",
            "database_url",
            None if answers.database_url_file else f"sqlite:///{answers.data / DATABASE_NAME}",
        ),
        ("Address to listen on, in plain http, reachable only for the proxy in front.", "bind", answers.bind),
        (
            "Number of proxies that append to X-Forwarded-For. If it is too high, clients can spoof their address.",
            "proxy_hops",
            answers.proxy_hops,
        ),
        ("Contact shown on pages.", "support_contact", answers.support_contact or None),
    ]
    return "\n".join(
        [_HEADER, *(_entry(comment, name, value) for comment, name, value in entries if value is not None)]
    )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _entry(comment: str, name: str, value: str | int) -> str:
    # JSON strings are TOML strings, but TOML also requires DEL to be escaped.
    written = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"# {comment}\n{name} = {written}\n"
