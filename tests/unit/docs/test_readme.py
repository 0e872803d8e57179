"""Consistency of the README. tests/e2e reads its commands from the page and runs them."""

import re
from pathlib import Path

from tests.support import readme

ROOT = readme.README.parent


def test_readme_page_commands_have_tests() -> None:
    """Add a new command here and to a test that runs it."""
    assert readme.commands() == [
        "docker compose up -d --build --wait",  # tests/e2e/test_compose.py
        "docker compose down",  # tests/e2e/test_compose.py
        "docker compose -p passerelle-labs down",  # tests/e2e/test_compose.py, by its own project's name
        "make demo",  # tests/e2e/test_demo.py
        "docker compose run --rm bridge passerelle check --message",  # tests/e2e/test_compose.py
        "docker compose exec bridge passerelle check",  # tests/e2e/test_compose.py
        "docker compose logs prepare bridge hub",  # tests/e2e/test_compose.py
        # tests/e2e/test_compose.py
        "docker compose exec bridge passerelle clients add Dashboards --recipe grafana --url https://grafana.example.org",
        "docker compose exec bridge passerelle clients add Wiki --redirect-uri https://wiki.example.org/callback",
    ]


def test_readme_covers_own_cas_within_sixty_lines() -> None:
    lines = readme.text().splitlines()
    (start,) = (i for i, line in enumerate(lines) if line == "## Use it with your CAS")
    end = next(i for i, line in enumerate(lines) if i > start and line.startswith("## "))

    assert end <= 60


def test_readme_page_links_exist() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", readme.text())

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_readme_settings_are_in_env_file() -> None:
    env = Path(ROOT / ".env").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z][A-Z_]{4,})`", readme.text()))

    assert named >= {"HUB_HOST", "AUTH_HOST", "CAS_URL"}
    assert [name for name in sorted(named) if not re.search(rf"^#?{name}=", env, re.MULTILINE)] == []
