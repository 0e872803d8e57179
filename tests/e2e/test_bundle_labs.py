"""Labs by group on a running deployment: images, resource limits, and messages of failed starts.

Alice is staff and an administrator, Bob a student (demo/cas/cas_users.py). The tests share one deployment and depend
on each other in this order.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

import pytest

from tests.machine import status
from tests.support.bridge.journey import Journey
from tests.support.docker.deployment import Deployment, clean_clone, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.needs("engine", "images", "browser")]

HUB = "jupyter.localhost"
OWN, STAFF, GONE, UNFIT = "Python and R", "Staff's own", "Not pulled yet", "No lab at all"
HUB_TOML = """
[[images]]
name = "Python and R"
description = "For all courses"

[[images]]
name = "Staff's own"
image = "{project}-staff"
description = "With <everything>"
groups = ["staff"]

[[images]]
name = "Not pulled yet"
image = "passerelle-nowhere:1"
groups = ["staff"]

[[images]]
name = "No lab at all"
image = "{python}"
groups = ["staff"]

[groups.students]
memory = "1G"
cpu = 0.5
processes = 256

[groups.staff]
memory = "3G"

[groups.jupyter-admins]
memory = "1G"
cpu = 1.5
"""
KERNELS = """
from jupyter_client.manager import start_new_kernel
for name, code in (("python3", "print(6 * 7)"), ("ir", "cat(6 * 7)")):
    manager, client = start_new_kernel(kernel_name=name)
    said = []
    client.execute_interactive(code, timeout=60, output_hook=lambda one: said.append(one["content"].get("text", "")))
    manager.shutdown_kernel(now=True)
    print(name, "".join(said).strip())
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = clean_clone(tmp_path_factory.mktemp("clone"))
    project = f"passerelle-labs-{os.getpid()}"
    (folder / "hub.toml").write_text(HUB_TOML.format(project=project, python=status.image_names()["python"]))
    with (folder / ".env").open("a") as settings:
        settings.write("\nHUB_CONFIG_FILE=./hub.toml\nHUB_NAMED_SERVER_LIMIT=1\n")
    ours = Deployment(folder, project, http_port=free_port(0), https_port=free_port(0))
    try:
        ours.compose("--profile", "*", "build")
        staff = folder / "staff"
        staff.mkdir()
        (staff / "Dockerfile").write_text(f"FROM {project}-lab\nLABEL for=staff\n")
        ours.docker("build", "--quiet", "--tag", f"{project}-staff", str(staff))
        ours.compose("up", "--detach", "--wait")
        yield ours
    finally:
        ours.remove()
        ours.docker("image", "rm", f"{project}-staff", check=False)


@pytest.fixture(scope="class")
def bob(deployment: Deployment) -> Iterator[Journey]:
    with Journey(deployment.url(HUB), name="labs-bob") as journey:
        journey.sign_in("bob", "bob-demo")
        yield journey


@pytest.fixture(scope="class")
def alice(deployment: Deployment) -> Iterator[Journey]:
    with Journey(deployment.url(HUB), name="labs-alice") as journey:
        journey.user = "alice"
        journey.open_hub()
        journey.page.get_by_role("button", name="Sign in with CAS").click()
        journey.page.wait_for_url(re.compile(r"/cas/login\?"))
        journey.fill_cas_form("alice", "alice-demo")
        journey.page.wait_for_url(re.compile(r"/hub/(home|spawn)"))
        yield journey


def container(deployment: Deployment, user: str) -> dict[str, object]:
    return dict(json.loads(deployment.docker("inspect", f"{deployment.project}-lab-{user}"))[0])


def image_id(deployment: Deployment, name: str) -> str:
    return deployment.docker("image", "inspect", "--format", "{{.Id}}", f"{deployment.project}-{name}")


def ask(person: Journey, method: str, path: str, body: object = None) -> tuple[int, str]:
    """Call the hub's API in the user's browser session."""
    with person.page.context.new_page() as page:
        page.goto(f"{person.hub_url}/hub/home")
        status, text = page.evaluate(
            """async ([method, path, body]) => {
                const headers = {"X-XSRFToken": window.jhdata.xsrf_token, "Content-Type": "application/json"};
                const answer = await fetch(`/hub/api/users/${path}`, {method, headers, body});
                return [answer.status, await answer.text()];
            }""",
            [method, path, None if body is None else json.dumps(body)],
        )
    return int(status), str(text)


def test_hub_start_logs_missing_images(deployment: Deployment) -> None:
    said = deployment.compose("logs", "--no-color", "hub").stdout
    assert "the image passerelle-nowhere:1 of hub.toml is not on this server" in said
    assert "-staff of hub.toml" not in said


