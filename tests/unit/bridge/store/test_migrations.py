"""Migrations: from an empty or older database, by concurrent processes, and never on tables of other programs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.exc import NoSuchModuleError

from bridge.errors import ConfigurationError
from bridge.identity import Identity
from bridge.store import Store, UserName, fingerprint
from bridge.store.database import open_engine
from bridge.store.migrations import FOLDER, as_config_error, migrate, revisions
from bridge.store.migrations.__main__ import main, write_migration
from bridge.store.schema import metadata
from tests.contract.records import NOW, allow, begin, redeem, works
from tests.support.bridge.postgres import PostgresServer
from tests.support.processes import ProcessGroup

STARTERS = 4
ROUNDS = 40 if os.environ.get("PASSERELLE_TEST_LONG") else 8
STARTER = """
import json, sys, time
from bridge.store import Store
pattern, rounds = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
start = float(sys.stdin.readline())
faults = []
for number in range(1, rounds + 1):
    while time.time() < start + number * float(sys.argv[3]):
        time.sleep(0.0005)
    try:
        store = Store(pattern.replace("NUMBER", str(number)))
        store.check()
        store.close()
    except Exception as error:
        faults.append(f"{number}: {error}")
print(json.dumps(faults))
"""

# Changes tables that others refer to; on SQLite, Alembic copies and drops them.
NEXT_MIGRATION = '''
"""Add a column."""
import sqlalchemy as sa
from alembic import op
revision = "next"
down_revision = "HEAD"
branch_labels = depends_on = None

def upgrade() -> None:
    for table in ("grants", "sessions"):
        with op.batch_alter_table(table, recreate="auto") as batch:
            batch.add_column(sa.Column("more", sa.Text(), nullable=True))
            batch.alter_column("created_at", existing_type=sa.BigInteger(), nullable=True)
'''


# Lists the files of the program that are read after `preload`.
PRELOADED = """
import sys
from bridge.oauth.keys import KeyRing
from bridge.store import Store
Store.preload(sys.argv[1])
read = []
reads = {"open", "os.listdir", "os.scandir"}
sys.addaudithook(lambda event, arguments: read.append(str(arguments[0])) if event in reads else None)
KeyRing(Store(sys.argv[1]), "a secret key of 32 characters...", lambda: 1_800_000_000.0)
print([file for file in read if ".py" in file or "bridge/" in file])
"""


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return [*compare_metadata(context, metadata)]


def refusal(url: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        Store(url)
    return raised.value.description


def check_concurrent_starts(pattern: str, *, rounds: int, every: float) -> None:
    with ProcessGroup(STARTERS, STARTER, pattern, str(rounds), str(every)) as starters:
        starters.wait_for("ready")
        starters.send_line(str(time.time() + 0.1))
        assert [json.loads(output) for output in starters.outputs()] == [[]] * STARTERS


def test_migrations_create_tables_of_schema(empty_database: str) -> None:
    engine = open_engine(empty_database)
    assert differences(engine)
    migrate(engine)
    assert differences(engine) == []
    engine.dispose()


def test_preloaded_process_reads_no_program_file(tmp_path: Path) -> None:
    """`passerelle init --owner` becomes another user, who may not be able to read the program."""
    url = f"sqlite:///{tmp_path}/bridge.sqlite3"
    done = subprocess.run([sys.executable, "-c", PRELOADED, url], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    ("url", "error"),
    [("sqlite:///x", NoSuchModuleError("no plugin")), ("postgresql://h/d", ImportError("no psycopg"))],
)
def test_missing_driver_is_reported_as_such(url: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("bridge.store.database.create_engine", fail)
    with pytest.raises(ConfigurationError, match=f"cannot import the driver of .*: {error};") as raised:
        open_engine(url)
    assert "folder that this user can read" in raised.value.description


def test_migrations_form_one_line() -> None:
    script = ScriptDirectory(str(FOLDER))
    assert len(script.get_heads()) == len(script.get_bases()) == 1
    assert all(step.doc for step in script.walk_revisions())


def test_files_are_named_and_sorted_by_revision() -> None:
    assert [step.revision for step in ScriptDirectory(str(FOLDER)).walk_revisions()] == [*reversed(revisions(FOLDER))]


def test_start_without_migration_does_not_load_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/bridge.sqlite3"
    Store(url).close()
    code = "import sys; from bridge.store import Store; Store(sys.argv[1]); sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code, url], check=False).returncode == 0


def test_second_start_changes_nothing(database: str) -> None:
    store = Store(database)
    begin(store)
    allow(store)
    redeem(store)
    store.close()
    again = Store(database)
    assert works(again, "access")
    again.close()


def test_newer_database_is_rejected_and_unchanged(database: str) -> None:
    engine = open_engine(database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    message = refusal(database)
    assert "was written by a newer version of Passerelle; install that version again, or restore a backup" in message
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
    engine.dispose()


def test_foreign_tables_are_rejected_and_unchanged(empty_database: str) -> None:
    engine = open_engine(empty_database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE sessions (session_hash VARCHAR(64) PRIMARY KEY)"))
    message = refusal(empty_database)
    assert "has a table sessions that no release of Passerelle created" in message
    assert "use an empty or new database" in message
    assert inspect(engine).get_table_names() == ["sessions"]
    engine.dispose()


def test_tables_of_other_names_are_kept(empty_database: str) -> None:
    engine = open_engine(empty_database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE recipes (name VARCHAR(64) PRIMARY KEY)"))
    migrate(engine)
    assert set(inspect(engine).get_table_names()) == {"recipes", "alembic_version", *metadata.tables}
    engine.dispose()


def copy_with_next(tmp_path: Path, body: str) -> Path:
    """Return a copy of the migrations with one more."""
    folder = Path(shutil.copytree(FOLDER, tmp_path / "100% more", ignore=shutil.ignore_patterns("__pycache__")))
    head = ScriptDirectory(str(FOLDER)).get_current_head()
    (folder / "versions" / "next.py").write_text(body.replace("HEAD", str(head)))
    return folder


def test_migration_keeps_sessions_of_first_version(empty_database: str, tmp_path: Path) -> None:
    first = Path(shutil.copytree(FOLDER, tmp_path / "first", ignore=shutil.ignore_patterns("__pycache__", "000[2-9]*")))
    engine = open_engine(empty_database)
    migrate(engine, first)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO sessions (sid, cookie_hash, subject, identity, created_at, expires_at) "
                "VALUES ('sid of session', 'hash', 'alice', '{}', 1, 2)"
            )
        )
        connection.execute(text("INSERT INTO session_tickets VALUES ('ticket', 'sid of session')"))
    engine.dispose()
    store = Store(empty_database)
    assert store.sessions.last_ended_by_cas() is None
    assert list(store.sessions.end_by_ticket("ticket", now=NOW)) == ["sid of session"]
    store.close()


def test_changed_table_keeps_referring_rows(database: str, tmp_path: Path) -> None:
    store = Store(database)
    begin(store)
    allow(store)
    redeem(store)
    engine = open_engine(database)
    migrate(engine, copy_with_next(tmp_path, NEXT_MIGRATION))
    assert "more" in {column["name"] for column in inspect(engine).get_columns("grants")}
    assert works(store, "access")
    assert list(store.sessions.end_by_ticket(fingerprint("ticket of session"), now=NOW)) == ["sid of session"]
    engine.dispose()
    store.close()
    assert "newer version" in refusal(database)


def test_failed_migration_changes_nothing(database: str, tmp_path: Path) -> None:
    broken = f"{NEXT_MIGRATION}    op.execute('SELECT x FROM nowhere')\n"
    engine = open_engine(database)
    with pytest.raises(ConfigurationError, match="nowhere"):
        migrate(engine, copy_with_next(tmp_path, broken))
    assert differences(engine) == []
    migrate(engine)
    engine.dispose()


def test_concurrent_starts_create_sqlite_database_once(tmp_path: Path) -> None:
    check_concurrent_starts(f"sqlite:///{tmp_path}/NUMBER.sqlite3", rounds=ROUNDS, every=0.15)


@pytest.mark.needs("postgres")
def test_concurrent_starts_migrate_postgres_once(postgres: PostgresServer) -> None:
    rounds = 3
    numbers = [int(postgres.create_database().removeprefix("test_")) for _ in range(rounds)]
    assert numbers == [*range(numbers[0], numbers[0] + rounds)]
    for number in range(1, rounds + 1):
        with postgres.connect("postgres") as connection:
            connection.execute(f"ALTER DATABASE test_{numbers[number - 1]} RENAME TO founded_{number}")
    check_concurrent_starts(postgres.url("founded_NUMBER"), rounds=rounds, every=0.6)


def test_unreachable_postgres_is_named_without_password() -> None:
    message = refusal("postgresql://bridge:s3cret@127.0.0.1:1/passerelle")
    assert "PASSERELLE_DATABASE_URL: cannot use postgresql" in message
    assert "s3cret" not in message


def test_sqlite_uses_wal_and_foreign_keys(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/bridge.sqlite3"
    Store(url).close()
    engine = open_engine(url)
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    engine.dispose()
    assert pragmas == {"journal_mode": "wal", "synchronous": 1}


def test_concurrent_switches_to_wal_succeed(tmp_path: Path) -> None:
    """`busy_timeout` does not cover the switch to WAL: without retries, one in a hundred fails."""
    many, rounds = 8, 100
    start = threading.Barrier(many)

    def connect(number: int) -> None:
        for database in range(rounds):
            engine = open_engine(f"sqlite:///{tmp_path}/{database}.sqlite3")
            start.wait()
            try:
                with engine.begin() as connection:
                    connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS made (x)")
            finally:
                engine.dispose()

    with ThreadPoolExecutor(many) as pool:
        assert list(pool.map(connect, range(many))) == [None] * many


def test_migration_is_written_for_changed_schema(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__")))
    (first,) = (folder / "versions").glob("0001_*.py")
    text_of_first = first.read_text()
    (clients,) = (line for line in text_of_first.splitlines(keepends=True) if '"stored_clients"' in line)
    first.write_text(text_of_first.replace(clients, ""))
    written = write_migration("stored clients", folder)
    assert written is not None
    assert written.name.endswith("_stored_clients.py")
    assert int(written.name[:4]) == len(list((FOLDER / "versions").glob("0*.py"))) + 1
    assert written.read_text().startswith('"""stored clients."""\n')
    engine = open_engine(f"sqlite:///{tmp_path}/bridge.sqlite3")
    migrate(engine, folder)
    assert differences(engine) == []
    engine.dispose()
    assert write_migration("again", folder) is None


def test_stored_subject_with_capitals_stays(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/bridge.sqlite3"
    store = Store(url)
    begin(store, identity=Identity(subject="Alice", username="Alice"))
    store.close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE user_names"))
        connection.execute(text("DROP INDEX ix_pending_logins_expires_at_size"))
        connection.execute(text("CREATE INDEX ix_pending_logins_expires_at ON pending_logins (expires_at)"))
        connection.execute(text("ALTER TABLE pending_logins DROP COLUMN size"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0004'"))
    engine.dispose()
    store = Store(url)
    known = UserName(name="alice", subject="alice", spelling="Alice", email_hash=None, full_name_hash=None)
    assert store.user_names.record(known).subject == "Alice"
    store.close()


def test_unchanged_schema_writes_no_migration(capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted((FOLDER / "versions").glob("*.py"))
    assert main(["nothing"]) == 1
    assert "there is nothing to write" in capsys.readouterr().err
    assert main([]) == 2
    assert sorted((FOLDER / "versions").glob("*.py")) == before


def test_locked_database_is_reported_as_locked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/bridge.sqlite3"
    Store(url).close()
    engine = create_engine(url, connect_args={"timeout": 0.05})
    other = create_engine(url)  # `as_config_error` disposes of the first one, and would lose a connection in use
    with other.connect() as holder:
        holder.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(ConfigurationError) as refused, as_config_error(engine), engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    other.dispose()
    assert "database is locked; another program is writing to it" in refused.value.description
    assert "creatable" not in refused.value.description


LOGIN_OF_AN_OLD_WORKER = text(
    "INSERT INTO pending_logins (state_hash, browser_hash, service, request, renew, gateway, attempt, expires_at) "
    f"VALUES ('{fingerprint('state')}', '{fingerprint('browser')}', 'https://x/', '{{}}', true, false, 1, {NOW})"
)


def test_older_worker_can_write_to_a_migrated_database(empty_database: str) -> None:
    store = Store(empty_database)
    engine = open_engine(empty_database)
    with engine.begin() as connection:
        connection.execute(LOGIN_OF_AN_OLD_WORKER)
    engine.dispose()
    found = store.pending_logins.find(fingerprint("state"), browser_hashes=[fingerprint("browser")])
    store.close()
    assert found is not None
    assert found.created_at == NOW - 600


def test_migration_keeps_pending_logins_and_their_age(empty_database: str, tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "000[3-9]*")
    second = Path(shutil.copytree(FOLDER, tmp_path / "second", ignore=ignored))
    engine = open_engine(empty_database)
    migrate(engine, second)
    with engine.begin() as connection:
        connection.execute(LOGIN_OF_AN_OLD_WORKER)
    engine.dispose()
    store = Store(empty_database)
    found = store.pending_logins.find(fingerprint("state"), browser_hashes=[fingerprint("browser")])
    store.close()
    assert found is not None
    assert found.created_at == NOW - 600
