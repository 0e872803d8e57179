"""Homes, shared folders, internet access and quotas on a running deployment.

The tests share one deployment, because its start is slow, and depend on each other in this order.
"""

import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.bridge.journey import Journey
from tests.support.docker.deployment import Deployment, clean_clone, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.needs("engine", "images", "browser")]

HUB = "jupyter.localhost"
COURSES = """
[courses.algebra]
title = "Algebra"
teachers = ["staff"]
students = ["students"]

# Bob teaches here as well: the second teacher.
[courses.seminar]
teachers = ["staff", "students"]
"""


def set_in_env(deployment: Deployment, **values: str) -> None:
    """Set variables in .env."""
    file = deployment.folder / ".env"
    text = file.read_text()
    for name, value in values.items():
        text, found = re.subn(rf"^#?{name}=.*$", f"{name}={value}", text, flags=re.M)
        assert found == 1, name
    file.write_text(text)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Run a deployment with two courses, a public folder, no internet access and a small quota."""
    folder = clean_clone(tmp_path_factory.mktemp("clone"))
    ours = Deployment(folder, f"passerelle-t-{os.getpid()}", http_port=free_port(8880), https_port=free_port(8843))
    (folder / "hub.toml").write_text(COURSES)
    set_in_env(
        ours,
        HUB_CONFIG_FILE="./hub.toml",
        LAB_PUBLIC_FOLDER="volume",
        LAB_INTERNET="no",
        LAB_HOME_QUOTA="20M",
        LAB_R="no",
    )
    try:
        ours.compose("--profile", "*", "build")
        ours.compose("up", "--detach", "--wait")
        yield ours
    finally:
        ours.remove()


def in_lab(deployment: Deployment, user: str, script: str) -> str:
    """Run a shell script in a user's lab; return its output and errors."""
    lab = f"{deployment.project}-lab-{user}"
    return deployment.docker("exec", lab, "sh", "-c", f"cd; {{ {script}; }} 2>&1", check=False)


@pytest.fixture(scope="module")
def bob(deployment: Deployment) -> Iterator[Journey]:
    with Journey(deployment.url(HUB), name="storage-bob") as journey:
        journey.sign_in("bob", "bob-demo")
        yield journey


def known_size(deployment: Deployment, user: str) -> int:
    """Return the size of a home that the hub has measured, or 0."""
    path = f"/data/homes/{deployment.project}-home-{user}.json"
    said = deployment.docker("exec", deployment.container("hub"), "cat", path, check=False)
    return int(json.loads(said)["used"]) if said else 0


