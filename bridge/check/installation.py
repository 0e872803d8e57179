"""Facts and findings about the installation: settings, database, secret key, clients and file permissions.

The database is read once, within a time limit, and without any change.
"""

import re
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from bridge.check.findings import Finding, fault, join_names, note, ok, printable, warning
from bridge.check.probe import PROBE_SECONDS, run_in_background
from bridge.errors import BridgeError, ConfigurationError
from bridge.settings import ClientSettings
from bridge.store import NotReady, Session, Store, StoreFailure, required_connections

SESSION_LIMIT = 20

ListClients = Callable[[Store], Sequence[ClientSettings]]
CheckKeys = Callable[[Store], None]  # raises ConfigurationError if the secret key does not decrypt the signing keys
DatabaseState = NotReady | Literal["read", "failed"]

SHORT_KEY_CHARS = 32
FEW_DISTINCT_CHARS = 8
_EXAMPLE = re.compile(r"change.?me|replace.?me|password|passw0rd|example|secret.?key|0123456789|12345678|qwerty", re.I)
_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///(?P<file>(?!:memory:|file:)[^?]+)")
_whole = partial(printable, max_chars=None)
# Container secrets: the orchestrator sets their mode, and the container has no other users.
_MOUNTED = Path("/run/secrets")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseReading:
    """The result of an attempt to read the database."""

    state: DatabaseState
    error: str = ""
    clients: Sequence[ClientSettings] = ()
    sessions: Sequence[Session] = ()  # the newest first, including ended ones
    last_ended_by_cas: int | None = None
    kids: Sequence[str] = ()
    connection_limit: int | None = None  # of PostgreSQL
    key_error: str | None = None  # why the signing keys cannot be used

    @property
    def is_known(self) -> bool:
        """Return whether the content of the database is known."""
        return self.state not in ("failed", "older")


def read_database(url: str, list_clients: ListClients, check_keys: CheckKeys) -> DatabaseReading:
    """Read the database within `PROBE_SECONDS`, a limit that no driver guarantees."""
    try:
        return run_in_background(lambda: _read(url, list_clients, check_keys)).result(PROBE_SECONDS)
    except TimeoutError:
        error = f"No response from the database within {PROBE_SECONDS:.0f} s"
    except StoreFailure as failure:
        error = str(getattr(failure, "orig", None) or type(failure).__name__).strip().splitlines()[0]
    except BridgeError as failure:
        error = "; ".join(getattr(failure, "faults", ())) or failure.description
    except Exception as failure:  # noqa: BLE001  drivers raise their own exceptions, whose text may quote the URL
        error = f"The driver rejects PASSERELLE_DATABASE_URL: {type(failure).__name__}"
    return DatabaseReading(state="failed", error=error)


def _read(url: str, list_clients: ListClients, check_keys: CheckKeys) -> DatabaseReading:
    store = Store.open_existing(url)
    if not isinstance(store, Store):
        return DatabaseReading(state=store)
    with closing(store):
        key_error = None
        try:
            check_keys(store)
        except ConfigurationError as error:
            key_error = "; ".join(error.faults)
        return DatabaseReading(
            state="read",
            clients=list_clients(store),
            sessions=store.sessions.list_newest(limit=SESSION_LIMIT),
            last_ended_by_cas=store.sessions.last_ended_by_cas(),
            kids=[key.kid for key in store.keys.all()],
            connection_limit=store.connection_limit(),
            key_error=key_error,
        )


def evaluate_settings(errors: Sequence[str], file: str | None = None) -> list[Finding]:
    """Return one finding for each error in the settings, or one that they are valid."""
    do = "Correct it; the settings page of the documentation lists the allowed values."
    if errors:
        return [fault("settings", _whole(text), "The bridge does not start.", do) for text in errors]
    return [ok("settings", f"The settings are valid{f' ({_whole(file)})' if file else ''}.")]


def evaluate_database(state: DatabaseState, kind: str, error: str = "") -> Finding:
    """Evaluate whether the bridge can use the database now, or after its next start."""
    created = "`passerelle serve` creates it at start; the check changed nothing."
    match state:
        case "read":
            return ok("database", f"The database responds ({kind}).")
        case "absent":
            return note("database", f"There is no database yet ({kind}).", created)
        case "empty":
            return note("database", f"The database responds ({kind}) and has no tables yet.", created)
        case "older":
            seen = f"The database responds ({kind}) and has the tables of an older version, so it was not read."
            return note("database", seen, "`passerelle serve` upgrades it at start. Keep a backup.")
    seen, remedy = _split_remedy(
        error.removeprefix("PASSERELLE_DATABASE_URL: "),
        "start the database, or correct PASSERELLE_DATABASE_URL (host, name, password, file permissions)",
    )
    return fault("database", seen, "Users cannot sign in, because the bridge stores all its state there.", remedy)


