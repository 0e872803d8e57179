"""A class signs in at the same moment, and every student gets a lab.

There are six students by default, and thirty with PASSERELLE_TEST_LONG=1.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.docker.deployment import ROOT, Deployment, clean_clone, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.needs("engine", "images")]

STUDENTS = 30 if os.environ.get("PASSERELLE_TEST_LONG") else 6
WITHIN = 3600


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = clean_clone(tmp_path_factory.mktemp("clone"))
    ours = Deployment(folder, f"passerelle-load-{os.getpid()}", http_port=free_port(0), https_port=free_port(0))
    try:
        ours.compose("up", "--detach", "--wait", changed={"DEMO_STUDENTS": str(STUDENTS)})
        yield ours
    finally:
        ours.remove()


def test_every_student_gets_a_lab(deployment: Deployment, figures: list[str]) -> None:
    command = [sys.executable, "-m", "tests.bench.classroom", "--students", str(STUDENTS)]
    command += ["--hub", deployment.url("jupyter.localhost").rstrip("/")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN, check=False)
    figures += done.stdout.splitlines()
    assert done.returncode == 0, f"{done.stderr}\n{deployment.logs()}"
    rounds = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["round"], one["students"]) for one in rounds] == [
        ("sequential", STUDENTS),
        ("concurrent", STUDENTS),
    ]
    assert deployment.labs() == []
