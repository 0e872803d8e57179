"""Authentication in the deployment: changed groups, sessions ended by CAS, an outage of the bridge.

The tests share one deployment and one browser, and depend on each other in this order. An identity is valid for
MAX_AGE seconds, and the hub revalidates every second.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Response

from tests.support.bridge.journey import Journey
from tests.support.docker.deployment import Deployment, clean_clone, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.needs("engine", "images", "browser")]

HUB, CAS = "jupyter.localhost", "cas.localhost"
MAX_AGE = 12  # seconds
SITE = """\
c.Authenticator.auth_refresh_age = 1
# The lab revalidates its user at the hub every second instead of every five minutes.
c.Spawner.args = [*c.Spawner.args, "--HubOAuth.cache_max_age=1"]
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = clean_clone(tmp_path_factory.mktemp("clone"))
    with (folder / ".env").open("a") as settings:
        settings.write(f"\nAUTH_REFRESH_SECONDS={MAX_AGE}\nAUTH_ALLOWED_GROUPS=students;staff\n")
    (folder / "deployment" / "conf.d" / "10-times.py").write_text(SITE)
    project = f"passerelle-signin-{os.getpid()}"
    ours = Deployment(folder, project, http_port=free_port(0), https_port=free_port(0))
    try:
        ours.compose("up", "--detach", "--build")
        ours.wait(lambda: ours.state("hub") == "running healthy", "healthy hub", seconds=240)
        yield ours
    finally:
        ours.remove()


@pytest.fixture(scope="module")
def bob(deployment: Deployment) -> Iterator[Journey]:
    with Journey(deployment.url(HUB), name="sign-in-bob") as journey:
        journey.sign_in("bob", "bob-demo")
        yield journey


def set_groups(deployment: Deployment, *groups: str) -> None:
    """Set Bob's groups at CAS."""
    code = "import sys; open('/data/groups.json', 'w').write(sys.argv[1])"
    deployment.docker("exec", deployment.container("cas"), "python", "-c", code, json.dumps({"bob": groups}))


def lab_status(bob: Journey) -> int:
    """Return the status of a request that the notebook in the first tab sends."""
    script = """async () => {
        const token = document.cookie.match(/_xsrf=([^;]+)/)[1];
        const asks = {cache: "no-store", headers: {"X-XSRFToken": token}};
        return (await fetch("/user/bob/api/contents?content=0", asks)).status;
    }"""
    return int(bob.retry_on_network_change(lambda: bob.page.evaluate(script)))


def is_lab_request(answer: Response) -> bool:
    """Return whether this is a successful request of JupyterLab itself."""
    return "/user/bob/api/" in answer.url and "content=0" not in answer.url and answer.status == 200


def groups_of_bob(deployment: Deployment) -> list[str]:
    rows = deployment.query_hub_database(
        "SELECT g.name FROM groups g JOIN user_group_map m ON m.group_id = g.id "
        "JOIN users u ON u.id = m.user_id WHERE u.name = 'bob' ORDER BY g.name"
    )
    return [name for (name,) in rows]


def open_home(bob: Journey) -> tuple[int, str, str]:
    """Open the hub's home page in another tab; return status, path and text after all redirects."""
    with bob.page.context.new_page() as tab:
        answer = bob.retry_on_network_change(lambda: tab.goto(f"{bob.hub_url}/hub/home"))
        assert answer is not None
        return answer.status, tab.url.removeprefix(bob.hub_url), tab.inner_text("body")


HOME = (200, "/hub/home")


def test_old_identity_is_revalidated_silently(deployment: Deployment, bob: Journey) -> None:
    assert groups_of_bob(deployment) == ["students"]
    set_groups(deployment, "students", "algebra")
    time.sleep(MAX_AGE + 1)
    assert lab_status(bob) == 200, "an open lab is not disturbed"
    assert open_home(bob)[:2] == HOME
    assert groups_of_bob(deployment) == ["algebra", "students"]


