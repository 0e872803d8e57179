"""What the administrator's commands decide and print, without an engine."""

import json
import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from bridge.cli.hub import find_folder, with_absolute_folder
from hub.administration import offboard, output, upgrade
from hub.administration.backup import check_nothing_in_the_way, to_keep
from hub.administration.engine import Engine
from hub.administration.faults import AdministrationError
from hub.administration.names import Volume
from hub.administration.users import everybody, usual_quota
from hub.administration.users_db import people
from hub.config.hub_toml import GroupRules, HubToml
from hub.config.services import keep_token, measure, roles, services

ROOT = Path(__file__).resolve().parents[4]
SCHEMA = """
CREATE TABLE users (id INTEGER, name TEXT, admin INTEGER, last_activity TEXT);
CREATE TABLE groups (id INTEGER, name TEXT); CREATE TABLE user_group_map (user_id INTEGER, group_id INTEGER);
CREATE TABLE spawners (user_id INTEGER, name TEXT, server_id INTEGER);
INSERT INTO users VALUES (1, 'bob', 0, '2026-11-01 10:00:00.5'), (2, 'ann', 1, NULL);
INSERT INTO groups VALUES (1, 'students'), (2, 'cn=a,ou="x"'); INSERT INTO user_group_map VALUES (1, 1), (1, 2);
INSERT INTO spawners VALUES (1, '', 7), (1, 'gpu', NULL), (2, '', NULL);
"""


def test_people_are_told_with_groups_and_what_runs(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "hub.sqlite")) as database:
        database.executescript(SCHEMA)
    ann, bob = people(tmp_path / "hub.sqlite")
    assert (ann.name, ann.admin, ann.last_seen, ann.groups, ann.servers) == ("ann", True, "", (), ())
    assert (bob.last_seen, bob.groups, bob.servers) == ("2026-11-01T10:00:00Z", ('cn=a,ou="x"', "students"), ("",))

    declared = HubToml(groups={"students": GroupRules(quota="2G"), "staff": GroupRules(quota="9G")})
    rows = everybody([ann, bob], {"bob": 5, "left": 7}, declared, usual=usual_quota("1g"))
    assert [(row["name"], row["known"], row["home_bytes"], row["quota_bytes"]) for row in rows] == [
        ("ann", True, None, 1024**3),
        ("bob", True, 5, 2 * 1024**3),
        ("left", False, 7, None),
    ]


@pytest.mark.parametrize("content", [None, b"not a database, but long enough to be taken for one at first sight"])
def test_a_database_that_is_none_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    if content:
        (tmp_path / "hub.sqlite").write_bytes(content)
    with pytest.raises(AdministrationError, match=r"hub('s| has no) database"):
        people(tmp_path / "hub.sqlite")


def test_what_is_made_anew_is_not_kept_and_a_course_of_that_name_is() -> None:
    found = [Volume("service", "traefik-dynamic", "x"), Volume("course", "prometheus-data", "y")]
    assert to_keep(found) == [found[1]]


def test_what_would_be_lost_is_named() -> None:
    lost = [{"place": "home/bob", "files": 3, "bytes": 2048}]
    with pytest.raises(AdministrationError, match=r"home/bob: 3 entries, 2\.0 KiB"):
        check_nothing_in_the_way(lost, force=False, project="hub")
    check_nothing_in_the_way(lost, force=True, project="hub")
    check_nothing_in_the_way([], force=False, project="hub")


def test_a_folder_is_one_of_the_machine() -> None:
    class Own:
        labels = {"com.docker.compose.project": "hub", "com.docker.compose.project.working_dir": "/opt/hub"}  # noqa: RUF012

    engine = Engine(None, Own())
    assert engine.on_machine("backups/x") == "/opt/hub/backups/x"
    assert engine.on_machine("/srv/x") == "/srv/x"
    with pytest.raises(AdministrationError, match="whole path"):
        engine.on_machine("../x")


def test_the_retention_is_a_number_of_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_OFFBOARD_RETENTION_DAYS", "30")
    assert (offboard.days_to_keep(None), offboard.days_to_keep(0)) == (30, 0)
    monkeypatch.setenv("HUB_OFFBOARD_RETENTION_DAYS", "ever")
    with pytest.raises(AdministrationError, match="no number of days"):
        offboard.days_to_keep(None)
    monkeypatch.delenv("HUB_OFFBOARD_RETENTION_DAYS")
    assert offboard.days_to_keep(None) == 180


def test_an_upgrade_names_packages_images_and_settings() -> None:
    now = upgrade.Service("traefik:v1", {"A": "1", "PATH": "/bin", "OLD": "x", "API_TOKEN": "s3cret"}, {"PATH"})
    new = upgrade.Service("traefik:v2", {"A": "2", "NEW": "y", "API_TOKEN": "other"})
    assert upgrade.service_changes({"edge": now, "gone": now}, {"edge": new, "off": new}) == [
        "gone: runs, and is not in this configuration (a profile that is off?)",
        "edge: image traefik:v1 → traefik:v2",
        "edge: A '1' → '2'",
        "edge: API_TOKEN changes",
        "edge: NEW (unset) → 'y'",
        "edge: OLD 'x' → (unset)",
    ]
    lock = "# x\njupyterhub==6.1.1 \\\n    --hash=sha256:1\na-b==1 ; python_version < '3.12' \\\n"
    assert upgrade.versions(lock) == {"jupyterhub": "6.1.1", "a-b": "1"}
    assert upgrade.package_changes("hub", {"a": "1", "b": "1"}, {"a": "2", "c": "1"}) == [
        "hub: a 1 → 2",
        "hub: b 1 → taken away",
        "hub: c 1 is new",
    ]


