"""One guard with a fake engine for all tests of a module."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.config.settings import load_settings
from hub.guard.rules import GuardSettings, Rules, build_rules
from tests.support.docker.guarded_engine import GuardedEngine, guarded_engine

HUB_TOML = """
[[images]]
name = "Course"
image = "registry.example.org:5000/course@sha256:0123"

[groups.staff]
memory = "8G"
cpu = 2.5
gpus = ["0", "GPU-7f"]

[courses.algebra]
teachers = ["staff"]
"""


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    hub_toml = tmp_path_factory.mktemp("guard") / "hub.toml"
    hub_toml.write_text(HUB_TOML)
    environment = {
        "PROJECT_NAME": "p",
        "LAB_IMAGE": "p-lab",
        "LAB_NETWORK_NAME": "p-labs",
        "LAB_PUBLIC_FOLDER": "/srv/public data",
        "HUB_DATA_DIR": "/data",
        "HUB_CONFIG_FILE": str(hub_toml),
    }
    return build_rules(load_settings(environment, GuardSettings))


@pytest.fixture(scope="session")
def shared_guard(rules: Rules) -> Iterator[GuardedEngine]:
    with tempfile.TemporaryDirectory() as folder, guarded_engine(Path(folder), rules) as guard:
        yield guard


@pytest.fixture
def guard(shared_guard: GuardedEngine) -> GuardedEngine:
    shared_guard.engine.calls.clear()
    return shared_guard
