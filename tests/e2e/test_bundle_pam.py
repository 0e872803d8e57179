"""Accounts of a machine through PAM, in the hub's image and with the hub's rights."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.docker.deployment import Deployment, clean_clone

pytestmark = [pytest.mark.e2e, pytest.mark.needs("engine", "images")]

PASSWORD = "correct horse"
ACCOUNTS = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\npat:x:1001:1001::/home/pat:/bin/sh\n",
    "group": "root:x:0:\nshadow:x:42:\npat:x:1001:\nstudents:x:2000:pat\n",
    "shadow": "root:*:19000:0:99999:7:::\npat:{hash}:19000:0:99999:7:::\n",
}
TRY = """\
import asyncio, sys
from hub.auth.pam import PamAuthenticator
name, password = sys.argv[1:]
model = asyncio.run(PamAuthenticator().verify_password(None, {"username": name, "password": password}))
print(model and (model["name"], model["groups"], model["admin"]))
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Return a deployment with its own account files and compose.pam.yml."""
    folder = clean_clone(tmp_path_factory.mktemp("clone"))
    overlay = (folder / "compose.pam.yml").read_text()
    hashed = subprocess.run(["openssl", "passwd", "-6", PASSWORD], capture_output=True, text=True, check=True)
    for name, text in ACCOUNTS.items():
        (folder / name).write_text(text.replace("{hash}", hashed.stdout.strip()))
        (folder / name).chmod(0o640 if name == "shadow" else 0o644)
        assert f"- /etc/{name}:/etc/{name}:ro" in overlay
        overlay = overlay.replace(f"- /etc/{name}:", f"- ./{name}:")
    (folder / "compose.pam.yml").write_text(overlay)
    ours = Deployment(folder, f"passerelle-pam-{os.getpid()}")
    try:
        ours.compose("build", "prepare", "hub")
        ours.compose("run", "--rm", "--no-deps", "-T", "prepare")
        ours.compose("up", "--detach", "--no-deps", "guard")
        yield ours
    finally:
        ours.remove()


def tries(deployment: Deployment, name: str, password: str) -> str:
    files = ("-f", "compose.yml", "-f", "compose.pam.yml")
    done = deployment.compose(*files, "run", "--rm", "--no-deps", "-T", "hub", "python", "-c", TRY, name, password)
    return done.stdout.strip().splitlines()[-1]


def test_account_signs_in_with_system_groups(deployment: Deployment) -> None:
    assert tries(deployment, "pat", PASSWORD) == "('pat', ['pat', 'students'], False)"


@pytest.mark.parametrize(("name", "password"), [("pat", "wrong"), ("root", ""), ("nobody", "x"), ("pat", "")])
def test_invalid_accounts_are_rejected(deployment: Deployment, name: str, password: str) -> None:
    assert tries(deployment, name, password) == "None"


def test_missing_account_files_are_explained(deployment: Deployment) -> None:
    done = deployment.compose("run", "--rm", "--no-deps", "-T", "-e", "AUTH_METHOD=pam", "hub", check=False)
    assert done.returncode == 1
    assert "COMPOSE_FILE=compose.yml:compose.pam.yml" in done.stdout + done.stderr
