"""Site settings as docs/hub/site.md describes them, checked with `docker compose config`."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.docker.deployment import ROOT, Deployment, clean_clone

pytestmark = [pytest.mark.e2e, pytest.mark.needs("engine")]

PAGE = (ROOT / "docs/hub/site.md").read_text()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a clone with the site settings of the page."""
    folder = clean_clone(tmp_path)
    (written,) = re.findall(r"cat > \.env <<'END'\n(.*?)END\n", PAGE, re.DOTALL)
    (folder / "deployment/site/.env").write_text(written)
    return folder


def config(folder: Path) -> dict[str, Any]:
    environment = {name: text for name, text in Deployment(folder, "x").environment().items() if "COMPOSE" not in name}
    done = subprocess.run(
        ["docker", "compose", "config", "--format", "json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return dict(json.loads(done.stdout))


def test_site_settings_override_committed_ones(checkout: Path) -> None:
    project = config(checkout / "deployment" / "site")

    assert project["name"] == "hub"
    assert "cas" not in project["services"]
    assert "localhost" not in json.dumps([one.get("environment") for one in project["services"].values()])
    hub = project["services"]["hub"]
    assert hub["environment"]["AUTH_ALLOWED_GROUPS"] == "staff;students"
    assert hub["environment"]["PROJECT_NAME"] == "hub"
    assert hub["environment"]["LAB_MEM_LIMIT"] == "2G"
    assert Path(hub["build"]["context"]) == checkout


def test_clean_clone_is_the_demo(checkout: Path) -> None:
    project = config(checkout)

    assert project["name"] == "passerelle"
    assert "cas" in project["services"]


def test_compose_override_changes_service(checkout: Path) -> None:
    (checkout / "deployment/site/compose.override.yml").write_text(
        "services: {hub: {environment: {TZ: Europe/Warsaw}}}\n"
    )

    environment = config(checkout / "deployment" / "site")["services"]["hub"]["environment"]
    assert environment["TZ"] == "Europe/Warsaw"
    assert environment["PROJECT_NAME"] == "hub"


def test_git_ignores_site_files(checkout: Path) -> None:
    for name in (
        "deployment/site/.env",
        "deployment/site/hub.toml",
        "deployment/site/compose.override.yml",
        "backups/x",
        "archives/x",
    ):
        assert subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT, check=False).returncode == 0
    tracked = subprocess.run(["git", "check-ignore", "-q", "deployment/site/compose.yml"], cwd=ROOT, check=False)
    assert tracked.returncode == 1
