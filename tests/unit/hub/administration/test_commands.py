"""Decisions and output of the administrator's commands, without an engine."""

import json
import re
import sqlite3
import stat
from contextlib import closing, nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from click import BadParameter
from click.testing import CliRunner
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import SecretStr

from bridge.cli.hub import find_folder, with_absolute_folder
from hub.administration import AdministrationError, output, upgrade
from hub.administration.backup import backed_up_volumes, backup, check_bridge_database
from hub.administration.engine import Engine
from hub.administration.offboard import offboard
from hub.administration.restore import check_overwritten
from hub.administration.users import read_users, user_rows
from hub.administration.volume_names import Volume
from hub.config.hub_toml import GroupRules, HubToml
from hub.config.services import build_roles, build_services, load_or_create_token, register_metrics

ROOT = Path(__file__).resolve().parents[4]
SCHEMA = """
CREATE TABLE users (id INTEGER, name TEXT, admin INTEGER, last_activity TEXT);
CREATE TABLE groups (id INTEGER, name TEXT); CREATE TABLE user_group_map (user_id INTEGER, group_id INTEGER);
CREATE TABLE spawners (user_id INTEGER, name TEXT, server_id INTEGER);
INSERT INTO users VALUES (1, 'bob', 0, '2026-11-01 10:00:00.5'), (2, 'ann', 1, NULL);
INSERT INTO groups VALUES (1, 'students'), (2, 'cn=a,ou="x"'); INSERT INTO user_group_map VALUES (1, 1), (1, 2);
INSERT INTO spawners VALUES (1, '', 7), (1, 'gpu', NULL), (2, '', NULL);
"""


def test_users_are_listed_with_groups_and_running_labs(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "hub.sqlite")) as database:
        database.executescript(SCHEMA)
    ann, bob = read_users(tmp_path / "hub.sqlite")
    assert [ann[key] for key in ("name", "admin", "last_seen", "groups", "running")] == ["ann", True, None, [], []]
    assert (bob["last_seen"], bob["running"]) == ("2026-11-01T10:00:00Z", [""])
    assert bob["groups"] == ['cn=a,ou="x"', "students"]

    declared = HubToml(groups={"students": GroupRules(quota="2G"), "staff": GroupRules(quota="9G")})
    rows = user_rows([ann, bob], {"bob": 5, "left": 7}, declared, default="1g")
    assert [(row["name"], row["known"], row["home_bytes"], row["quota_bytes"]) for row in rows] == [
        ("ann", True, None, 1024**3),
        ("bob", True, 5, 2 * 1024**3),
        ("left", False, 7, None),
    ]


@pytest.mark.parametrize("content", [None, b"not a database, but long enough to be taken for one at first sight"])
def test_missing_or_invalid_database_is_reported(tmp_path: Path, content: bytes | None) -> None:
    if content:
        (tmp_path / "hub.sqlite").write_bytes(content)
    with pytest.raises(AdministrationError, match=r"hub('s| has no) database"):
        read_users(tmp_path / "hub.sqlite")


def test_generated_volumes_are_excluded_but_not_courses() -> None:
    found = [Volume("service", "traefik-dynamic", "x"), Volume("course", "prometheus-data", "y")]
    engine = SimpleNamespace(volumes=lambda *kinds: [one for one in found if one.kind in kinds])
    assert backed_up_volumes(engine, only_databases=False) == [found[1]]  # type: ignore[arg-type]
    assert backed_up_volumes(engine, only_databases=True) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(("address", "rejected"), [("postgresql+psycopg://x/y", True), ("sqlite:////data/x", False)])
def test_bridge_database_on_a_server_must_be_excluded(address: str, rejected: bool) -> None:
    bridge = SimpleNamespace(attrs={"Config": {"Env": [f"PASSERELLE_DATABASE_URL={address}"]}})
    engine = SimpleNamespace(services=lambda: {"bridge": bridge})
    check_bridge_database(engine, excluded=True)  # type: ignore[arg-type]
    with pytest.raises(AdministrationError, match="pg_dump") if rejected else nullcontext():
        check_bridge_database(engine, excluded=False)  # type: ignore[arg-type]