class TestSharedFolders:
    def test_teacher_writes_from_notebook(self, deployment: Deployment) -> None:
        """Alice's lab continues after her browser closes, and later tests use it as the teacher's lab."""
        with Journey(deployment.url(HUB), name="storage-alice") as alice:
            alice.sign_in("alice", "alice-demo")
            alice.open_notebook()
            said = alice.run_cell(
                "from pathlib import Path; sheet = Path.home() / 'courses/algebra/sheet.txt'\n"
                "sheet.write_text('exercise 1'); print(sheet.read_text())"
            )
        assert said == "exercise 1"

    def test_first_write_in_new_home_succeeds(self, deployment: Deployment, bob: Journey) -> None:
        assert in_lab(deployment, "bob", "echo mine > first.txt && cat first.txt") == "mine"

    def test_student_reads_only(self, deployment: Deployment, bob: Journey) -> None:
        assert in_lab(deployment, "bob", "cat courses/algebra/sheet.txt") == "exercise 1"
        for attempt in (
            "echo x > courses/algebra/mine.txt",
            "echo x >> courses/algebra/sheet.txt",
            "rm courses/algebra/sheet.txt",
            "chmod 666 courses/algebra/sheet.txt",
        ):
            assert "Read-only file system" in in_lab(deployment, "bob", attempt), attempt

    def test_course_folder_is_in_file_browser(self, bob: Journey) -> None:
        bob.page.locator(".jp-DirListing-item", has_text="courses").dblclick()
        bob.page.locator(".jp-DirListing-item", has_text="algebra").dblclick()
        expect(bob.page.locator(".jp-DirListing-item", has_text="sheet.txt")).to_be_visible()

    def test_second_teacher_edits_files_of_first(self, deployment: Deployment, bob: Journey) -> None:
        assert in_lab(deployment, "alice", "umask 077; mkdir courses/seminar/a; echo 1 > courses/seminar/a/notes") == ""
        assert in_lab(deployment, "bob", "echo 2 >> courses/seminar/a/notes; cat courses/seminar/a/notes") == "1\n2"

    def test_teacher_with_other_image_user_edits_files(self, deployment: Deployment) -> None:
        volume = f"{deployment.project}-course-seminar:/c"
        said = deployment.docker(
            *("run", "--rm", "--network", "none", "--user", "2000:2000", "--group-add", "10100", "--volume", volume),
            *("--entrypoint", "sh", f"{deployment.project}-lab", "-c", "echo 3 >> /c/a/notes && touch /c/a/own"),
        )
        assert said == ""
        assert in_lab(deployment, "alice", "echo 4 >> courses/seminar/a/own; cat courses/seminar/a/notes") == "1\n2\n3"

    def test_public_folder_is_written_by_administrators(self, deployment: Deployment, bob: Journey) -> None:
        assert in_lab(deployment, "alice", "echo data > public/table.csv") == ""
        assert in_lab(deployment, "bob", "cat public/table.csv") == "data"
        assert "Read-only file system" in in_lab(deployment, "bob", "echo x > public/table.csv")

    def test_hub_start_gives_root_files_to_teachers(self, deployment: Deployment) -> None:
        lab = f"{deployment.project}-lab-alice"
        deployment.docker(
            *("exec", "--user", "0", lab, "sh", "-c"),
            "cd /srv/courses/seminar && mkdir old && echo 1 > old/file && chmod 600 old/file && chmod 700 old",
        )
        assert "denied" in in_lab(deployment, "alice", "ls courses/seminar/old")
        deployment.compose("restart", "hub")
        deployment.wait(
            lambda: in_lab(deployment, "alice", "cat courses/seminar/old/file") == "1",
            "folder given to its group",
            seconds=180,
        )
        assert in_lab(deployment, "alice", "echo 2 >> courses/seminar/old/file") == ""


