"""Labs without a host for each user, in `make demo`: they work, and their origins protect less, as documented."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.bridge.journey import Journey
from tests.support.docker.deployment import Deployment
from tests.support.hub.attack_page import TOKEN_NOTE, Addresses, attack
from tests.support.hub.demo import Demo, running_demo
from tests.support.hub.person import Person

pytestmark = [pytest.mark.e2e, pytest.mark.needs("browser")]
# Hub and labs are one site, as in production, so browsers send SameSite cookies from the labs to the hub.
DOMAIN = "campus.localhost"


@dataclass(frozen=True)
class Visit:
    """What happened when Alice, an administrator, used her lab and opened a page of Bob's."""

    demo: Demo
    lab_url: str
    output: str
    attacked: dict[str, dict[str, Any]]
    status_of_other_lab: int


def visit_demo(folder_of: pytest.TempPathFactory, lab_host: str, lab_name: str) -> Iterator[Visit]:
    with running_demo(folder_of.mktemp("demo"), DEMO_DOMAIN=DOMAIN, DEMO_LAB_HOST=lab_host) as demo:
        bob = Person(Deployment(demo.temporary, "demo", https_port=demo.port), f"jupyter.{DOMAIN}")
        bob.start_lab("bob", bob.sign_in("bob", "bob-demo"))
        labs = demo.url(lab_name)
        with Journey(demo.hub_url, name="demo-origins") as alice:
            alice.sign_in("alice", "alice-demo")
            lab_url = alice.page.url
            alice.open_notebook()
            output = alice.run_cell("6*7")
            places = Addresses(demo.hub_url, demo.url("auth"), labs, labs)
            attacked = attack(alice.page.context, places, attacker="bob", user="alice")
            yield Visit(demo, lab_url, output, attacked, open_lab_of_other(alice.page, f"{labs}/user/bob"))


def open_lab_of_other(page: Page, lab: str) -> int:
    """Open a lab of another user as a link does, and return the status of the lab's API, or of the hub's refusal.

    Without a sign-in at this lab, its API rejects administrators too.
    """
    asked = page.goto(f"{lab}/lab")
    assert asked is not None
    assert "/hub/api/oauth2/authorize" in page.url
    if asked.status != 200:
        return asked.status
    page.get_by_role("button", name="Authorize").click()
    page.wait_for_url(f"{lab}/lab*")
    contents = page.goto(f"{lab}/api/contents")
    assert contents is not None
    return contents.status


@pytest.fixture(scope="class")
def one_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    yield from visit_demo(tmp_path_factory, f"labs.{DOMAIN}", "labs")


@pytest.fixture(scope="class")
def hub_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    yield from visit_demo(tmp_path_factory, "", "jupyter")


class TestOneHost:
    """LAB_HOST is one host for all labs."""

    def test_lab_works_on_host_of_labs(self, one_host: Visit) -> None:
        assert one_host.lab_url.startswith(f"{one_host.demo.url('labs')}/user/alice/lab")
        assert one_host.output == "42"

    def test_page_of_lab_gets_no_token_from_hub(self, one_host: Visit) -> None:
        assert one_host.attacked["hub"] == {"token": "", "status": 0}
        assert one_host.demo.tokens_with_note(TOKEN_NOTE) == 0

    def test_page_of_lab_cannot_read_bridge(self, one_host: Visit) -> None:
        assert one_host.attacked["bridge"] == {"text": "", "status": 0}

    def test_page_of_lab_acts_in_other_lab(self, one_host: Visit) -> None:
        """The documented cost, which also shows that the attack works where nothing prevents it."""
        assert one_host.attacked["lab"]["status"] == 201

    def test_administrator_may_open_other_lab(self, one_host: Visit) -> None:
        assert one_host.status_of_other_lab == 200


class TestHostOfHub:
    """LAB_HOST is empty."""

    def test_lab_works_on_host_of_hub(self, hub_host: Visit) -> None:
        assert hub_host.lab_url.startswith(f"{hub_host.demo.hub_url}/user/alice/lab")
        assert hub_host.output == "42"

    def test_page_of_lab_gets_token_from_hub(self, hub_host: Visit) -> None:
        """The documented cost, which also shows that the attack works where nothing prevents it."""
        assert hub_host.attacked["hub"]["status"] == 201
        assert hub_host.demo.tokens_with_note(TOKEN_NOTE) == 1

    def test_page_of_lab_cannot_read_bridge(self, hub_host: Visit) -> None:
        assert hub_host.attacked["bridge"] == {"text": "", "status": 0}

    def test_administrator_cannot_open_other_lab(self, hub_host: Visit) -> None:
        assert hub_host.status_of_other_lab == 403

    def test_hub_logs_the_cost(self, hub_host: Visit) -> None:
        assert "LAB_HOST is empty" in (hub_host.demo.folder / "logs" / "hub.log").read_text()