def test_the_way_back_is_printed_as_the_page_has_it() -> None:
    page = (ROOT / "docs/hub/upgrade.md").read_text()
    (block,) = re.findall(r"^```sh\n(cd \S+\ngit checkout .*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    there, _, *steps = block.splitlines()
    printed = upgrade.next_steps("PROJECT", "/opt/passerelle/site", "backups/…-before-upgrade")
    assert printed[0].split()[-1] == there.removeprefix("cd ")
    assert [line.strip() for line in printed[3:]] == steps


def test_an_older_checkout_than_the_database_is_refused() -> None:
    assert upgrade.migration_changes({"0001_a", "__init__"}, ["0001_a", "0002_b"]) == [
        "bridge: its database is changed by 0002_b"
    ]
    with pytest.raises(AdministrationError, match="older than what runs: it does not know 0002_b"):
        upgrade.migration_changes({"0001_a", "0002_b"}, ["0001_a"])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"services": 3}', '{"services": {"hub": 1}}'])
def test_what_is_no_configuration_is_one_sentence(text: str) -> None:
    with pytest.raises(AdministrationError, match="pipe `docker compose config"):
        upgrade.read_config(text)


def test_names_of_files_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.result([{"event": "note", "text": "home/bob: \x1b[2Jgone"}, {"event": "result", "parts": 1}])
    output.table([("\x1b]0;x\x07",)])
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert "home/bob: ?[2Jgone" in said.err


def test_the_token_of_the_command_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    token = keep_token(tmp_path)
    assert keep_token(tmp_path) == token
    assert len(token) == 64
    assert stat.S_IMODE((tmp_path / "administration_token").stat().st_mode) == 0o600
    (tmp_path / "administration_token").write_text("")  # by a hub that was killed there
    assert len(keep_token(tmp_path)) == 64


def test_each_service_may_do_what_it_is_for(tmp_path: Path) -> None:
    found = services(tmp_path, "t0ken")
    scopes = {role["name"]: role["scopes"] for role in roles(found)}
    assert scopes["prometheus"] == ["read:metrics"]
    assert not any("admin" in scope for scope in scopes["administration"])
    assert [one["name"] for one in services(tmp_path, "")] == ["administration"]


def test_disk_and_running_labs_are_metrics_however_often_the_configuration_is_read(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    measure(tmp_path, registry)
    measure(tmp_path, registry)
    text = generate_latest(registry).decode()
    assert text.count("passerelle_disk_bytes{state=") == 2
    assert "passerelle_running_labs NaN" in text
    with closing(sqlite3.connect(tmp_path / "jupyterhub.sqlite")) as database:
        database.executescript(SCHEMA)
    assert "passerelle_running_labs 1.0" in generate_latest(registry).decode()


def test_the_deployments_folder_is_found_from_below_and_ones_own_settings_win(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").touch()
    (tmp_path / "deployment" / "site").mkdir(parents=True)
    (tmp_path / "deployment/certs/x").mkdir(parents=True)
    assert find_folder(tmp_path / "deployment/certs/x", "") == tmp_path
    (tmp_path / "deployment/site/.env").touch()
    assert find_folder(tmp_path / "deployment/certs/x", "") == tmp_path / "deployment" / "site"
    with pytest.raises(Exception, match="No compose.yml found"):
        find_folder(tmp_path, str(tmp_path / "certs"))


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["backup", "x", "--exclude", "y", "--json"], ["backup", "/here/x", "--exclude", "y", "--json"]),
        (["backup", "--exclude", "y", "../x"], ["backup", "--exclude", "y", "/x"]),
        (["restore", "/srv/x"], ["restore", "/srv/x"]),
        (["offboard", "bob"], ["offboard", "bob"]),
        ([], []),
    ],
)
def test_a_folder_is_meant_from_where_it_is_typed(typed: list[str], told: list[str]) -> None:
    assert with_absolute_folder(typed, Path("/here")) == told


def test_a_dashboard_asks_only_the_provisioned_source_and_every_panel_says_what_it_is() -> None:
    dashboard = json.loads((ROOT / "deployment/monitoring/dashboards/passerelle.json").read_text())
    assert (
        "uid: passerelle-prometheus" in (ROOT / "deployment/monitoring/grafana/datasources/passerelle.yml").read_text()
    )
    panels = dashboard["panels"]
    assert {target["datasource"]["uid"] for panel in panels for target in panel["targets"]} == {"passerelle-prometheus"}
    assert all(panel["title"] and panel["description"].endswith(".") for panel in panels)
    assert len({panel["id"] for panel in panels}) == len(panels)
