"""Looking after the hub: backup, restore into an empty project, users, offboarding, upgrade, metrics.

Two projects on one engine: the first is used and backed up while it works, the second begins empty. The tests build on
each other in this order.
"""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.machine.status import prometheus_image
from tests.support.bridge.journey import Journey, JourneyError
from tests.support.docker.deployment import ROOT, clean_clone
from tests.support.hub.operations import Hub, deployment, state_of

pytestmark = [pytest.mark.e2e, pytest.mark.needs("engine", "images", "prometheus", "browser")]

HUB, AUTH = "jupyter.localhost", "auth.localhost"
FILES = "find /home/jovyan -printf '%P %U:%G %m %s\\n' | grep -E '^(kept|deep)' | sort; cat /home/jovyan/kept.txt"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clone = clean_clone(tmp_path_factory.mktemp("clone"))
    settings = clone / ".env"
    settings.write_text(
        re.sub(r"(?m)^PROMETHEUS_IMAGE=.*", f"PROMETHEUS_IMAGE={prometheus_image()}", settings.read_text())
    )
    asked = clone / "deployment/monitoring/prometheus.yml"
    # As shipped, but so often that a test need not wait.
    asked.write_text(asked.read_text().replace("30s", "4s").replace("10s", "4s"))
    return clone


@pytest.fixture(scope="module")
def first(folder: Path) -> Iterator[Hub]:
    ours = deployment(folder, "first")
    try:
        services = ours.compose("config", "--services").stdout.split()
        ours.compose("up", "--detach", "--wait", *services, "prometheus")
        yield ours
    finally:
        ours.remove()


@pytest.fixture(scope="module")
def second(folder: Path) -> Iterator[Hub]:
    ours = deployment(folder, "second")
    try:
        ours.compose("build")
        yield ours
    finally:
        ours.remove()


@pytest.fixture(scope="module")
def bob(first: Hub) -> Iterator[Journey]:
    """Start Bob's lab and put files into his home."""
    with Journey(first.url(HUB), name="operations-bob") as journey:
        journey.sign_in("bob", "bob-demo")
        make = "mkdir -p deep/er && echo before > kept.txt && ln -s kept.txt deep/link && chmod 750 deep/er"
        first.docker("exec", f"{first.project}-lab-bob", "sh", "-c", make)
        yield journey


