"""The bridge's image as in docs/install.md: sandboxed, small, and a sign-in from an empty volume."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.machine import status
from tests.support.bridge.actors import App, Wire
from tests.support.bridge.live_bridge import free_port
from tests.support.cas.django_cas import DjangoCas
from tests.support.cas.real_cas import Person
from tests.support.install_page import blocks, substitute

pytestmark = [pytest.mark.e2e, pytest.mark.needs("engine", "images")]

ROOT = Path(__file__).parents[2]
NAME = f"passerelle-image-test-{os.getpid()}"
REDIRECT_URI = "https://wiki.example.org/cb"
ADDED_BYTES_MAX = 150 * 10**6
USER = "10001"
SHUT_IN = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges:true")
SECONDS_MAX = 600


def docker(*words: str | Path, check: bool = True, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}
    done = subprocess.run(
        ["docker", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert not check or done.returncode == 0, f"docker {' '.join(map(str, words))}:\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def base() -> str:
    return status.image_names()["python"]


@pytest.fixture(scope="module")
def image(base: str) -> Iterator[str]:
    """Build the image with the documented command."""
    command = blocks("A container", "sh")[0]
    words = substitute(command, {"-t passerelle": f"-t {NAME}", "python:3.13-slim": base}).split()
    docker(*words[1:])
    yield NAME
    docker("image", "rm", "--force", NAME)


@pytest.fixture(scope="module")
def cas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoCas]:
    with DjangoCas(tmp_path_factory.mktemp("cas")) as server:
        yield server


class Container:
    """A bridge container on the host network, with a volume for /data."""

    def __init__(self, image: str, cas: DjangoCas, ca_file: Path) -> None:
        self.port = free_port()
        self.issuer = f"http://localhost:{self.port}"
        self._options = (*SHUT_IN, "--network=host", f"--volume={NAME}:/data", f"--volume={ca_file}:/ca.crt:ro")
        self._environment = (f"--env=PASSERELLE_BIND=127.0.0.1:{self.port}",)
        self._image, self._cas = image, cas

    def once(self, *words: str) -> str:
        return docker("run", "--rm", *self._options, *self._environment, self._image, *words).stdout

    def start(self) -> None:
        docker("run", "--detach", f"--name={NAME}", *self._options, *self._environment, self._image)
        deadline = time.monotonic() + 60
        while (health := self.logs("{{.State.Health.Status}}")) != "healthy":
            assert health == "starting", docker("logs", NAME).stderr
            assert time.monotonic() < deadline, docker("logs", NAME).stderr
            time.sleep(0.2)

    def logs(self, template: str) -> str:
        return docker("inspect", f"--format={template}", NAME).stdout.strip()

    def exec(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return docker("exec", NAME, *words, check=check)


@pytest.fixture(scope="module")
def container(image: str, cas: DjangoCas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """Run an initialised bridge container."""
    ca_file = tmp_path_factory.mktemp("ca") / "ca.crt"
    shutil.copy(cas.ca_file, ca_file)
    ca_file.chmod(0o644)
    for folder in list(ca_file.parents)[:3]:
        folder.chmod(0o755)  # the home of the engine's user
    bridge = Container(image, cas, ca_file)
    cas.register(bridge.issuer)
    docker("volume", "create", NAME)
    try:
        init = ("passerelle", "init", "--yes", "--issuer", bridge.issuer, "--cas-url", cas.url)
        assert "No fault" in bridge.once(*init, "--cas-ca-file", "/ca.crt")
        bridge.start()
        yield bridge
    finally:
        docker("rm", "--force", NAME, check=False)
        docker("volume", "rm", "--force", NAME, check=False)
        cas.unregister(bridge.issuer)


def size_of(image: str) -> int:
    sizes = docker("history", "--human=false", "--format={{.Size}}", image).stdout.split()
    return sum(map(int, sizes))


def test_image_size_is_limited(image: str, base: str, figures: list[str]) -> None:
    added = size_of(image) - size_of(base)
    figures.append(f"the image adds {added / 1e6:.0f} MB")
    assert added < ADDED_BYTES_MAX


def test_container_is_unprivileged_and_writes_only_data(container: Container) -> None:
    assert container.exec("id", "-u").stdout.strip() == USER
    assert container.exec("touch", "/opt/passerelle/x", check=False).returncode != 0
    capabilities = re.search(r"^CapEff:\s*(\w+)$", container.exec("cat", "/proc/1/status").stdout, flags=re.MULTILINE)
    assert capabilities is not None
    assert int(capabilities[1], 16) == 0
    assert docker("diff", NAME).stdout.split("\n")[:-1] == ["A /ca.crt"]  # the mount point of the test's file
    kept = container.exec("stat", "--format=%a %n", "/data/passerelle.toml", "/data/passerelle-secret-key").stdout
    assert kept.split("\n")[:2] == ["644 /data/passerelle.toml", "600 /data/passerelle-secret-key"]


def test_sign_in_at_bridge_container(container: Container, cas: DjangoCas) -> None:
    added = container.exec("passerelle", "clients", "add", "Wiki", "--redirect-uri", REDIRECT_URI, "--json").stdout
    client = json.loads(added)
    person = Person(Wire(container.issuer, port=container.port), cas)
    app = App(person.wire, client["client_id"], secret=client["client_secret"], redirect_uri=REDIRECT_URI)
    tokens = app.redeem(app.extract_code(person.sign_in(app.authorization_url()))).json
    assert app.fetch_userinfo(tokens["access_token"]).json["sub"] == cas.user.name
    person.at_cas.close()
    assert "No fault" in container.exec("passerelle", "check").stdout


def test_container_stops_on_sigterm_with_log(container: Container) -> None:
    began = time.monotonic()
    docker("stop", NAME)
    assert time.monotonic() - began < 9  # the engine kills after ten seconds
    assert container.logs("{{.State.ExitCode}}") == "0"
    assert "Traceback" not in docker("logs", NAME).stderr


def test_documented_compose_file_runs(image: str, tmp_path: Path) -> None:
    """Only the port and the image name are changed; its CAS does not exist."""
    port = free_port()
    (block,) = blocks("A container", "yaml")
    assert block.count("\n") <= 20
    replaced = {"image: passerelle": f"image: {image}", "127.0.0.1:8000:": f"127.0.0.1:{port}:"}
    (tmp_path / "compose.yml").write_text(substitute(block, replaced))

    def run(line: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        words: Sequence[str] = line.split()
        assert words[:2] == ["docker", "compose"]
        return docker("compose", "--project-name", NAME, *words[2:], check=check, folder=tmp_path)

    init, up, check = blocks("A container", "sh")[1].splitlines()
    try:
        assert "https://auth.example.org" in run(init).stdout
        run(up)
        told = Wire("https://auth.example.org", port=port).send("GET", "/.well-known/openid-configuration").json
        assert told["issuer"] == "https://auth.example.org"
        checked = run(check, check=False)
        assert "ok       database" in checked.stdout
        assert "Traceback" not in checked.stderr
    finally:
        run("docker compose down --volumes --timeout 5", check=False)