def evaluate_connections(allowed: int, workers: int) -> Finding:
    """Evaluate whether PostgreSQL allows as many connections as the workers can open."""
    required = required_connections(workers)
    if allowed >= required:
        return ok("database.connections", f"PostgreSQL allows {allowed} connections; the bridge needs {required}.")
    return warning(
        "database.connections",
        f"PostgreSQL allows {allowed} connections; {workers} workers and the commands need {required}.",
        "Sign-ins fail with status 503 under load.",
        f"Raise max_connections of the server by {required - allowed}, or lower PASSERELLE_WORKERS.",
    )


def _split_remedy(error: str, default: str) -> tuple[str, str]:
    """Split an error into the problem and the remedy after its last semicolon."""
    problem, _, remedy = _whole(error).rstrip(".").rpartition("; ")
    if not problem:
        problem, remedy = remedy, default
    return f"{problem}.", f"{remedy[:1].upper()}{remedy[1:]}."


def evaluate_service_state(pattern: str) -> Finding:
    """Warn of sign-ins whose state is in a cookie only (decision 10)."""
    return warning(
        "service_state",
        "PASSERELLE_CAS_SERVICE_STATE is cookie, so the service URL does not identify the sign-in.",
        "A malicious page can sign a user in to another account unnoticed (login CSRF).",
        f"Ask the CAS administrator to register the pattern {pattern} then remove that setting.",
    )


def evaluate_secret_key(key: str, error: str | None = None) -> Finding:
    """Evaluate the secret key without showing it."""
    if error is not None:
        seen, remedy = _split_remedy(error, "set the former value again")
        return fault("secret_key", seen, "The bridge does not start.", remedy)
    few = len(set(key)) < FEW_DISTINCT_CHARS
    reason = f"has only {len(set(key))} distinct characters" if few else None
    if _EXAMPLE.search(key):
        reason = "contains words from an example"
    do = "Generate one with `openssl rand -hex 32` before the first sign-in, because it encrypts the signing keys."
    if reason:
        means = "With a copy of the database, an attacker can guess it, read the signing keys and sign tokens."
        return fault("secret_key", f"PASSERELLE_SECRET_KEY {reason}.", means, do)
    if len(key) < SHORT_KEY_CHARS:
        means = "An attacker may guess it from a copy of the database."
        return warning("secret_key", f"PASSERELLE_SECRET_KEY has only {len(key)} characters.", means, do)
    return ok("secret_key", "The secret key is long enough and looks random.")


def evaluate_clients(clients: Sequence[ClientSettings]) -> Finding:
    """Evaluate whether at least one client is registered."""
    if clients:
        names = join_names((client.client_id for client in clients), limit=6)
        return ok("clients", f"{len(clients)} client{'s' * (len(clients) != 1)} registered: {names}.")
    do = "Register one: `passerelle clients add --help`."
    return warning("clients", "No client is registered.", "Users have no application to sign in to.", do)


def evaluate_file_modes(secret_files: Iterable[Path], database_url: str) -> list[Finding]:
    """Return one finding for each sensitive file that every user of this machine can read."""
    files = dict.fromkeys(secret_files, "A reader can sign tokens, or sign in as an application.")
    if database := _SQLITE.match(database_url):
        files[Path(database["file"])] = "It holds users, their groups, and the encrypted keys."
    return [
        warning(
            "files.open",
            f"Every user of this machine can read {printable(str(file))}.",
            means,
            f"Run `chmod go= {printable(str(file))}` as its owner, who must be the user that runs the bridge.",
        )
        for file, means in files.items()
        if not file.is_relative_to(_MOUNTED) and _is_readable_by_all(file)
    ]


def _is_readable_by_all(file: Path) -> bool:
    """Return whether other users can read the file and enter its directories."""
    try:
        real = file.resolve(strict=True)
        if not real.stat().st_mode & stat.S_IROTH:
            return False
        return all(folder.stat().st_mode & stat.S_IXOTH for folder in real.parents)
    except (OSError, RuntimeError):
        return False
