"""The tables as migrations make them: from nothing, by several at once, and never into what is not ours."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from bridge.errors import ConfigurationError
from bridge.store import SqlStore, fingerprint
from bridge.store.database import open_engine
from bridge.store.migrations import FOLDER, as_click_error, bring_up_to_date
from bridge.store.migrations.__main__ import main, write_migration
from bridge.store.schema import metadata
from tests.contract.records import NOW, allow, begin, redeem, works
from tests.support.bridge.postgres import PostgresServer
from tests.support.processes import ProcessGroup

FOUNDERS = 4
ROUNDS = 40 if os.environ.get("PASSERELLE_TEST_LONG") else 8
FOUNDER = """
import json, sys, time
from bridge.store import SqlStore
pattern, rounds = sys.argv[1], int(sys.argv[2])
print("here", flush=True)
start = float(sys.stdin.readline())
faults = []
for number in range(1, rounds + 1):
    while time.time() < start + number * float(sys.argv[3]):
        time.sleep(0.0005)
    try:
        store = SqlStore(pattern.replace("NUMBER", str(number)))
        store.check()
        store.close()
    except Exception as error:
        faults.append(f"{number}: {error}")
print(json.dumps(faults))
"""

# A change of a table that others refer to: SQLite makes it by copying the table and dropping the old one.
NEXT_MIGRATION = '''
"""A column more."""
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


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return [*compare_metadata(context, metadata)]


def refusal(url: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        SqlStore(url)
    return raised.value.description


def founders_find_no_fault(pattern: str, *, rounds: int, every: float) -> None:
    with ProcessGroup(FOUNDERS, FOUNDER, pattern, str(rounds), str(every)) as founders:
        founders.wait_for("here")
        founders.send_line(str(time.time() + 0.1))
        assert [json.loads(said) for said in founders.outputs()] == [[]] * FOUNDERS


def test_the_migrations_make_exactly_the_tables_of_the_schema(empty_database: str) -> None:
    engine = open_engine(empty_database)
    assert differences(engine)
    bring_up_to_date(engine)
    assert differences(engine) == []
    engine.dispose()


def test_there_is_one_line_of_migrations() -> None:
    script = ScriptDirectory(str(FOLDER))
    assert len(script.get_heads()) == len(script.get_bases()) == 1
    assert all(step.doc for step in script.walk_revisions())


def test_a_second_start_changes_nothing(database: str) -> None:
    store = SqlStore(database)
    begin(store)
    allow(store)
    redeem(store)
    store.close()
    again = SqlStore(database)
    assert works(again, "access")
    again.close()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(database: str) -> None:
    engine = open_engine(database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    said = refusal(database)
    assert "was written by a newer version of Passerelle; install that one again, or restore a backup" in said
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
    engine.dispose()


def test_tables_that_no_release_made_are_refused_and_left_alone(empty_database: str) -> None:
    """Those of the time before the first release, or another program's."""
    engine = open_engine(empty_database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE sessions (session_hash VARCHAR(64) PRIMARY KEY)"))
    said = refusal(empty_database)
    assert "has a table sessions that no release of Passerelle made" in said
    assert "name an empty or new database" in said
    assert inspect(engine).get_table_names() == ["sessions"]
    engine.dispose()


def test_tables_of_other_names_disturb_nobody(empty_database: str) -> None:
    engine = open_engine(empty_database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE recipes (name VARCHAR(64) PRIMARY KEY)"))
    bring_up_to_date(engine)
    assert set(inspect(engine).get_table_names()) == {"recipes", "alembic_version", *metadata.tables}
    engine.dispose()


def with_one_more(tmp_path: Path, body: str) -> Path:
    """The migrations, and one after them."""
    folder = Path(shutil.copytree(FOLDER, tmp_path / "100% more", ignore=shutil.ignore_patterns("__pycache__")))
    head = ScriptDirectory(str(FOLDER)).get_current_head()
    (folder / "versions" / "next.py").write_text(body.replace("HEAD", str(head)))
    return folder


def test_a_database_of_the_first_version_keeps_its_sessions(empty_database: str, tmp_path: Path) -> None:
    first = Path(shutil.copytree(FOLDER, tmp_path / "first", ignore=shutil.ignore_patterns("__pycache__", "000[2-9]*")))
    engine = open_engine(empty_database)
    bring_up_to_date(engine, first)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO sessions (sid, cookie_hash, subject, identity, created_at, expires_at) "
                "VALUES ('sid of session', 'hash', 'alice', '{}', 1, 2)"
            )
        )
        connection.execute(text("INSERT INTO session_tickets VALUES ('ticket', 'sid of session')"))
    engine.dispose()
    store = SqlStore(empty_database)
    assert store.sessions.last_ended_by_cas() is None
    assert list(store.sessions.end_by_ticket("ticket", now=NOW)) == ["sid of session"]
    store.close()


def test_a_change_of_a_table_keeps_what_refers_to_it(database: str, tmp_path: Path) -> None:
    store = SqlStore(database)
    begin(store)
    allow(store)
    redeem(store)
    engine = open_engine(database)
    bring_up_to_date(engine, with_one_more(tmp_path, NEXT_MIGRATION))
    assert "more" in {column["name"] for column in inspect(engine).get_columns("grants")}
    assert works(store, "access")
    assert list(store.sessions.end_by_ticket(fingerprint("ticket of session"), now=NOW)) == ["sid of session"]
    engine.dispose()
    store.close()
    assert "newer version" in refusal(database)


