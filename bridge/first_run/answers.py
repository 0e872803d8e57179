"""What an administrator answers, and the settings file that it makes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

DATABASE_NAME = "passerelle.sqlite3"
SECRET_KEY_NAME = "passerelle-secret-key"  # noqa: S105  the name of the file, not what is in it
DEFAULT_BIND = "127.0.0.1:8000"

_HEADER = """\
# Settings of Passerelle's bridge, written by `passerelle init`. All that there are: docs/settings.md.
# PASSERELLE_… variables of the environment win over this file. After a change: `passerelle check`, then start anew.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """All that varies."""

    issuer: str
    cas_url: str
    folder: Path
    """Where the settings and the secret key go."""
    data: Path
    """Where the SQLite database goes."""
    bind: str
    proxy_hops: int
    support_contact: str = ""
    cas_ca_file: Path | None = None
    database_url_file: Path | None = None
    """Holds the URL of another database, which then is the one."""

    @property
    def secret_key_file(self) -> Path:
        """Where what encrypts the signing keys is kept."""
        return self.folder / SECRET_KEY_NAME


def default_bind(issuer: str) -> str:
    """Where to listen: a plain http issuer has nothing in front, so it names the port itself."""
    parts = urlsplit(issuer)
    return f"127.0.0.1:{parts.port or 80}" if parts.scheme == "http" else DEFAULT_BIND


def default_proxy_hops(issuer: str) -> int:
    """The bridge speaks plain http: whoever ends TLS stands in front."""
    return int(issuer.startswith("https:"))


def data_folder_fault(data: Path) -> str | None:
    """Why the database's URL could not name a file in this folder, or None."""
    if re.match(r"[a-z][a-z0-9+.-]+:", str(data)):  # a Path has one slash left of a URL's two
        return "is a URL, not a folder: put it into a file and give --database-url-file, for it may hold a password"
    if re.search(r"[?#%]", str(data)) or not str(data).isprintable():
        return "holds one of ? # % or a control character, which a database URL cannot have"
    return None


def settings_text(answers: Answers) -> str:
    """The settings file, to be read by people as well."""
    return "\n".join([_HEADER, *_entries(answers)])


def _entries(answers: Answers) -> Iterator[str]:
    yield _entry(
        "Where browsers and applications reach the bridge. It is in every token: choose it for good.",
        "issuer",
        answers.issuer,
    )
    yield _entry("Your CAS, the address that /login is below.", "cas_url", answers.cas_url)
    if answers.cas_ca_file is not None:
        yield _entry("Who issued the certificate of CAS.", "cas_ca_file", str(answers.cas_ca_file))
    yield _entry(
        "Encrypts the signing keys in the database, which are lost without it. Keep a copy elsewhere.",
        "secret_key_file",
        str(answers.secret_key_file),
    )
    if answers.database_url_file is not None:
        yield _entry("Holds the URL of the database.", "database_url_file", str(answers.database_url_file))
    else:
        yield _entry(
            "Signed-in people, applications, keys.", "database_url", f"sqlite:///{answers.data / DATABASE_NAME}"
        )
    yield _entry(
        "Where the bridge listens, in plain http: for the proxy in front, and nobody else.", "bind", answers.bind
    )
    yield _entry(
        "How many proxies in front add to X-Forwarded-For. One too many, and callers can choose their own address.",
        "proxy_hops",
        answers.proxy_hops,
    )
    if answers.support_contact:
        yield _entry("Whom pages tell people to ask.", "support_contact", answers.support_contact)


def _entry(comment: str, name: str, value: str | int) -> str:
    # JSON's strings are TOML's, except that TOML wants one more character escaped.
    written = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"# {comment}\n{name} = {written}\n"
