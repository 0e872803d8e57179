"""`passerelle hub backup` and `restore`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import click

from hub.administration import output
from hub.administration.engine import Engine, Inside
from hub.administration.faults import AdministrationError
from hub.administration.names import KINDS, NOT_KEPT, Volume, size

INCOMPLETE = 3
# They write to what a restore writes to; Traefik only reads.
MUST_REST = ("hub", "bridge", "cas", "grafana")
ON_A_SERVER = ("postgresql", "postgres")


@click.command()
@click.argument("folder", required=False)
@click.option(
    "--exclude", multiple=True, metavar="PATTERN", help="Leave out of homes and courses, e.g. .cache; repeat it."
)
@click.option("--compress", is_flag=True, help="gzip: less space, and slower.")
@click.option("--only-databases", is_flag=True, help="Users, sessions, clients and keys; no secrets, no homes.")
@click.option("--resume", is_flag=True, help="Go on with one that was interrupted.")
@click.option("--without-bridge-database", is_flag=True, help="It is on a server of yours, which you back up there.")
@click.option("--dry-run", is_flag=True, help="Say what would be written and how much; write nothing.")
@click.option("--json", "wants_json", is_flag=True, help="The result as JSON; progress goes to standard error.")
def backup(  # noqa: PLR0917  one for each option
    folder: str | None,
    exclude: tuple[str, ...],
    compress: bool,
    only_databases: bool,
    resume: bool,
    without_bridge_database: bool,
    dry_run: bool,
    wants_json: bool,
) -> None:
    """Write everything that a restore needs into FOLDER on this machine; all services and labs go on.

    Without FOLDER it is backups/ and the time, beside .env. Ends with 3 if files could not be read.
    """
    engine = Engine.open()
    check_bridge_database(engine, left_out=without_bridge_database)
    chosen = to_keep(engine.volumes())
    if dry_run:
        _say_what_would_be(engine, chosen, wants_json, only_databases)
        return
    if resume and folder is None:
        raise click.UsageError("Name the folder of the backup to go on with.")
    where = engine.on_machine(folder or f"backups/{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    came = write_backup(engine, where, exclude=exclude, compress=compress, resume=resume, only_databases=only_databases)
    told = {"folder": where} | {name: value for name, value in came.items() if name != "event"}
    if wants_json:
        output.as_json(told)
    else:
        click.echo(f"{told['parts']} parts, {size(told['bytes'])}, written and read again: {where}")
        if told["changed"]:
            click.echo(
                f"In {told['changed']} of them files changed while they were read: {where}/manifest.json names them."
            )
        click.echo("It holds keys and passwords in clear: keep it where nobody but you can read it.")
    if told["unread"]:
        output.say(
            f"NOT COMPLETE: not every file could be read in {', '.join(told['unread'])}; manifest.json names them."
        )
        raise SystemExit(INCOMPLETE)


@click.command()
@click.argument("folder")
@click.option("--force", is_flag=True, help="Write over what is there; it is lost.")
@click.option("--only-databases", is_flag=True, help="Users, sessions, clients and keys: to go back after an upgrade.")
@click.option("--dry-run", is_flag=True, help="Check the backup, say what would be written; write nothing.")
@click.option("--yes", is_flag=True, help="With --force: do not ask.")
def restore(folder: str, force: bool, only_databases: bool, dry_run: bool, yes: bool) -> None:
    """Lay out the backup in FOLDER in this project, which has to be empty and at rest."""
    engine = Engine.open()
    where = engine.on_machine(folder)
    check_at_rest(engine)
    told = output.result(
        engine.inside("describe", {"project": engine.project}, _sees(engine.volumes(), where, "restore", to_read=True))
    )
    places = [str(place) for place in told["places"] if not only_databases or str(place).startswith("service/")]
    _say_what_is_there(told, where)
    check_nothing_in_the_way(told["in_the_way"], force=force, project=engine.project)
    if dry_run:
        click.echo(f"Nothing was written. Without --dry-run these would be: {', '.join(places)}.")
        return
    if told["in_the_way"] and not yes:
        click.confirm("All of this is lost. Go on?", abort=True)
    volumes = [engine.make_volume(place) for place in places]
    wish = {"jupyterhub": version("jupyterhub"), "force": force, "only_databases": only_databases}
    try:
        done = output.result(engine.inside("restore", wish, _sees(volumes, where, "restore")))
    except (AdministrationError, KeyboardInterrupt) as fault:
        raise AdministrationError(
            f"{str(fault).rstrip('.') or 'interrupted'}. Nothing runs on what is half there: the same command goes on "
            "where it stopped."
        ) from None
    click.echo(f"{done['parts']} parts, {size(done['bytes'])}, are back. Now: docker compose up -d --build --wait")


def write_backup(engine: Engine, where: str, **wish: Any) -> dict[str, Any]:
    """Write one and return what came out."""
    chosen = to_keep(engine.volumes())
    if wish["only_databases"]:
        chosen = [one for one in chosen if one.kind == "service"]
    images = {name: str(one.attrs["Config"]["Image"]) for name, one in engine.services().items()}
    wish |= {"project": engine.project, "checkout": engine.folders()["/checkout"]}
    wish |= {"versions": {"jupyterhub": version("jupyterhub"), **images}}
    try:
        return output.result(engine.inside("backup", wish, _sees(chosen, where, "backup")))
    except KeyboardInterrupt:
        raise AdministrationError(f"interrupted. Go on by: passerelle hub backup {where} --resume") from None


def to_keep(volumes: Sequence[Volume]) -> list[Volume]:
    """Without what is made anew at each start."""
    return [one for one in volumes if not (one.kind == "service" and one.of in NOT_KEPT)]


def check_bridge_database(engine: Engine, *, left_out: bool) -> None:
    """Raise if the bridge keeps its sessions where this command cannot see them, and nobody said that it is known."""
    bridge = engine.services().get("bridge")
    environment = dict(line.partition("=")[::2] for line in (bridge.attrs["Config"]["Env"] or [])) if bridge else {}
    address = str(environment.get("PASSERELLE_DATABASE_URL", ""))
    if address.startswith(ON_A_SERVER) and not left_out:
        raise AdministrationError(
            "the bridge's database is on a PostgreSQL server, which this command does not reach: back it up there "
            "(pg_dump --format=custom), then run this with --without-bridge-database."
        )


def check_at_rest(engine: Engine) -> None:
    """Raise if anything writes to what a restore writes to."""
    if busy := [name for name in MUST_REST if name in engine.services()]:
        raise AdministrationError(f"{', '.join(busy)} run on what would be written: first `docker compose down`.")
    if labs := engine.labs():
        raise AdministrationError(
            f"{len(labs)} labs run, {labs[0]} among them: first `docker compose -p {engine.project}-labs down`."
        )


def check_nothing_in_the_way(found: Sequence[dict[str, Any]], *, force: bool, project: str) -> None:
    """Raise, naming what would be lost, unless that is wanted."""
    if not found:
        return
    lines = [f"  {one['place']}: {one['files']} entries, {size(one['bytes'])}" for one in found]
    lost = "\n".join([f"The project {project} is not empty. Written over would be:", *lines])
    if not force:
        raise AdministrationError(
            f"{lost}\nName an empty project (COMPOSE_PROJECT_NAME), or add --force: it is lost then."
        )
    output.say(lost)


def _sees(volumes: Sequence[Volume], where: str, what: str, *, to_read: bool = False) -> Inside:
    # Readers of a live database write to its index, so that a backup has to be able to, there and nowhere else.
    writable = frozenset({"service"} if what == "backup" else set() if to_read else KINDS)
    return Inside(tuple(volumes), writable, where, makes_target=what == "backup", settings=True)


def _say_what_would_be(engine: Engine, chosen: Sequence[Volume], wants_json: bool, only_databases: bool) -> None:
    if only_databases:
        chosen = [one for one in chosen if one.kind == "service"]
    rows = [
        event for event in output.follow(engine.inside("sizes", {}, Inside(tuple(chosen)))) if event["event"] == "size"
    ]
    if wants_json:
        output.as_json([{"place": row["place"], "bytes": row["bytes"]} for row in rows])
        return
    output.table([(row["place"], size(row["bytes"])) for row in rows])
    click.echo(f"{len(rows)} volumes, {size(sum(row['bytes'] for row in rows))}. Nothing was written.")


def _say_what_is_there(told: dict[str, Any], where: str) -> None:
    state = f"ended {told['ended']}" if told["ended"] else "NOT WHOLE"
    click.echo(f"{where}: of {told['project']}, begun {told['began']}, {state}, {size(told['bytes'])}.")
    if told["settings"]:
        click.echo(
            f"Its settings are not the ones here: {', '.join(told['settings'])}. They are left alone; what the backup "
            f"has is in {where}/settings."
        )
