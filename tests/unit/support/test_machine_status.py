"""The scripts that prepare a test machine: image names, index settings, installed parts."""

from pathlib import Path

import pytest

from tests.machine.pip_settings import carried_settings
from tests.machine.status import IMAGE_VARIABLES, UnnamedImageError, apereo_home, image_names, missing_apereo

FROM_FILE = """\
# PYTHON_IMAGE=commented:out
PYTHON_IMAGE=python:3.13-slim
TRAEFIK_IMAGE="traefik:v3.7.15"  # quoted, with a remark
LAB_BASE_IMAGE=registry.example:5000/lab:2026
OTHER_IMAGE=other:1
"""


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in IMAGE_VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    file = tmp_path / ".env"
    file.write_text(FROM_FILE, encoding="utf-8")
    return file


def test_image_names_come_from_env_file(env_file: Path) -> None:
    assert image_names(env_file) == {
        "python": "python:3.13-slim",
        "traefik": "traefik:v3.7.15",
        "lab": "registry.example:5000/lab:2026",
    }


def test_environment_overrides_env_file(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_IMAGE", "mirror.example/python:3.13-slim")
    assert image_names(env_file)["python"] == "mirror.example/python:3.13-slim"


def test_unnamed_image_error_names_variable_and_file(env_file: Path) -> None:
    env_file.write_text("PYTHON_IMAGE=python:3.13-slim\nTRAEFIK_IMAGE=\n", encoding="utf-8")
    with pytest.raises(UnnamedImageError, match=r"TRAEFIK_IMAGE is neither .*\.env"):
        image_names(env_file)


def test_containers_get_index_settings_without_local_paths() -> None:
    listing = (
        ":env:.index-url='https://strong.example/simple'\n"
        ":env:.default-timeout='180'\n"
        ":env:.find-links='/opt/wheels'\n"
        "global.index-url='https://weak.example/simple'\n"
        "user.extra-index-url='https://one.example/simple\\nhttps://two.example/simple'\n"
    )
    assert carried_settings(listing) == {
        "index-url": "https://strong.example/simple",
        "timeout": "180",
        "extra-index-url": "https://one.example/simple\nhttps://two.example/simple",
    }


def test_apereo_home_requires_complete_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    state = tmp_path / "passerelle-test"
    assert missing_apereo() == f"no Apereo CAS is in {state}"
    for interrupted in ("apereo-7.0.0-java-21", "apereo.Ab3dEf"):
        (state / interrupted).mkdir(parents=True)
    assert apereo_home() is None

    (state / "apereo-7.0.0-java-21" / "ready").touch()
    assert missing_apereo() is None
    assert apereo_home() == state / "apereo-7.0.0-java-21"