def test_bridge_outage_keeps_sessions(deployment: Deployment, bob: Journey) -> None:
    deployment.compose("stop", "--timeout", "2", "bridge")
    try:
        time.sleep(1.5)
        assert open_home(bob)[:2] == HOME
        assert lab_status(bob) == 200
    finally:
        deployment.compose("start", "bridge")
    deployment.wait(lambda: deployment.state("bridge") == "running healthy", "healthy bridge", seconds=120)
    time.sleep(1.5)
    assert open_home(bob)[:2] == HOME


def test_removed_group_member_loses_access(deployment: Deployment, bob: Journey) -> None:
    lab = deployment.lab_id("bob")
    set_groups(deployment, "alumni")
    time.sleep(MAX_AGE + 1)
    status, _, text = open_home(bob)
    assert status == 403
    assert "you do not have access to this hub" in text
    deployment.wait(lambda: lab_status(bob) == 403, "lab that refuses", seconds=15)
    assert deployment.lab_id("bob") == lab, "what they computed is not lost with the access"


def test_restored_group_member_finds_running_lab(deployment: Deployment, bob: Journey) -> None:
    lab = deployment.lab_id("bob")
    set_groups(deployment, "students")
    time.sleep(MAX_AGE / 2 + 1)  # the bridge has just asked CAS and waits this long
    bob.open_hub()
    bob._sign_in_button().click()
    bob.wait_for_lab()
    assert lab_status(bob) == 200
    assert deployment.lab_id("bob") == lab


def test_cas_logout_ends_hub_session_and_lab_access(deployment: Deployment, bob: Journey) -> None:
    elsewhere = bob.page.context.new_page()
    elsewhere.goto(deployment.url(CAS, "/cas/logout"))
    elsewhere.close()
    deployment.wait(lambda: lab_status(bob) == 403, "lab that refuses", seconds=15)
    assert open_home(bob)[1].startswith("/hub/login")


def test_strict_refresh_blocks_open_lab_until_revalidation(deployment: Deployment, bob: Journey) -> None:
    (deployment.folder / "deployment" / "conf.d" / "20-strict.py").write_text(
        "c.Authenticator.auth_refresh_strict = True\n"
    )
    deployment.compose("restart", "--no-deps", "hub")
    deployment.wait(lambda: deployment.state("hub") == "running healthy", "healthy hub", seconds=120)
    bob.sign_in("bob", "bob-demo")
    assert open_home(bob)[:2] == HOME, "and revalidated now, however long the lab took to load"
    assert lab_status(bob) == 200
    time.sleep(MAX_AGE + 1)
    deployment.wait(lambda: lab_status(bob) == 403, "lab that waits", seconds=20)
    assert open_home(bob)[:2] == HOME
    with bob.page.expect_response(is_lab_request, timeout=60_000):
        pass  # JupyterLab polls every few seconds


def test_site_configuration_error_names_line(deployment: Deployment) -> None:
    (deployment.folder / "deployment" / "conf.d" / "90-typo.py").write_text(
        "c.Spawner.default_url = '/lab'\nc.JupyterHub.x = y\n"
    )
    done = deployment.compose("run", "--rm", "--no-deps", "hub", check=False)
    assert done.returncode == 1
    assert "deployment/conf.d/90-typo.py is wrong in line 2: NameError" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("oidc", "AUTH_URL, AUTH_CLIENT_ID, AUTH_SECRET_FILE"),
        ("gitlab", "AUTH_CLIENT_ID, AUTH_SECRET_FILE"),
        ("github", "AUTH_CLIENT_ID, AUTH_SECRET_FILE"),
        ("ldap", "AUTH_URL"),
    ],
)
def test_missing_authentication_settings_are_named(deployment: Deployment, kind: str, missing: str) -> None:
    done = deployment.compose("run", "--rm", "--no-deps", "hub", check=False, changed={"AUTH_METHOD": kind})
    assert done.returncode == 1
    assert f"not set: {missing}" in done.stderr
    assert "Traceback" not in done.stderr
