"""Paths of the machine, and the mounts of the one-shot container."""

from types import SimpleNamespace

import pytest
from docker.errors import APIError  # type: ignore[import-untyped]

from hub.administration import AdministrationError
from hub.administration.backup import password_file
from hub.administration.engine import Engine
from hub.administration.offboard import print_archives
from hub.administration.volume_names import Volume
from hub.administration.worker_container import MissingPathError, WorkerMounts, run_worker

LABELS = {
    "com.docker.compose.project": "hub",
    "com.docker.compose.project.working_dir": "/opt/passerelle/deployment/site",
}
NOTICES = {"Destination": "/etc/passerelle/notices", "Source": "/opt/passerelle/deployment/notices"}
EDGE = {"Destination": "/edge", "Source": "/opt/checkout/deployment/edge"}


def engine_with(*containers: object) -> Engine:
    own = SimpleNamespace(labels=LABELS, attrs={"Mounts": [NOTICES], "Image": "sha256:1"})
    return Engine(SimpleNamespace(containers=SimpleNamespace(list=lambda **_: list(containers))), own)


def test_relative_folders_start_beside_env() -> None:
    engine = engine_with()
    assert engine.machine_path("backups/x") == "/opt/passerelle/deployment/site/backups/x"
    assert engine.machine_path("/srv/x") == "/srv/x"
    with pytest.raises(AdministrationError, match="absolute path"):
        engine.machine_path("../x")


def test_checkout_is_known_before_the_first_start() -> None:
    assert engine_with().checkout() == "/opt/passerelle"
    prepare = SimpleNamespace(attrs={"Mounts": [EDGE]})
    assert engine_with(prepare).checkout() == "/opt/checkout"


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("", "/opt/passerelle/deployment/site/backup-password"),
        ("./deployment/site/pw", "/opt/passerelle/deployment/site/pw"),
        ("/root/pw", "/root/pw"),
    ],
)
def test_password_file_is_found(monkeypatch: pytest.MonkeyPatch, value: str, path: str) -> None:
    monkeypatch.setenv("HUB_BACKUP_PASSWORD_FILE", value)
    assert password_file(engine_with()) == path


def test_worker_mounts_only_what_it_needs() -> None:
    home, secrets = Volume("home", "bob", "hub-home-bob"), Volume("service", "secrets", "hub_secrets")
    mounts = WorkerMounts(
        (home, secrets),
        frozenset({"service"}),
        target="/srv/backup",
        target_writable=True,
        password="/pw",
        settings=True,
    )
    found = {mount["Target"]: (mount["Source"], mount["ReadOnly"]) for mount in mounts.mounts(engine_with())}
    assert found == {
        "/staging": (None, False),
        "/volumes/home/bob": ("hub-home-bob", True),
        "/volumes/service/secrets": ("hub_secrets", False),
        "/password": ("/pw", True),
        "/checkout": ("/opt/passerelle", True),
        "/site": ("/opt/passerelle/deployment/site", True),
    }
    assert mounts.binds() == {"/srv/backup": {"bind": "/target", "mode": "rw"}}


def test_restore_mounts_its_repository_read_only() -> None:
    mounts = WorkerMounts(target="/srv/backup", password="/pw", output="/root/settings")
    found = {mount["Target"]: mount["ReadOnly"] for mount in mounts.mounts(engine_with())}
    assert found == {"/staging": False, "/target": True, "/password": True}
    assert mounts.binds() == {"/root/settings": {"bind": "/output", "mode": "rw"}}


def worker_that_prints(output: bytes, status: int = 0) -> tuple[Engine, list[str]]:
    calls: list[str] = []
    container = SimpleNamespace(
        status="exited",
        attach=lambda **_: iter([output[:5], output[5:]]),
        start=lambda: calls.append("start"),
        wait=lambda: {"StatusCode": status},
        stop=lambda **_: calls.append("stop"),
        remove=lambda **_: calls.append("remove"),
    )
    engine = engine_with()
    engine.client.containers.get = lambda _: container
    engine.client.containers.create = lambda *_, **options: container if options["network_mode"] == "none" else None
    return engine, calls


def test_worker_reports_events_and_is_removed(capsys: pytest.CaptureFixture[str]) -> None:
    engine, calls = worker_that_prints(b'{"message": "checking"}\n{"result": [{"bytes": 1}]}\n')
    assert run_worker(engine, "sizes") == [{"bytes": 1}]
    assert capsys.readouterr().err == "checking\n"
    assert calls == ["remove", "start", "stop", "remove"]


@pytest.mark.parametrize(
    ("output", "status", "message"),
    [
        (b'{"error": "no space"}\n', 1, "no space"),
        (b"Traceback\nMemoryError\n", 1, "ended unexpectedly: MemoryError"),
        (b"", 137, "was killed"),
    ],
)
def test_worker_errors_end_the_command(output: bytes, status: int, message: str) -> None:
    engine, calls = worker_that_prints(output, status)
    with pytest.raises(AdministrationError, match=message):
        run_worker(engine, "sizes")
    assert calls[-1] == "remove"


def test_missing_folder_is_reported_and_means_no_archives(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object, **__: object) -> None:
        raise APIError("400", explanation="invalid mount config: bind source path does not exist: /srv/archives")

    engine, _ = worker_that_prints(b"")
    engine.client.containers.create = fail
    with pytest.raises(MissingPathError, match=r"^/srv/archives does not exist on this machine\.$"):
        run_worker(engine, "sizes")
    print_archives(engine, "/srv/archives", purge=True, expired_only=False, as_json=False)
    assert capsys.readouterr().out == "There are no archives.\n"
    with pytest.raises(MissingPathError):
        print_archives(engine, "/srv/others", purge=False, expired_only=False, as_json=False)


def test_second_command_waits_for_the_first() -> None:
    engine, _ = worker_that_prints(b"")
    engine.client.containers.get("").status = "running"
    with pytest.raises(AdministrationError, match="docker stop hub-administration"):
        run_worker(engine, "sizes")
