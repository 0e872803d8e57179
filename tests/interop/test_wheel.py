"""The wheel: its contents, and an installation in a separate environment."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bridge.actors import App, Wire
from tests.support.bridge.live_bridge import LiveBridge, clean_environment, free_port
from tests.support.cas.django_cas import DjangoCas
from tests.support.cas.real_cas import Person
from tests.support.install_page import blocks

ROOT = Path(__file__).parents[2]
REDIRECT_URI = "https://wiki.example.org/cb"
NEEDED = ("bridge", "passerelle_common", "pyproject.toml", "README.md", "LICENSE")


def environment() -> dict[str, str]:
    """Return an environment without references to the source tree."""
    return {name: value for name, value in clean_environment().items() if not name.startswith(("PYTHON", "VIRTUAL_"))}


def built(source: Path, place: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", place],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (wheel,) = place.glob("passerelle-*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an empty environment with the commands of docs/install.md; return its programs.

    If TESTED_PASSERELLE is set, `make installed` has already done so.
    """
    if program := os.environ.get("TESTED_PASSERELLE"):
        return Path(program).parent
    folder = tmp_path_factory.mktemp("opt")
    (commands,) = blocks("Install", "sh")
    for line in (
        commands.replace("/opt/passerelle", str(folder)).replace("--no-deps .", f"--no-deps {wheel}").splitlines()
    ):
        words = [sys.executable if word == "python3" else word for word in line.split()]
        subprocess.run(words, cwd=ROOT, env=environment(), check=True, capture_output=True)
    return folder / "bin"


@pytest.fixture(scope="module")
def cas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoCas]:
    with DjangoCas(tmp_path_factory.mktemp("cas")) as server:
        yield server


def test_wheel_contains_exactly_the_packages(wheel: Path) -> None:
    tracked = subprocess.check_output(["git", "ls-files", "bridge", "passerelle_common"], cwd=ROOT, text=True).split()
    there = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert there == set(tracked) - {"bridge/Dockerfile"}
    kinds = {Path(name).suffix for name in there}
    assert {".html", ".css", ".js", ".mo", ".mako"} <= kinds
    assert any(name.startswith("bridge/store/migrations/versions/") for name in there)


def test_wheel_build_is_reproducible(wheel: Path, tmp_path: Path) -> None:
    for name in NEEDED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    for file in (tmp_path / "bridge").rglob("*.py"):
        os.utime(file, (1, 1))
    # Files in a work tree may be secrets.
    for stray in (
        "passerelle.toml",
        "passerelle-secret-key",
        "x.env",
        "oauth/keys.py~",
        ".keys.py.swp",
        "recipes/x.orig",
        "x.sqlite3",
    ):
        (tmp_path / "bridge" / stray).write_text("a secret")
    again = built(tmp_path, tmp_path / "dist")
    digests = {hashlib.sha256(file.read_bytes()).hexdigest() for file in (wheel, again)}
    assert (again.name, len(digests)) == (wheel.name, 1)


def test_sign_in_from_empty_folder(installed: Path, cas: DjangoCas, tmp_path: Path) -> None:
    """Run `passerelle init` and `passerelle serve` in an empty folder, add a client and sign in."""
    port = free_port()
    issuer = f"http://localhost:{port}"
    cas.register(issuer)

    def run(*words: str) -> str:
        command = [installed / "passerelle", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout

    told = run("init", "--yes", "--issuer", issuer, "--cas-url", cas.url, "--cas-ca-file", str(cas.ca_file))
    assert re.search(r"\nNo fault", told), told
    client = json.loads(run("clients", "add", "Wiki", "--redirect-uri", REDIRECT_URI, "--json"))

    bridge = LiveBridge(tmp_path, cas_url=cas.url, clients=[])
    bridge.command = [installed / "passerelle", "serve"]
    bridge.folder, bridge.url, bridge.environment = tmp_path, issuer, environment()
    with bridge:
        person = Person(Wire(issuer, port=port), cas)
        app = App(person.wire, client["client_id"], secret=client["client_secret"], redirect_uri=REDIRECT_URI)
        tokens = app.redeem(app.extract_code(person.sign_in(app.authorization_url()))).json
        assert app.fetch_userinfo(tokens["access_token"]).json["sub"] == cas.user.name
        page = person.get(f"{issuer}/", **{"Accept-Language": "fr"})
        assert "Se déconnecter partout" in page.text
        assert {person.get(sheet).status for sheet in re.findall(r'href="([^"]+\.css)"', page.text)} == {200}
        assert "No fault" in run("check")
        person.at_cas.close()
    assert f'"file": "{tmp_path}/passerelle.toml"' in bridge.log
    assert "Traceback" not in bridge.log
    cas.unregister(issuer)


def test_installed_program_is_not_the_source_tree(installed: Path) -> None:
    """In CI every bridge process of the tests runs this program."""
    where = [installed / "python", "-c", "import bridge; print(bridge.__file__)"]
    found = Path(subprocess.check_output(where, cwd=installed, env=environment(), text=True).strip())
    assert found.is_relative_to(installed.parent)
    assert not found.is_relative_to(ROOT / "bridge")