def test_a_migration_that_fails_changes_nothing(database: str, tmp_path: Path) -> None:
    broken = f"{NEXT_MIGRATION}    op.execute('SELECT x FROM nowhere')\n"
    engine = open_engine(database)
    with pytest.raises(ConfigurationError, match="nowhere"):
        bring_up_to_date(engine, with_one_more(tmp_path, broken))
    assert differences(engine) == []
    bring_up_to_date(engine)
    engine.dispose()


def test_a_database_that_is_not_there_yet_is_made_by_one_process_and_used_by_all(tmp_path: Path) -> None:
    founders_find_no_fault(f"sqlite:///{tmp_path}/NUMBER.sqlite3", rounds=ROUNDS, every=0.15)


@pytest.mark.needs("postgres")
def test_an_empty_postgres_database_is_migrated_by_one_process_and_used_by_all(postgres: PostgresServer) -> None:
    rounds = 3
    numbers = [int(postgres.create_database().removeprefix("test_")) for _ in range(rounds)]
    assert numbers == [*range(numbers[0], numbers[0] + rounds)]
    for number in range(1, rounds + 1):
        with postgres.connect("postgres") as connection:
            connection.execute(f"ALTER DATABASE test_{numbers[number - 1]} RENAME TO founded_{number}")
    founders_find_no_fault(postgres.url("founded_NUMBER"), rounds=rounds, every=0.6)


def test_a_postgres_server_that_does_not_answer_is_named_without_the_password() -> None:
    said = refusal("postgresql://bridge:s3cret@127.0.0.1:1/passerelle")
    assert "PASSERELLE_DATABASE_URL: cannot use postgresql" in said
    assert "s3cret" not in said


def test_a_sqlite_database_is_set_up_to_be_written_by_many(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/bridge.sqlite3"
    SqlStore(url).close()
    engine = open_engine(url)
    with engine.connect() as connection:
        told = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")}
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    engine.dispose()
    assert told == {"journal_mode": "wal", "synchronous": 1}


def test_threads_that_make_a_new_sqlite_database_at_once_all_come_through(tmp_path: Path) -> None:
    """Switching to WAL ignores the busy timeout: without patience of our own, one in a hundred fails."""
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


def test_a_migration_is_written_for_what_the_schema_has_more(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__")))
    (first,) = (folder / "versions").glob("0001_*.py")
    text_of_first = first.read_text()
    part = text_of_first[text_of_first.index('    op.create_table(\n        "consents"') :]
    first.write_text(text_of_first.replace(part[: part.index("    )\n") + len("    )\n")], ""))
    written = write_migration("users agree", folder)
    assert written is not None
    assert written.name.endswith("_users_agree.py")
    assert int(written.name[:4]) == len(list((FOLDER / "versions").glob("0*.py"))) + 1
    assert written.read_text().startswith('"""users agree."""\n')
    engine = open_engine(f"sqlite:///{tmp_path}/bridge.sqlite3")
    bring_up_to_date(engine, folder)
    assert differences(engine) == []
    engine.dispose()
    assert write_migration("again", folder) is None


def test_no_migration_is_written_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted((FOLDER / "versions").glob("*.py"))
    assert main(["nothing"]) == 1
    assert "there is nothing to write" in capsys.readouterr().err
    assert main([]) == 2
    assert sorted((FOLDER / "versions").glob("*.py")) == before


def test_a_database_that_another_program_writes_to_is_told_as_that(tmp_path: Path) -> None:
    """Nothing is wrong with its file, its folder or its permissions."""
    url = f"sqlite:///{tmp_path}/bridge.sqlite3"
    SqlStore(url).close()
    engine = create_engine(url, connect_args={"timeout": 0.05})
    holder = engine.connect()
    holder.exec_driver_sql("BEGIN IMMEDIATE")
    with pytest.raises(ConfigurationError) as refused, as_click_error(engine), engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    holder.close()
    engine.dispose()
    assert "database is locked; another program is writing to it" in refused.value.description
    assert "creatable" not in refused.value.description


def test_migration_keeps_pending_logins_and_their_age(empty_database: str, tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "000[3-9]*")
    second = Path(shutil.copytree(FOLDER, tmp_path / "second", ignore=ignored))
    engine = open_engine(empty_database)
    bring_up_to_date(engine, second)
    row = (
        "INSERT INTO pending_logins (state_hash, browser_hash, service, request, renew, gateway, attempt, expires_at) "
        f"VALUES ('{fingerprint('state')}', '{fingerprint('browser')}', 'https://x/', '{{}}', true, false, 1, {NOW})"
    )
    with engine.begin() as connection:
        connection.execute(text(row))
    engine.dispose()
    store = SqlStore(empty_database)
    found = store.pending_logins.find(fingerprint("state"), browser_hash=fingerprint("browser"))
    store.close()
    assert found is not None
    assert found.created_at == NOW - 600