class TestStudent:
    """Bob, with one image and lower limits."""

    def test_gets_lab_with_limits_of_students(self, deployment: Deployment, bob: Journey) -> None:
        lab = container(deployment, "bob")
        host = lab["HostConfig"]
        assert lab["Image"] == image_id(deployment, "lab")
        assert (host["Memory"], host["MemorySwap"]) == (1024**3, 1024**3)
        assert (host["CpuQuota"], host["CpuPeriod"]) == (50_000, 100_000)
        assert host["PidsLimit"] == 256
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]

    def test_runs_python_and_r(self, deployment: Deployment, bob: Journey) -> None:
        said = deployment.docker("exec", f"{deployment.project}-lab-bob", "python", "-c", KERNELS)
        assert said.splitlines() == ["python3 42", "ir 42"]

    def test_meter_shows_own_limits(self, bob: Journey) -> None:
        foot = bob.page.locator("#jp-main-statusbar")
        bob.wait(lambda: "/ 1024.00 MB" in foot.inner_text(), "meter with Bob's own limit", 60_000)
        assert re.search(r"CPU: [\d.]+ % \| Mem: [\d.]+ / 1024\.00 MB", foot.inner_text())

    def test_nbgitpuller_link_works(self, deployment: Deployment, bob: Journey) -> None:
        bob.goto(f"{bob.hub_url}/user/bob/git-pull?repo=/nowhere")
        bob.page.get_by_text(re.compile("Syncing|Error", re.I)).first.wait_for()
        deployment.docker("exec", f"{deployment.project}-lab-bob", "git", "--version")

    @pytest.mark.parametrize("image", [STAFF, "passerelle-nowhere:1", ["Python and R"], {"a": 1}, ""])
    def test_forged_image_choice_is_rejected(self, deployment: Deployment, bob: Journey, image: object) -> None:
        if deployment.labs():
            bob.stop_server()
        status, said = ask(bob, "POST", "bob/server", {"image": image})
        assert status == 403, said
        assert f"Start again with one of: '{OWN}'" in json.loads(said)["message"]
        assert deployment.labs() == []

    def test_next_start_uses_new_image(self, deployment: Deployment, bob: Journey) -> None:
        bob.restart_lab()
        before = container(deployment, "bob")["Image"]
        with (deployment.folder / "lab" / "Dockerfile").open("a") as lines:
            lines.write("LABEL edition=next\n")
        deployment.compose("build", "lab")
        assert container(deployment, "bob")["Image"] == before
        bob.stop_server()
        bob.restart_lab()
        after = container(deployment, "bob")["Image"]
        assert after == image_id(deployment, "lab") != before

    def test_number_of_named_labs_is_limited(self, deployment: Deployment, bob: Journey) -> None:
        status, said = ask(bob, "POST", "bob/servers/second")
        assert status in (201, 202), said
        deployment.wait(lambda: f"{deployment.project}-lab-bob--second" in deployment.labs(), "named lab")
        status, said = ask(bob, "POST", "bob/servers/third")
        assert status == 400, said
        homes = {
            mount["Name"]
            for name in ("bob", "bob--second")
            for mount in container(deployment, name)["Mounts"]  # type: ignore[attr-defined]
        }
        assert homes == {f"{deployment.project}-home-bob"}


class TestStaffMember:
    """Alice, in two groups, with a choice of images."""

    def choose(self, alice: Journey, name: str) -> None:
        alice.goto(f"{alice.hub_url}/hub/spawn/alice")
        alice.page.get_by_role("radio", name=name).check()
        alice.page.get_by_role("button", name="Start").click()

    def test_image_choices_are_those_of_staff(self, alice: Journey) -> None:
        alice.goto(f"{alice.hub_url}/hub/spawn/alice")
        group = alice.page.get_by_role("group", name="Start your lab with")
        radios = group.get_by_role("radio")
        assert [radios.nth(n).get_attribute("value") for n in range(radios.count())] == [OWN, STAFF, GONE, UNFIT]
        assert group.get_by_role("radio", name=OWN).is_checked()
        assert alice.page.get_by_text("With <everything>").is_visible()

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            (GONE, "The image passerelle-nowhere:1 of your lab is not on the server."),
            (UNFIT, "contains no JupyterHub server"),
        ],
    )
    def test_failed_start_is_explained(self, deployment: Deployment, alice: Journey, name: str, sentence: str) -> None:
        self.choose(alice, name)
        message = alice.page.get_by_text(sentence).locator("visible=true").first
        with alice.step("read why there is no lab"):
            message.wait_for()
        assert "administrator" in message.inner_text()
        assert not re.search("Traceback|SpawnException|OCI|404", alice.page.inner_text("main, body"))
        assert f"{deployment.project}-lab-alice" not in deployment.labs()

    def test_chosen_image_and_highest_limits_apply(self, deployment: Deployment, alice: Journey) -> None:
        self.choose(alice, STAFF)
        alice.wait_for_lab()
        lab = container(deployment, "alice")
        assert lab["Image"] == image_id(deployment, "staff")
        assert lab["HostConfig"]["Memory"] == 3 * 1024**3  # type: ignore[index]
        assert lab["HostConfig"]["CpuQuota"] == 150_000  # type: ignore[index]
        assert lab["HostConfig"]["PidsLimit"] == 512  # type: ignore[index]

    def test_last_choice_is_preselected(self, deployment: Deployment, alice: Journey) -> None:
        alice.stop_server()
        alice.goto(f"{alice.hub_url}/hub/spawn/alice")
        assert alice.page.get_by_role("radio", name=STAFF).is_checked()
