"""Answers of the administrator, and the settings file built from them."""

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
    folder: Path  # for the settings file and the secret key
    data: Path  # for the SQLite database
    bind: str
    proxy_hops: int
    support_contact: str = ""
    cas_ca_file: Path | None = None
    database_url_file: Path | None = None  # holds the URL of a PostgreSQL database, which replaces SQLite

    @property
    def secret_key_file(self) -> Path:
        """File with the key that encrypts the signing keys."""
        return self.folder / SECRET_KEY_NAME


def default_bind(issuer: str) -> str:
    """Return the address to listen on; an http issuer has no proxy in front, so its port is used."""
    parts = urlsplit(issuer)
    return f"127.0.0.1:{parts.port or 80}" if parts.scheme == "http" else DEFAULT_BIND


def data_folder_fault(data: Path) -> str | None:
    """Return why a folder cannot be part of a database URL, or None."""
    if re.match(r"[a-z][a-z0-9+.-]+:", str(data)):  # a Path keeps only one slash of a URL
        return "is a URL, not a folder: write it to a file and pass --database-url-file, because it can hold a password"
    if re.search(r"[?#%]", str(data)) or not str(data).isprintable():
        return "has ?, #, % or a control character, which a database URL cannot have"
    return None


def settings_text(answers: Answers) -> str:
    """Return the commented settings file."""
    database_url = None if answers.database_url_file else f"sqlite:///{answers.data / DATABASE_NAME}"
    entries = {
        "issuer": (answers.issuer, "Public URL of the bridge. It is part of every token: choose it for good."),
        "cas_url": (answers.cas_url, "Base URL of CAS, without /login."),
        "cas_ca_file": (answers.cas_ca_file, "Certificate authority of CAS."),
        "secret_key_file": (
            answers.secret_key_file,
            "Encrypts the signing keys in the database; keep a backup elsewhere.",
        ),
        "database_url_file": (answers.database_url_file, "File with the URL of the database."),
        "database_url": (database_url, "Database for sessions, clients and keys."),
        "bind": (answers.bind, "Address to listen on, in plain http, reachable only for the proxy in front."),
        "proxy_hops": (
            answers.proxy_hops,
            "Number of proxies that append to X-Forwarded-For. If it is too high, clients can spoof their address.",
        ),
        "support_contact": (answers.support_contact or None, "Contact shown on pages."),
    }
    return "\n".join([_HEADER, *(_entry(name, *entry) for name, entry in entries.items() if entry[0] is not None)])


def _entry(name: str, value: str | int | Path | None, comment: str) -> str:
    # JSON strings are TOML strings, but TOML also requires DEL to be escaped.
    written = json.dumps(value, ensure_ascii=False, default=str).replace("\x7f", "\\u007f")
    return f"# {comment}\n{name} = {written}\n"
