"""The lab's half of the meter: what the server extension answers, and that JupyterLab takes the plugin as it is."""

import asyncio
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

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


def test_a_home_is_counted_as_the_hub_counts_it(extension: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 3_000_000)
    used = asyncio.run(extension.Home(tmp_path, 1).used())
    assert 3_000_000 <= used < 3_200_000


def test_it_is_counted_again_only_after_a_while_and_once_for_many_who_ask(
    extension: ModuleType, tmp_path: Path
) -> None:
    now = [0.0]

    async def ask() -> None:
        home = extension.Home(tmp_path, 1, now=lambda: now[0])
        first = await asyncio.gather(*(home.used() for _ in range(10)))
        assert len(set(first)) == 1
        (tmp_path / "big").write_bytes(b"x" * 3_000_000)
        assert await home.used() == first[0]
        now[0] += extension.GOOD_FOR
        assert await home.used() > first[0] + 2_900_000

    asyncio.run(ask())


def test_a_folder_that_cannot_be_counted_has_no_size(extension: ModuleType, tmp_path: Path) -> None:
    assert asyncio.run(extension.Home(tmp_path / "none", 1).used()) is None


def test_jupyterlab_is_told_where_the_plugin_is() -> None:
    package = json.loads((LAB_HOME / "labextension/package.json").read_text())
    build = package["jupyterlab"]["_build"]
    script = (LAB_HOME / "labextension" / build["load"]).read_text()
    assert f'window._JUPYTERLAB["{package["name"]}"]' in script
    assert build["extension"] == "./extension"
