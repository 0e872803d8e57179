"""The home meter of the lab: responses of the server extension, and the plugin's registration."""

import asyncio
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.clock import Clock

LAB_HOME = Path(__file__).parents[3] / "lab" / "home"


@pytest.fixture(scope="module")
def extension() -> ModuleType:
    spec = importlib.util.spec_from_file_location("passerelle_home", LAB_HOME / "passerelle_home.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["passerelle_home"] = module
    spec.loader.exec_module(module)
    return module


def test_home_size_matches_measurement_of_hub(extension: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 3_000_000)
    used = asyncio.run(extension.Home(tmp_path, 1).used())
    assert 3_000_000 <= used < 3_200_000


def test_home_size_is_cached_between_requests(extension: ModuleType, tmp_path: Path) -> None:
    clock = Clock(0)

    async def ask() -> None:
        home = extension.Home(tmp_path, 1, now=clock)
        first = await asyncio.gather(*(home.used() for _ in range(10)))
        assert len(set(first)) == 1
        (tmp_path / "big").write_bytes(b"x" * 3_000_000)
        assert await home.used() == first[0]
        clock.advance(extension.GOOD_FOR)
        assert await home.used() > first[0] + 2_900_000

    asyncio.run(ask())


def test_unmeasurable_home_has_no_size(extension: ModuleType, tmp_path: Path) -> None:
    assert asyncio.run(extension.Home(tmp_path / "none", 1).used()) is None


def test_home_plugin_is_registered_in_jupyterlab() -> None:
    package = json.loads((LAB_HOME / "labextension/package.json").read_text())
    build = package["jupyterlab"]["_build"]
    script = (LAB_HOME / "labextension" / build["load"]).read_text()
    assert f'window._JUPYTERLAB["{package["name"]}"]' in script
    assert build["extension"] == "./extension"
