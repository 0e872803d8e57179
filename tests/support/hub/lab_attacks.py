"""Attacks on the server from inside a lab, as tests for a module in which labs of alice and bob run."""

from __future__ import annotations

from pathlib import Path

from tests.support.docker.deployment import Deployment

FORK_BOMB = """
import os, signal, time
children = []
try:
    while len(children) < 2000:
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        children.append(child)
    print("not stopped")
except BlockingIOError:
    print("stopped")
finally:
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
"""
RAW_SOCKETS = """
import socket
for family, kind, protocol in ((socket.AF_INET, socket.SOCK_RAW, 1), (socket.AF_PACKET, socket.SOCK_RAW, 768)):
    try:
        socket.socket(family, kind, protocol)
        print("opened")
    except PermissionError:
        print("denied")
"""
SOCKETS = """
import os, stat
for folder, _, names in os.walk("/"):
    if folder.startswith(("/proc", "/sys")):
        continue
    for name in names:
        path = os.path.join(folder, name)
        if os.path.lexists(path) and stat.S_ISSOCK(os.lstat(path).st_mode):
            print(path)
"""
TOKEN = """
import os, sys, urllib.error, urllib.request
address, token = os.environ["JUPYTERHUB_API_URL"], os.environ["JUPYTERHUB_API_TOKEN"]
for call in sys.argv[1:]:
    method, path = call.split()
    body = None if method == "GET" else b"{}"
    request = urllib.request.Request(address + path, body, {"Authorization": f"token {token}"}, method=method)
    try:
        print(urllib.request.urlopen(request, timeout=9).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""
CALLS = (
    *("GET /users", "GET /users/alice", "POST /users/alice/tokens", "POST /users/alice/activity", "GET /services"),
    *("DELETE /users/alice/server", "POST /users/bob/tokens", "PATCH /users/bob", "POST /users/mallory", "GET /groups"),
    *("GET /proxy", "GET /info", "POST /shutdown"),
)


class LabAttacks:
    """One test for each attack; each fails if its control is removed."""

    def test_lab_contains_no_docker_socket(self, deployment: Deployment) -> None:
        assert "docker" not in run(deployment, "python3", "-c", SOCKETS)

    def test_token_of_lab_is_limited_to_its_user(self, deployment: Deployment) -> None:
        own, *others = run(deployment, "python3", "-c", TOKEN, "GET /user", *CALLS).split()
        assert own == "200"
        assert len(others) == len(CALLS)
        assert set(others) <= {"403", "404"}, others

    def test_raw_sockets_are_denied(self, deployment: Deployment) -> None:
        assert run(deployment, "python3", "-c", RAW_SOCKETS, user="0") == "denied\ndenied"

    def test_setuid_program_gives_no_privileges(self, deployment: Deployment) -> None:
        """The image cannot be trusted: root of the lab prepares the program here, as an image could."""
        prepare = "cp /usr/bin/id /tmp/id && chmod 4755 /tmp/id && stat --format %a /tmp/id"
        assert run(deployment, "sh", "-c", prepare, user="0") == "4755"
        assert run(deployment, "/tmp/id", "-u") == run(deployment, "id", "-u") != "0"

    def test_fork_bomb_is_limited(self, deployment: Deployment) -> None:
        assert run(deployment, "python3", "-c", FORK_BOMB) == "stopped"

    def test_memory_bomb_ends_itself_only(self, deployment: Deployment) -> None:
        before = {user: deployment.lab_id(user) for user in ("alice", "bob")}
        assert run(deployment, "sh", "-c", "python3 -c 'b\"x\" * (3 << 30)'; echo $?") == "137"
        assert {user: deployment.lab_id(user) for user in ("alice", "bob")} == before
        assert run(deployment, "echo", "responds") == "responds"

    def test_shared_memory_is_limited(self, deployment: Deployment) -> None:
        fill = "head -c 1500M /dev/zero > /dev/shm/fill; stat --format %s /dev/shm/fill; rm /dev/shm/fill"
        assert int(run(deployment, "sh", "-c", fill)) < 1 << 30

    def test_log_flood_is_limited(self, deployment: Deployment) -> None:
        """The process writes to the standard output of the lab, which the engine stores."""
        flood = "yes \"$(head -c 1000 /dev/zero | tr '\\0' x)\" | head -c 60M > /proc/1/fd/1"
        run(deployment, "sh", "-c", flood)
        log = Path(deployment.docker("inspect", "--format", "{{.LogPath}}", f"{deployment.project}-lab-bob"))
        stored = sum(file.stat().st_size for file in log.parent.glob(f"{log.name}*"))
        assert 2**20 < stored < 25 * 2**20


def run(deployment: Deployment, *command: str, user: str = "") -> str:
    """Run a command in bob's lab and return its output."""
    as_user = ("--user", user) if user else ()
    return deployment.docker("exec", *as_user, f"{deployment.project}-lab-bob", *command)
