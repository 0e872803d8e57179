"""The systemd unit of docs/install.md: verification, sandbox score, and its command."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine.status import SYSTEMD_ANALYZE
from tests.support.bridge.actors import Wire
from tests.support.bridge.live_bridge import PASSERELLE, LiveBridge, clean_environment, free_port
from tests.support.install_page import blocks, substitute

# 0 is fully sandboxed, 10 not at all; the rest is network access, which the bridge needs.
EXPOSURE_MAX_TENTHS = 20
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1  # <linux/prctl.h>
SHUT_IN = f"""
import ctypes, os, sys
ctypes.CDLL(None).prctl({PR_SET_MDWE}, {PR_MDWE_REFUSE_EXEC_GAIN}, 0, 0, 0)  # which kernels before 6.3 do not know
os.umask(0o077)
os.execv(sys.argv[1], sys.argv[1:])
"""

# Private mounts replace the folders that the commands write to.
ON_ANOTHER_MACHINE = """
mount --bind "$0/etc" /etc
mount --bind "$0/lib" /var/lib
"""
AS_THE_USER = """
cd /
as_user() { setpriv --reuid passerelle --regid passerelle --clear-groups --bounding-set=-all "$@"; }
as_user test -r /etc/passerelle/passerelle.toml
as_user test ! -w /etc/passerelle/passerelle.toml
as_user test ! -w /etc/passerelle
as_user test -r /etc/passerelle/passerelle-secret-key
as_user test -w /var/lib/passerelle/passerelle.sqlite3
stat --format='%U %a %n' /etc/passerelle/* /var/lib/passerelle /var/lib/passerelle/*
"""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Write the unit with the path of this program, because systemd checks that it exists."""
    (text,) = blocks("systemd", "ini")
    file = tmp_path / "passerelle.service"
    file.write_text(substitute(text, {"/opt/passerelle/bin/passerelle": PASSERELLE}))
    return file


def values_of(unit: Path, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), flags=re.MULTILINE)


@pytest.mark.needs("proxies")
def test_systemd_parses_unit(unit: Path) -> None:
    told = subprocess.run([SYSTEMD_ANALYZE, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    about_it = [line for line in told.stderr.splitlines() if "passerelle" in line]
    assert about_it == []
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHoem="))
    told = subprocess.run([SYSTEMD_ANALYZE, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert "ProtectHoem" in told.stderr  # proves that the verification detects errors


@pytest.mark.needs("proxies")
def test_systemd_sandbox_score_is_low(unit: Path) -> None:
    words = [SYSTEMD_ANALYZE, "security", "--offline=true", f"--threshold={EXPOSURE_MAX_TENTHS}", "--no-pager", unit]
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


def test_unit_command_serves_init_settings(unit: Path, tmp_path: Path) -> None:
    """Run the command without systemd: with its environment, its folder and without writable executable memory."""
    port = free_port()
    issuer = f"http://localhost:{port}"
    (line,), (setting,) = values_of(unit, "ExecStart"), values_of(unit, "Environment")
    settings = tmp_path / "etc"
    words = ["init", "--yes", "--no-check", "--folder", settings, "--data", tmp_path / "lib", "--issuer", issuer]
    subprocess.run(
        [PASSERELLE, *words, "--cas-url", "http://127.0.0.1:9/cas"],
        env=clean_environment(),
        capture_output=True,
        check=True,
    )
    name, _, place = setting.partition("=")
    assert (name, place) == ("PASSERELLE_CONFIG", "/etc/passerelle/passerelle.toml")

    bridge = LiveBridge(tmp_path, cas_url="", clients=[])
    bridge.command = [sys.executable, "-c", SHUT_IN, *shlex.split(line)]
    bridge.folder, bridge.url = Path("/"), issuer
    kept = {variable: os.environ[variable] for variable in ("PATH", "PYTHONPATH") if variable in os.environ}
    bridge.environment = kept | {name: str(settings / "passerelle.toml")}
    with bridge:
        assert Wire(issuer, port=port).send("GET", "/readyz").json == {"status": "ready"}
    assert f'"file": "{settings}/passerelle.toml"' in bridge.log
    assert [json.loads(line)["level"] for line in bridge.log.splitlines() if "error" in line] == []


@pytest.mark.needs("mounts")
def test_root_commands_create_private_files_for_unit_user(tmp_path: Path) -> None:
    shutil.copytree("/etc", tmp_path / "etc", symlinks=True, ignore_dangling_symlinks=True)
    (tmp_path / "lib").mkdir()
    useradd, init, _ = blocks("systemd", "sh")[0].splitlines()
    answers = "--yes --no-check --issuer https://auth.example.org --cas-url https://sso.example.org/cas"
    init = substitute(init, {"/opt/passerelle/bin/passerelle": PASSERELLE})
    script = "\n".join(["set -eu", ON_ANOTHER_MACHINE, useradd, f"{init} {answers} >&2", AS_THE_USER])
    made = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, tmp_path],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    shutil.rmtree(tmp_path / "etc")  # it contains password hashes
    assert made.returncode == 0, made.stderr
    assert made.stdout.splitlines() == [
        "passerelle 600 /etc/passerelle/passerelle-secret-key",
        "root 644 /etc/passerelle/passerelle.toml",
        "passerelle 700 /var/lib/passerelle",
        "passerelle 600 /var/lib/passerelle/passerelle.sqlite3",
    ]
    assert "systemctl enable --now passerelle" in made.stderr
    assert not Path("/etc/passerelle/passerelle.toml").exists()


def test_init_creates_paths_of_unit() -> None:
    from bridge.cli.init import SYSTEM_DATA, SYSTEM_USER
    from bridge.settings import FILE_NAME, SYSTEM_FOLDER

    (unit,) = blocks("systemd", "ini")
    for line in (
        f"User={SYSTEM_USER}",
        f"StateDirectory={SYSTEM_DATA.relative_to('/var/lib')}",
        f"Environment=PASSERELLE_CONFIG={SYSTEM_FOLDER / FILE_NAME}",
    ):
        assert line in unit.splitlines()