def test_weekly_retention_needs_daily_retention(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = SimpleNamespace(services=dict, machine_path=str)
    monkeypatch.setattr(Engine, "open", lambda: engine)
    result = CliRunner().invoke(backup, ["/x", "--keep-weekly", "4"])
    assert result.exit_code == 2
    assert "need --keep-daily" in result.output


def test_overwritten_data_is_listed() -> None:
    lost = [{"place": "home/bob", "files": 3, "bytes": 2048}]
    with pytest.raises(AdministrationError, match=r"home/bob: 3 entries, 2\.0 KiB"):
        check_overwritten(lost, force=False, project="hub")
    check_overwritten(lost, force=True, project="hub")
    check_overwritten([], force=False, project="hub")


def test_retention_is_a_number_of_days(monkeypatch: pytest.MonkeyPatch) -> None:
    def keep_days(setting: str, *options: str) -> object:
        monkeypatch.setenv("HUB_OFFBOARD_RETENTION_DAYS", setting)
        return offboard.make_context("offboard", ["bob", *options]).params["keep_days"]

    assert (keep_days("30"), keep_days("30", "--keep-days=0"), keep_days("")) == (30, 0, 180)
    with pytest.raises(BadParameter, match="'forever' is not a valid integer range"):
        keep_days("forever")


def test_upgrade_lists_packages_images_and_settings() -> None:
    now = upgrade.Service("traefik:v1", {"A": "1", "PATH": "/bin", "OLD": "x", "API_TOKEN": "s3cret"}, {"PATH"})
    new = upgrade.Service("traefik:v2", {"A": "2", "NEW": "y", "API_TOKEN": "other"})
    assert upgrade.service_changes({"edge": now, "gone": now}, {"edge": new, "off": new}) == [
        "gone: runs but is not in this configuration (an inactive profile?)",
        "edge: image traefik:v1 → traefik:v2",
        "edge: A '1' → '2'",
        "edge: API_TOKEN changes",
        "edge: NEW (unset) → 'y'",
        "edge: OLD 'x' → (unset)",
    ]
    lock = "# x\njupyterhub==6.1.1 \\\n    --hash=sha256:1\na-b==1 ; python_version < '3.12' \\\n"
    assert upgrade.parse_lock(lock) == {"jupyterhub": "6.1.1", "a-b": "1"}
    assert upgrade.package_changes("hub", {"a": "1", "b": "1"}, {"a": "2", "c": "1"}) == [
        "hub: a 1 → 2",
        "hub: b 1 → removed",
        "hub: c 1 is new",
    ]


def test_printed_way_back_matches_the_documentation() -> None:
    page = (ROOT / "docs/hub/upgrade.md").read_text()
    (block,) = re.findall(r"^```sh\n(cd \S+\ngit checkout .*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    folder, _, *steps = block.splitlines()
    printed = upgrade.next_steps("PROJECT", "/opt/passerelle/deployment/site", "BACKUP")
    assert printed[0].split()[-1] == folder.removeprefix("cd ")
    assert [line.strip() for line in printed[3:]] == steps


def test_checkout_older_than_the_database_is_rejected() -> None:
    assert upgrade.migration_changes({"0001_a", "__init__"}, ["0001_a", "0002_b"]) == [
        "bridge: migration 0002_b changes the database"
    ]
    with pytest.raises(AdministrationError, match="older than what runs: it lacks the migration 0002_b"):
        upgrade.migration_changes({"0001_a", "0002_b"}, ["0001_a"])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"services": 3}', '{"services": {"hub": 1}}'])
def test_invalid_configuration_is_reported(text: str) -> None:
    with pytest.raises(AdministrationError, match="pipe `docker compose config"):
        upgrade.parse_config(text)


def test_names_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_note("home/bob: \x1b[2Jgone")
    output.print_rows([{"name": "\x1b]0;x\x07"}], False, (), lambda row: (row["name"],))
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err
    assert "home/bob: ?[2Jgone" in printed.err


def test_administration_token_is_created_once_for_root_only(tmp_path: Path) -> None:
    token = load_or_create_token(tmp_path)
    assert load_or_create_token(tmp_path) == token
    assert len(token) == 64
    assert stat.S_IMODE((tmp_path / "administration_token").stat().st_mode) == 0o600
    (tmp_path / "administration_token").write_text("")  # by a hub that was killed
    assert len(load_or_create_token(tmp_path)) == 64


def test_each_service_has_its_own_scopes(tmp_path: Path) -> None:
    found = build_services(tmp_path, SecretStr("t0ken"))
    scopes = {role["name"]: role["scopes"] for role in build_roles(found)}
    assert scopes["prometheus"] == ["read:metrics"]
    assert not any("admin" in scope for scope in scopes["administration"])
    assert [one["name"] for one in build_services(tmp_path, None)] == ["administration"]


def test_metrics_are_registered_once(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    register_metrics(tmp_path, registry)
    register_metrics(tmp_path, registry)
    text = generate_latest(registry).decode()
    assert text.count("passerelle_disk_bytes{state=") == 2
    assert "passerelle_running_labs NaN" in text
    with closing(sqlite3.connect(tmp_path / "jupyterhub.sqlite")) as database:
        database.executescript(SCHEMA)
    assert "passerelle_running_labs 1.0" in generate_latest(registry).decode()


def test_deployment_folder_is_found_and_site_wins(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").touch()
    (tmp_path / "deployment" / "site").mkdir(parents=True)
    (tmp_path / "deployment/certs/x").mkdir(parents=True)
    assert find_folder(tmp_path / "deployment/certs/x", "") == tmp_path
    (tmp_path / "deployment/site/.env").touch()
    assert find_folder(tmp_path / "deployment/certs/x", "") == tmp_path / "deployment" / "site"
    with pytest.raises(Exception, match=r"No compose\.yml found"):
        find_folder(tmp_path, str(tmp_path / "certs"))


@pytest.mark.parametrize(
    ("typed", "passed"),
    [
        (["backup", "x", "--exclude", "y", "--json"], ["backup", "/here/x", "--exclude", "y", "--json"]),
        (["backup", "--exclude", "y", "../x"], ["backup", "--exclude", "y", "/x"]),
        (["restore", "/srv/x"], ["restore", "/srv/x"]),
        (["backup", "--keep-daily", "14", "x"], ["backup", "--keep-daily", "14", "/here/x"]),
        (["restore", "--home", "bob", "--snapshot", "1a2b"], ["restore", "--home", "bob", "--snapshot", "1a2b"]),
        (["restore", "x", "--settings-to", "y"], ["restore", "/here/x", "--settings-to", "/here/y"]),
        (["offboard", "bob"], ["offboard", "bob"]),
        ([], []),
    ],
)
def test_folders_are_relative_to_the_current_folder(typed: list[str], passed: list[str]) -> None:
    assert with_absolute_folder(typed, Path("/here")) == passed


def test_dashboard_panels_are_described_and_use_one_source() -> None:
    dashboard = json.loads((ROOT / "deployment/monitoring/dashboards/passerelle.json").read_text())
    assert (
        "uid: passerelle-prometheus" in (ROOT / "deployment/monitoring/grafana/datasources/passerelle.yml").read_text()
    )
    panels = dashboard["panels"]
    assert {target["datasource"]["uid"] for panel in panels for target in panel["targets"]} == {"passerelle-prometheus"}
    assert all(panel["title"] and panel["description"].endswith(".") for panel in panels)
    assert len({panel["id"] for panel in panels}) == len(panels)
