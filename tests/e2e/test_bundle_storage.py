"""Homes, shared folders, the network of labs and quotas on a running deployment.

The tests share one deployment, because its start is slow, and depend on each other in this order.
"""

import json
import os
import re
import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.bridge.journey import Journey
from tests.support.docker.deployment import Deployment, clean_clone, free_port
from tests.support.docker.outside import ADDRESSES, METADATA, PRIVATE, PUBLIC, Outside, machine_address, outside
from tests.support.hub.lab_attacks import LabAttacks
from tests.support.hub.lab_network import private_targets, send_datagrams, statuses_through_proxy

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
# Names of hosts outside, which no name server knows.
NAMES_FOR_PROXY = f"""
services:
  egress-proxy:
    extra_hosts: ["allowed.test:{PUBLIC}", "other.test:{PUBLIC}", "inside.test:{PRIVATE}"]
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
    """Run a deployment with two courses, a public folder, isolated labs and a small quota."""
    folder = clean_clone(tmp_path_factory.mktemp("clone"))
    ours = Deployment(folder, f"passerelle-t-{os.getpid()}", http_port=free_port(8880), https_port=free_port(8843))
    (folder / "hub.toml").write_text(COURSES)
    (folder / "compose.override.yml").write_text(NAMES_FOR_PROXY)
    set_in_env(
        ours,
        HUB_CONFIG_FILE="./hub.toml",
        LAB_PUBLIC_FOLDER="volume",
        LAB_NETWORK="isolated",
        LAB_HOME_QUOTA="20M",
        LAB_R="no",
    )
    try:
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
        deployment.compose("restart", "guard", "hub")
        deployment.wait(
            lambda: in_lab(deployment, "alice", "cat courses/seminar/old/file") == "1",
            "folder given to its group",
            seconds=180,
        )
        assert in_lab(deployment, "alice", "echo 2 >> courses/seminar/old/file") == ""


@pytest.fixture(scope="module")
def world(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """Run hosts outside of the server, to which only packets of labs are routed."""
    with outside(f"{deployment.subnet_prefix}.0.0/16", tmp_path_factory.mktemp("outside")) as hosts:
        yield hosts


class TestLabNetwork:
    """The network of the labs with LAB_NETWORK=isolated, then allowlist, then internet."""

    def test_isolated_lab_reaches_hub_and_edge_only(self, deployment: Deployment, bob: Journey, world: Outside) -> None:
        targets = private_targets(deployment) | {address: f"{address}:443" for address in ADDRESSES}
        with socket.create_server(("0.0.0.0", 0)) as service:
            for address in (f"{deployment.subnet_prefix}.0.1", machine_address()):
                targets[f"service at {address}"] = f"{address}:{service.getsockname()[1]}"
                targets[f"edge at {address}"] = f"{address}:{deployment.https_port}"
            reached = deployment.reachable_from_lab("bob", targets)
        assert {name for name in reached if not name.startswith("edge at")} == {"hub", "edge"}
        send_datagrams(deployment, "bob")
        assert world.received() == []

    def test_isolated_lab_sends_no_dns_query_out(self, deployment: Deployment, bob: Journey) -> None:
        """The only name server of an isolated lab is the loopback address in its own network namespace."""
        code = (
            "import socket, threading\n"
            "print(socket.gethostbyname('hub'))\n"
            "server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "server.bind(('127.0.0.1', 53))\n"
            "server.settimeout(9)\n"
            "threading.Thread(target=socket.getaddrinfo, args=('data.example.org', 80), daemon=True).start()\n"
            "print(b'example' in server.recv(512))\n"
        )
        said = deployment.docker("exec", f"{deployment.project}-lab-bob", "python3", "-c", code)
        hub, stayed = said.split()
        assert hub.startswith(f"{deployment.subnet_prefix}.")
        assert stayed == "True"

    def test_lab_starts_only_with_verified_rules(self, deployment: Deployment, bob: Journey) -> None:
        bob.stop_server()
        deployment.compose("stop", "firewall")
        state = "/run/firewall/state.json"
        deployment.docker(
            "run",
            "--rm",
            "--volume",
            f"{deployment.project}_firewall:/run/firewall",
            f"{deployment.project}-hub",
            "rm",
            state,
        )
        bob.goto(deployment.url(HUB, "/hub/spawn"))
        expect(bob.page.locator("body")).to_contain_text("cannot verify that labs are isolated", timeout=30_000)
        bob.screenshot("network-not-verified")
        assert "Rules of LAB_NETWORK=isolated applied" in deployment.compose("logs", "firewall").stdout
        deployment.compose("start", "firewall")
        deployment.wait(lambda: deployment.state("firewall") == "running healthy", "healthy firewall")
        bob.restart_lab()

    def test_removed_rules_are_restored(self, deployment: Deployment, bob: Journey) -> None:
        neighbour = {"neighbour": f"{deployment.project}-lab-alice:8888"}
        for family in ("inet", "bridge"):
            table = f"passerelle_{deployment.project}"
            deployment.compose("exec", "-T", "firewall", "nft", "delete", "table", family, table)
        deployment.wait(lambda: not deployment.reachable_from_lab("bob", neighbour), "restored rules", seconds=10)

    def test_allow_list_reaches_listed_hosts_only(self, deployment: Deployment, bob: Journey, world: Outside) -> None:
        set_in_env(deployment, LAB_NETWORK="allowlist", LAB_NETWORK_ALLOWED="allowed.test:80 inside.test:80")
        deployment.compose("up", "--detach", "--wait")
        bob.stop_server()
        bob.restart_lab()
        refused = [
            *(f"http://{host}/" for host in ("other.test", PUBLIC, "allowed.test:8080", "x.allowed.test")),
            *(f"http://{host}/" for host in ("inside.test", PRIVATE, METADATA, f"allowed.test@{PRIVATE}")),
            f"http://allowed.test/?to=http://{PRIVATE}/",  # a redirect
        ]
        statuses = statuses_through_proxy(deployment, "bob", ["http://allowed.test/", *refused])
        assert statuses == ["200"] + ["403"] * 9, deployment.compose("logs", "firewall", "egress-proxy").stdout
        assert set(world.received()) == {f"http {PUBLIC}"}

    def test_allow_list_covers_tunnels(self, deployment: Deployment, bob: Journey, world: Outside) -> None:
        code = (
            "import http.client\n"
            f"for host in ('allowed.test:443', '{PUBLIC}:80', '{PRIVATE}:80', 'inside.test:80', 'allowed.test:80'):\n"
            "    tunnel = http.client.HTTPConnection('egress-proxy', 3128, timeout=9)\n"
            "    tunnel.set_tunnel(host)\n"
            "    try: tunnel.request('GET', '/'); print(tunnel.getresponse().status)\n"
            "    except OSError as error: print(error)\n"
        )
        said = deployment.docker("exec", f"{deployment.project}-lab-bob", "python3", "-c", code).splitlines()
        assert said == ["Tunnel connection failed: 403 Forbidden"] * 4 + ["200"]
        assert world.received() == [f"http {PUBLIC}"]

    def test_allow_list_cannot_be_bypassed(self, deployment: Deployment, bob: Journey, world: Outside) -> None:
        targets = private_targets(deployment) | {address: f"{address}:80" for address in ADDRESSES}
        assert deployment.reachable_from_lab("bob", targets) == {"hub", "edge"}
        send_datagrams(deployment, "bob")
        assert world.received() == []

    def test_changed_setting_applies_to_running_labs(
        self, deployment: Deployment, bob: Journey, world: Outside
    ) -> None:
        before = deployment.lab_id("bob")
        set_in_env(deployment, LAB_NETWORK="internet")
        deployment.compose("up", "--detach", "--wait")
        assert deployment.lab_id("bob") == before
        addresses = {address: f"{address}:443" for address in ADDRESSES}
        assert deployment.reachable_from_lab("bob", addresses | private_targets(deployment)) == {PUBLIC, "hub", "edge"}
        send_datagrams(deployment, "bob")
        assert world.received() == ["udp 6e616d65"], "to the public address only"
        bob.goto(deployment.url(HUB, "/user/bob/lab/tree/?reset"))
        bob.open_notebook()
        assert bob.run_cell("print(6 * 7)") == "42"


@pytest.mark.usefixtures("bob")
class TestLabContainer(LabAttacks):
    """Attacks from inside of bob's lab."""


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

    def test_cleanup_lab_is_small(self, deployment: Deployment, bob: Journey) -> None:
        bob.page.get_by_role("link", name="Start in cleanup mode").first.click()
        bob.wait_for_lab()
        expect(bob.page.locator(".Toastify")).to_contain_text("This lab is in cleanup mode", timeout=90_000)
        bob.screenshot("cleanup")
        lab = json.loads(deployment.docker("inspect", f"{deployment.project}-lab-bob"))[0]
        assert lab["HostConfig"]["Memory"] == lab["HostConfig"]["MemorySwap"] == 512 * 2**20
        assert in_lab(deployment, "bob", "rm big.bin && ls first.txt") == "first.txt"

    def test_cleanup_lab_ends_after_half_an_hour(self, deployment: Deployment, bob: Journey) -> None:
        """The alarm is the signal that `timeout` gets from its own timer."""
        process = in_lab(deployment, "bob", "grep -lx timeout /proc/[0-9]*/comm").removesuffix("/comm")
        command = in_lab(deployment, "bob", f"tr '\\0' ' ' < {process}/cmdline")
        assert command.startswith("timeout --signal=TERM --kill-after=10 1800 jupyterhub-singleuser ")
        assert in_lab(deployment, "bob", f"kill -ALRM {process.removeprefix('/proc/')}") == ""
        deployment.wait(lambda: deployment.labs() == [f"{deployment.project}-lab-alice"], "end of the lab", seconds=30)

    def test_normal_lab_after_cleanup(self, deployment: Deployment, bob: Journey) -> None:
        bob.stop_server()
        bob.restart_lab()
        lab = json.loads(deployment.docker("inspect", f"{deployment.project}-lab-bob"))[0]
        assert lab["HostConfig"]["Memory"] == 2 * 1024**3
        programs = in_lab(deployment, "bob", "cat /proc/[0-9]*/comm").split()
        assert "jupyterhub-sing" in programs, "the first 15 characters of the name"
        assert "timeout" not in programs

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
        deployment.compose("restart", "guard", "hub")
        deployment.wait(lambda: deployment.state("hub") == "running healthy", "healthy hub")
        assert in_lab(deployment, "bob", "ls courses") == "algebra\nseminar"
        bob.stop_server()
        bob.restart_lab()
        assert {"first.txt", "public"} <= set(in_lab(deployment, "bob", "ls").split())
        assert "courses" not in in_lab(deployment, "bob", "ls").split()
        assert in_lab(deployment, "bob", "ls /srv") == "public"
        mounts = json.loads(deployment.docker("inspect", f"{deployment.project}-lab-bob"))[0]["Mounts"]
        assert {mount["Destination"] for mount in mounts} == {"/home/jovyan", "/srv/public"}
