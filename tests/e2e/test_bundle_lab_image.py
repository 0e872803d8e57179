"""The lab's image without a hub: builds, rejected builds, and the commands of lab/README.md."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from tests.machine import status
from tests.support.docker.deployment import Deployment, clean_clone, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.needs("engine", "images")]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Return a clone without running services."""
    ours = Deployment(clean_clone(tmp_path_factory.mktemp("clone")), f"passerelle-image-{os.getpid()}")
    try:
        yield ours
    finally:
        ours.remove()


def page_at(port: int, path: str) -> str:
    """Return a page of this machine, or "" while it is not served."""
    with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return str(answer.read().decode())
    return ""


def test_documented_commands_run_lab_image_alone(deployment: Deployment) -> None:
    page = (deployment.folder / "lab" / "README.md").read_text()
    (block,) = re.findall(r"^## Try it alone.*?^```sh\n(.*?)^```", page, re.M | re.S)
    build, run = (shlex.split(line) for line in block.splitlines())
    deployment.compose(*build[2:])
    named = [f"{deployment.project}-lab" if word == "passerelle-lab" else word for word in run[1:]]
    port = free_port(0)
    named = [word.replace(":8888:", f":{port}:") for word in named]
    name = f"{deployment.project}-alone"
    alone = subprocess.Popen(["docker", named[0], "--name", name, *named[1:]], stderr=subprocess.PIPE, text=True)
    try:
        assert alone.stderr
        address = re.compile(r"127\.0\.0\.1:8888/\S*token=(\w+)")
        token = next(found[1] for line in alone.stderr if (found := address.search(line)))
        deployment.wait(lambda: "<title>JupyterLab</title>" in page_at(port, f"/lab?token={token}"), "JupyterLab")
    finally:
        deployment.docker("stop", name, check=False)
        alone.communicate(timeout=30)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"LAB_R": "maybe"}, "LAB_R is 'maybe' but must be yes or no"),
        (
            {"LAB_BASE_IMAGE": status.image_names()["python"]},
            "is root, or cannot write its home",
        ),
    ],
)
def test_unsuitable_base_image_fails_build(deployment: Deployment, changed: dict[str, str], sentence: str) -> None:
    done = deployment.compose("build", "lab", check=False, changed=changed)
    assert done.returncode != 0
    assert sentence in done.stdout + done.stderr


def test_image_without_r_keeps_everything_else(deployment: Deployment) -> None:
    deployment.compose("build", "lab", changed={"LAB_R": "no"})
    image = f"{deployment.project}-lab"
    ask = "for one in Rscript git; do command -v $one || true; done; jupyter kernelspec list --json"
    said = deployment.docker("run", "--rm", image, "sh", "-c", ask)
    assert "Rscript" not in said
    assert "/git" in said
    assert re.findall(r'"(ir|python3)": ', said) == ["python3"]