@pytest.fixture(scope="module")
def external_address() -> str:
    """Return an external address that responds or refuses: the default gateway."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        _, destination, gateway, *_ = line.split()
        if destination == "00000000":
            address = socket.inet_ntoa(int(gateway, 16).to_bytes(4, "little"))
            try:
                socket.create_connection((address, 443), 3).close()
            except ConnectionRefusedError:
                pass
            except OSError:
                pytest.skip(f"the default gateway of this machine, {address}, does not respond")
            return address
    pytest.skip("this machine has no default gateway")


def responds(deployment: Deployment, user: str, address: str) -> bool:
    """Return whether the address responds; a refused connection counts."""
    code = (
        "import socket\n"
        f"try: socket.create_connection(('{address}', 443), 5)\n"
        "except ConnectionRefusedError: print('answered')\n"
        "except OSError: print('silent')\n"
        "else: print('answered')"
    )
    lab = f"{deployment.project}-lab-{user}"
    return deployment.docker("exec", lab, "python3", "-c", code) == "answered"


class TestInternetAccess:
    def test_no_internet_without_setting(self, deployment: Deployment, bob: Journey, external_address: str) -> None:
        assert not responds(deployment, "bob", external_address)

    def test_reachable_addresses_match_documentation(self, deployment: Deployment, bob: Journey) -> None:
        template = "{{(index .IPAM.Config 0).Gateway}}"
        machine = deployment.docker("network", "inspect", "--format", template, f"{deployment.project}-labs-internal")
        with socket.create_server(("0.0.0.0", 0)) as service:
            addresses = {
                "hub": "hub:8081",
                "service of this machine": f"{machine}:{service.getsockname()[1]}",
                "neighbour": f"{deployment.project}-lab-alice:8888",
                "bridge": "bridge:8000",
            }
            reached = deployment.reachable_from_lab("bob", addresses)
        assert reached == {"hub", "service of this machine", "neighbour"}

    def test_changed_setting_keeps_running_labs(self, deployment: Deployment, bob: Journey) -> None:
        before = deployment.lab_id("bob")
        set_in_env(deployment, LAB_INTERNET="yes")
        deployment.compose("up", "--detach", "--wait")
        assert deployment.lab_id("bob") == before
        bob.goto(deployment.url(HUB, "/user/bob/lab/tree/?reset"))
        bob.open_notebook()
        assert bob.run_cell("print(6 * 7)") == "42", "reached through Traefik on the network it started on"

    def test_internet_from_next_start_on(self, deployment: Deployment, bob: Journey, external_address: str) -> None:
        assert not responds(deployment, "bob", external_address)
        bob.stop_server()
        bob.restart_lab()
        assert responds(deployment, "bob", external_address)
        assert deployment.reachable_from_lab("bob", {"hub": "hub:8081", "bridge": "bridge:8000"}) == {"hub"}


class TestHomeQuota:
    def test_home_over_quota_is_shown_in_lab(self, deployment: Deployment, bob: Journey) -> None:
        in_lab(deployment, "bob", "head -c 30000000 /dev/urandom > big.bin")
        bob.goto(deployment.url(HUB, "/user/bob/lab?reset"))
        expect(bob.page.locator("#passerelle-home")).to_contain_text(
            re.compile(r"Home over its limit: [23]\d\.\d MiB of 20\.0 MiB"), timeout=90_000
        )
        expect(bob.page.locator(".Toastify")).to_contain_text("your next start will be rejected")
        bob.screenshot("home-over-its-limit")

    def test_start_over_quota_offers_cleanup_mode(self, deployment: Deployment, bob: Journey) -> None:
        bob.stop_server()
        deployment.wait(lambda: known_size(deployment, "bob") > 20 * 2**20, "measured home of bob")
        bob.goto(deployment.url(HUB, "/hub/home"))
        bob.page.locator("#start").click()
        expect(bob.page.locator("body")).to_contain_text("of 20.0 MiB, so your lab cannot start", timeout=30_000)
        expect(bob.page.get_by_role("link", name="Start in cleanup mode").first).to_be_visible()
        bob.screenshot("start-over-the-limit")
        assert f"{deployment.project}-lab-bob" not in deployment.labs()

    def test_cleanup_lab_is_small_and_ends(self, deployment: Deployment, bob: Journey) -> None:
        bob.page.get_by_role("link", name="Start in cleanup mode").first.click()
        bob.wait_for_lab()
        expect(bob.page.locator(".Toastify")).to_contain_text("This lab is in cleanup mode", timeout=90_000)
        bob.screenshot("cleanup")
        lab = json.loads(deployment.docker("inspect", f"{deployment.project}-lab-bob"))[0]
        assert lab["HostConfig"]["Memory"] == lab["HostConfig"]["MemorySwap"] == 512 * 2**20
        assert lab["Config"]["Cmd"][:4] == ["timeout", "--signal=TERM", "--kill-after=10", "1800"]
        assert in_lab(deployment, "bob", "rm big.bin && ls first.txt") == "first.txt"

    def test_normal_lab_after_cleanup(self, deployment: Deployment, bob: Journey) -> None:
        bob.stop_server()
        bob.restart_lab()
        lab = json.loads(deployment.docker("inspect", f"{deployment.project}-lab-bob"))[0]
        assert lab["HostConfig"]["Memory"] == 2 * 1024**3
        assert lab["Config"]["Cmd"][0] == "jupyterhub-singleuser"

    def test_measuring_containers_are_removed(self, deployment: Deployment) -> None:
        label = f"label=org.passerelle.tool={deployment.project}"
        deployment.wait(
            lambda: not deployment.docker("ps", "--all", "--quiet", "--filter", label),
            "engine without measurement containers",
        )


class TestRemoval:
    def test_removed_course_member_loses_folder_at_next_start(self, deployment: Deployment, bob: Journey) -> None:
        courses = COURSES.replace('students = ["students"]', "students = []").replace('"staff", "students"', '"staff"')
        (deployment.folder / "hub.toml").write_text(courses)
        deployment.compose("restart", "hub")
        deployment.wait(lambda: deployment.state("hub") == "running healthy", "healthy hub")
        assert in_lab(deployment, "bob", "ls courses") == "algebra\nseminar"
        bob.stop_server()
        bob.restart_lab()
        assert {"first.txt", "public"} <= set(in_lab(deployment, "bob", "ls").split())
        assert "courses" not in in_lab(deployment, "bob", "ls").split()
        assert in_lab(deployment, "bob", "ls /srv") == "public"
        mounts = json.loads(deployment.docker("inspect", f"{deployment.project}-lab-bob"))[0]["Mounts"]
        assert {mount["Destination"] for mount in mounts} == {"/home/jovyan", "/srv/public"}