@pytest.fixture(scope="module")
def backup(first: Hub, bob: Journey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Add a client by hand, and make a backup while everything runs."""
    first.compose(
        "exec", "-T", "bridge", "passerelle", "clients", "add", "Wiki", "--redirect-uri", "https://w.example/cb"
    )
    place = tmp_path_factory.mktemp("backup") / "monday"
    assert json.loads(first.hub("backup", str(place), "--exclude", ".cache", "--json").stdout)["unread"] == []
    return place


def test_backup_dry_run_writes_nothing(first: Hub, bob: Journey, tmp_path: Path) -> None:
    said = first.hub("backup", str(tmp_path / "none"), "--dry-run").stdout

    assert re.search(r"^home/bob +[\d.]+ KiB$", said, re.M)
    assert "service/bridge-data" in said
    assert "traefik-dynamic" not in said
    assert not (tmp_path / "none").exists()


def test_users_are_listed_with_labs_and_homes(first: Hub, bob: Journey) -> None:
    (row,) = (row for row in json.loads(first.hub("users", "--json").stdout) if row["name"] == "bob")

    assert row["groups"] == ["students"]
    assert row["running"] == [""]
    assert row["home_bytes"] > 4096
    assert row["last_seen"].startswith("20")
    assert re.search(r"^bob +- +students +20\S+Z +lab +[\d.]+ KiB", first.hub("users").stdout, re.M)


def test_backup_is_restored_into_an_empty_project(first: Hub, second: Hub, backup: Path, bob: Journey) -> None:
    before = state_of(first)
    files = first.in_home("bob", FILES)

    assert "Nothing was written" in second.hub("restore", str(backup), "--dry-run").stdout
    assert second.docker("volume", "ls", "--quiet", "--filter", f"name={second.project}-home") == ""
    second.hub("restore", str(backup))
    again = second.hub("restore", str(backup), check=False)
    second.compose("up", "--detach", "--wait")

    assert again.returncode == 1
    assert "is not empty. This would be overwritten:" in again.stderr
    assert "home/bob: " in again.stderr
    assert state_of(second) == before
    assert len(before["people"]) == 1
    assert len(before["clients"]) == len(before["sessions"]) == 1
    assert second.in_home("bob", FILES) == files
    assert "before" in files


def test_restored_users_stay_signed_in_and_other_labs_run(first: Hub, second: Hub, backup: Path, bob: Journey) -> None:
    lab = first.lab_id("bob")
    bob.hub_url = second.url(HUB)  # the same host: his browser sends the same cookies to its other port
    try:
        me = bob.whoami()
        assert (me["name"], me["servers"]) == ("bob", {})
        bob.restart_lab()
    finally:
        bob.hub_url = first.url(HUB)
    assert second.docker("exec", f"{second.project}-lab-bob", "cat", "kept.txt") == "before"
    assert first.lab_id("bob") == lab
    assert first.labs() == [f"{first.project}-lab-bob"]


def test_restore_needs_stopped_services(second: Hub, backup: Path) -> None:
    refused = second.hub("restore", str(backup), "--force", "--yes", check=False)

    assert refused.returncode == 1
    assert "hub, bridge, cas are running: stop them first with `docker compose down`" in refused.stderr


def test_damaged_backup_is_not_restored(second: Hub, backup: Path, tmp_path: Path) -> None:
    second.compose("-p", f"{second.project}-labs", "down")
    second.compose("down", "--timeout", "3")  # Traefik waits longer for the connections of Bob's browser
    damaged = tmp_path / "damaged"
    subprocess.run(["cp", "-a", backup, damaged], check=True)
    for pack in (damaged / "data").rglob("[0-9a-f]" * 64):
        content = bytearray(pack.read_bytes())
        content[len(content) // 2] ^= 1
        pack.write_bytes(content)

    rejected = second.hub("restore", str(damaged), "--force", "--yes", check=False)

    assert rejected.returncode == 1
    assert "restic: " in rejected.stderr
    assert "before" in second.in_home("bob", FILES)


def test_single_home_is_restored_beside_running_services(first: Hub, backup: Path, bob: Journey) -> None:
    first.docker("volume", "create", f"{first.project}-home-zoe")
    rejected = first.hub("restore", str(backup), "--home", "bob", "--force", "--yes", check=False)
    missing = first.hub("restore", str(backup), "--home", "zoe", check=False)

    assert "is in use by" in rejected.stderr
    assert "does not contain it" in missing.stderr
    assert first.labs() == [f"{first.project}-lab-bob"]


def test_settings_are_extracted_from_a_backup(second: Hub, backup: Path, tmp_path: Path) -> None:
    second.hub("restore", str(backup), "--settings-to", str(tmp_path / "settings"))

    assert (tmp_path / "settings/.env").read_bytes() == (second.folder / ".env").read_bytes()


def test_interrupted_backup_is_continued(first: Hub, bob: Journey, tmp_path: Path) -> None:
    first.docker("volume", "create", f"{first.project}-home-zoe")
    first.in_home("zoe", "head -c 400M /dev/urandom > /home/jovyan/big")
    place = tmp_path / "tuesday"
    command = [
        "docker",
        "compose",
        "run",
        "--rm",
        "--no-deps",
        "-T",
        "administration",
        "passerelle",
        "hub",
        "backup",
        str(place),
    ]
    with subprocess.Popen(
        command, cwd=first.folder, env=first.environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as running:
        first.wait(lambda: any((place / "data").rglob("[0-9a-f]" * 64)), "data in the repository")
        first.docker("stop", f"{first.project}-administration")
        assert running.wait(timeout=60) == 1

    assert json.loads(first.hub("backup", str(place), "--list", "--json").stdout) == []
    unfinished = first.hub("restore", str(place), "--dry-run", check=False)
    first.hub("backup", str(place))
    again = json.loads(first.hub("backup", str(place), "--json").stdout)

    assert unfinished.returncode == 1
    assert again["stored"] < 2**20 < 400 * 2**20 < again["bytes"]
    assert len(json.loads(first.hub("backup", str(place), "--list", "--json").stdout)) == 2


@pytest.mark.usefixtures("bob")
def test_metrics_need_the_token(first: Hub) -> None:
    code = (
        "import sys, urllib.request as r, urllib.error as e\n"
        "try: print(r.urlopen(sys.argv[1], timeout=5).status)\n"
        "except e.HTTPError as error: print(error.code)\n"
        "except OSError: print('unreachable')"
    )

    def from_lab(url: str) -> str:
        return first.docker("exec", f"{first.project}-lab-bob", "python3", "-c", code, url)

    assert from_lab("http://hub:8081/hub/metrics") == "403"
    assert from_lab("http://traefik:8098/metrics") == "unreachable"
    assert from_lab("http://bridge:8000/metrics") == "unreachable"
    assert from_lab("http://prometheus:9090/metrics") == "unreachable"
    assert first.get(AUTH, "/metrics").status == 404
    assert first.get(HUB, "/hub/metrics").status == 403


@pytest.mark.usefixtures("bob")
def test_every_dashboard_panel_has_data(first: Hub) -> None:
    assert first.get(AUTH, "/authorize?client_id=unknown").status == 400
    dashboard = json.loads((first.folder / "deployment/monitoring/dashboards/passerelle.json").read_text())
    queries = {
        f"{panel['title']}: {target['legendFormat']}": target["expr"].replace("$__rate_interval", "1m")
        for panel in dashboard["panels"]
        for target in panel["targets"]
    }
    assert len(queries) > 15

    def answers(*asked: str) -> list[list[str]]:
        """What Prometheus has, for each query; one call for all, because a start of its tool is dear."""
        loop = 'for query in "$@"; do promtool query instant http://127.0.0.1:9090 "$query"; echo --; done'
        said = first.compose("exec", "-T", "prometheus", "sh", "-c", loop, "sh", *asked).stdout
        return [[line for line in answer.splitlines() if line] for answer in said.split("--\n")[:-1]]

    deadline = time.monotonic() + 60
    empty = dict(queries)
    while empty and time.monotonic() < deadline:
        found = answers(*empty.values())
        empty = {name: query for (name, query), answer in zip(empty.items(), found, strict=True) if not answer}
    assert empty == {}
    labs, up, sign_ins, people = answers(
        "sum(passerelle_running_labs)",
        'sum(up{job=~"bridge|hub|edge"})',
        'passerelle_sign_ins_total{outcome="signed_in"}',
        'count({__name__=~"traefik_(router|service)_.*"})',
    )
    assert [answer[0].split()[2] for answer in (labs, up)] == ["1", "3"]
    assert len(sign_ins) == 1
    assert people == []


def test_upgrade_lists_changes_and_prepares_the_way_back(first: Hub, bob: Journey) -> None:
    settings = first.folder / ".env"
    lock = first.folder / "requirements/hub.txt"
    kept = settings.read_text(), lock.read_text()
    settings.write_text(kept[0].replace("LAB_MEM_LIMIT=2G", "LAB_MEM_LIMIT=3G"))
    lock.write_text(re.sub(r"(?m)^click==\S+", "click==99.1", kept[1]))
    try:
        config = first.compose("config", "--format", "json").stdout
        alone = "docker compose run --rm --no-deps -T administration passerelle hub upgrade --yes --config -"
        told = first.typed(alone, said=config)
    finally:
        settings.write_text(kept[0])
        lock.write_text(kept[1])

    assert re.search(r"^hub: click \S+ → 99\.1$", told, re.M)
    assert "hub: LAB_MEM_LIMIT '2G' → '3G'" in told
    (row,) = json.loads(first.hub("backup", "--list", "--json").stdout)
    assert row["content"] == "databases"
    assert f"--snapshot {row['snapshot']} --only-databases --force" in told
    assert first.docker("image", "inspect", "--format", "x", f"{first.project}-hub:before-upgrade") == "x"
    for image in ("hub", "bridge", "lab"):
        first.docker("image", "rm", "--force", f"{first.project}-{image}:before-upgrade")


def test_command_works_on_the_server_itself(first: Hub, bob: Journey) -> None:
    assert re.search(r"^bob .* exists", first.on_machine("users --no-sizes", where="deployment/monitoring"), re.M)


@pytest.fixture(scope="module")
def before(first: Hub, bob: Journey) -> dict[str, Any]:
    first.compose("rm", "--stop", "--force", "prometheus")  # of a profile that is off
    return state_of(first)


@pytest.fixture(scope="module")
def told(first: Hub, before: dict[str, Any]) -> str:
    """The newer version has another limit, and another image of the hub."""
    settings, image = first.folder / ".env", first.folder / "hub/Dockerfile"
    settings.write_text(settings.read_text().replace("LAB_MEM_LIMIT=2G", "LAB_MEM_LIMIT=3G"))
    image.write_text(image.read_text() + "\nENV NEWER=yes\n")
    lab, hub = first.lab_id("bob"), first.container("hub")
    assert "hub: LAB_MEM_LIMIT '2G' → '3G'" in first.on_machine("upgrade --dry-run")
    first.on_machine("upgrade", said="n\n", fails=True)
    assert first.container("hub") == hub
    said = first.on_machine("upgrade", said="y\n")
    assert first.lab_id("bob") == lab
    return said


class TestUpgrade:
    """From the machine, to a version that is not wanted after all, and back as the page says."""

    def test_upgrade_keeps_labs_and_sessions(self, first: Hub, bob: Journey, told: str) -> None:
        environment = first.docker("inspect", "--format", "{{.Config.Env}}", first.container("hub"))
        assert {"NEWER=yes", "LAB_MEM_LIMIT=3G"} <= set(environment.strip("[]").split())
        assert (bob.whoami()["name"], first.labs()) == ("bob", [f"{first.project}-lab-bob"])

    def test_printed_rollback_restores_old_version(
        self, first: Hub, bob: Journey, before: dict[str, Any], told: str
    ) -> None:
        first.typed("docker compose exec -T bridge passerelle clients add Later --redirect-uri https://l.example/cb")
        first.docker("exec", f"{first.project}-lab-bob", "sh", "-c", "echo after > later.txt")
        assert state_of(first) != before
        for name in (".env", "hub/Dockerfile"):  # git checkout
            (first.folder / name).write_bytes((ROOT / name).read_bytes())
        back = told[told.index("\nBack: ") :].splitlines()[2:6]
        assert re.search("hub restore --snapshot [0-9a-f]{8} --only-databases --force$", back[2])
        for line in back:
            first.typed(line.replace("compose run", "compose run -T"), said="y\n")
        assert state_of(first) == before
        assert "NEWER" not in first.docker("inspect", "--format", "{{.Config.Env}}", first.container("hub"))
        assert first.labs() == []
        bob.restart_lab()
        assert first.docker("exec", f"{first.project}-lab-bob", "cat", "later.txt") == "after"


class TestOffboarding:
    """Offboard Bob."""

    def test_dry_run_lists_the_steps(self, first: Hub, bob: Journey) -> None:
        told = first.hub("offboard", "bob", "--dry-run")

        assert re.findall(r"^\d\. (\w+)", told.stderr, re.M) == ["end", "stop", "delete", "archive", "delete", "delete"]
        assert first.labs() == [f"{first.project}-lab-bob"]

    def test_only_an_archive_remains(self, first: Hub, bob: Journey) -> None:
        told = json.loads(first.hub("offboard", "bob", "--yes", "--json", "--keep-days", "0").stdout)

        assert first.labs() == []
        assert first.query_hub_database("SELECT name FROM users WHERE name = 'bob'") == []
        assert [one for one in first.bridge("sessions", "list") if one["username"] == "bob"] == []
        assert first.docker("volume", "ls", "--quiet", "--filter", f"name={first.project}-home-bob") == ""
        assert re.fullmatch("[0-9a-f]{8}", told["archive"])
        with pytest.raises(JourneyError):
            bob.whoami()

    def test_archive_is_restored_and_expires(self, first: Hub) -> None:
        assert "bob" in first.hub("offboard", "--list").stdout
        first.hub("restore", "archives", "--home", "bob")
        assert "before" in first.in_home("bob", FILES)
        first.remove_volume(f"{first.project}-home-bob")
        assert "bob" in first.hub("offboard", "--purge-expired").stdout
        assert json.loads(first.hub("offboard", "--list", "--json").stdout) == []

    def test_home_unknown_to_the_hub_is_archived(self, first: Hub) -> None:
        first.in_home("zoe", "rm /home/jovyan/big")
        first.hub("offboard", "zoe", "--yes")
        assert first.docker("volume", "ls", "--quiet", "--filter", f"name={first.project}-home-zoe") == ""

    def test_user_without_data_is_reported(self, first: Hub) -> None:
        refused = first.hub("offboard", "zoe", "--yes", check=False)
        assert refused.returncode == 1
        assert "there is no data of 'zoe'" in refused.stderr
