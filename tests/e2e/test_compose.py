"""The deployment of a clean clone: real compose, real containers, a real browser.

The tests share one deployment, because its start is slow, and depend on each other in this order.
"""

import json
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from tests.support import readme
from tests.support.bridge.journey import Journey
from tests.support.certificates import write_certificate
from tests.support.docker.deployment import Deployment, clean_clone, free_port
from tests.support.docker.guard_client import guard_client, refusals, spawn_seconds
from tests.support.docker.lab_attacks import ATTACKS, attack
from tests.support.hub.counting_cell import count_during

pytestmark = [pytest.mark.e2e, pytest.mark.needs("engine", "images", "browser")]

HUB, AUTH, CAS = "jupyter.localhost", "auth.localhost", "cas.localhost"
HOME_FILE, HOME_TEXT = "kept.txt", "written before the stop"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Start a deployment of a clean clone, and remove it afterwards."""
    folder = clean_clone(tmp_path_factory.mktemp("clone"))
    project = f"passerelle-test-{os.getpid()}"
    ours = Deployment(folder, project, http_port=free_port(80), https_port=free_port(443))
    try:
        began = time.monotonic()
        ours.compose("--profile", "*", "build")
        built = time.monotonic()
        ours.compose(*readme.command("docker compose up")[2:])
        ours.seconds = {"build": built - began, "up and healthy": time.monotonic() - built}
        yield ours
    finally:
        ours.remove()


@pytest.fixture(scope="class")
def bob(deployment: Deployment) -> Iterator[Journey]:
    with Journey(deployment.url(HUB), name="compose-bob") as journey:
        yield journey


def test_one_command_starts_all_services(deployment: Deployment, figures: list[str]) -> None:
    figures += [f"compose {what}: {seconds:.1f} s" for what, seconds in deployment.seconds.items()]
    states = {name: deployment.state(name) for name in ("traefik", "bridge", "guard", "hub", "cas", "lab", "prepare")}
    assert {states[name] for name in ("traefik", "bridge", "guard", "hub", "cas")} == {"running healthy"}
    assert {states[name] for name in ("lab", "prepare")} == {"exited 0"}


def test_check_passes_for_demo(deployment: Deployment) -> None:
    check = readme.command("docker compose exec bridge passerelle check")
    done = deployment.compose("exec", "-T", *check[3:], "--json", check=False)
    report = json.loads(done.stdout)
    worse = [found for found in report["findings"] if found["level"] in ("FAULT", "warning")]
    assert (done.returncode, worse) == (0, []), done.stdout
    levels = {found["id"]: found["level"] for found in report["findings"]}
    assert {levels[name] for name in ("database", "clients", "cas.protocol", "cas.service")} == {"ok"}
    assert report["issuer"] == deployment.url(AUTH, "")


def test_documented_command_writes_registration_request(deployment: Deployment) -> None:
    before = Deployment(deployment.folder, f"{deployment.project}-before", https_port=deployment.https_port)
    try:
        alone = ["run", "--rm", "-T", "--no-deps", "bridge", "passerelle", "check", "--no-public"]
        without_secrets = before.compose(*alone, check=False)
        assert without_secrets.returncode == 1
        assert "docker compose run --rm prepare" in " ".join(without_secrets.stdout.split())

        command = readme.command("docker compose run --rm bridge passerelle check")
        said = before.compose("run", "-T", *command[3:], check=False).stdout
        told = said[said.index("Subject: ") :]  # below Docker's build output
        host = before.url(AUTH, "").removeprefix("https://")
        assert told.startswith(f"Subject: registering {host} as a service in CAS\n")
        assert told.rstrip().endswith("Thank you!")
        assert "Please register it as follows" in told
        assert before.url(AUTH, "/cas/logout") in told
    finally:
        before.remove()


def test_cas_settings_in_env_file_reach_bridge(deployment: Deployment) -> None:
    proxy = deployment.folder / "cas-proxy"
    proxy.write_text("http://proxyuser:s3cret@proxy.example.org:3128\n")
    given = {
        "CAS_PROTOCOL": "2.0",
        "CAS_FORMAT": "json",
        "CAS_SERVICE_STATE": "cookie",
        "CAS_LOGIN_URL": "https://sso.example.org/in",
        "CAS_VALIDATE_URL": "https://sso.example.org/validate",
        "CAS_LOGOUT_URL": "https://sso.example.org/out",
        "CAS_LOGIN_PARAMETERS": '\'{"authn_method": "mfa-duo"}\'',
        "CAS_VALIDATE_PARAMETERS": '\'{"a": "b c"}\'',
        "CAS_PROXY_FILE": "./cas-proxy",
        "CAS_LOGOUT": "return",
        "CAS_LOGOUT_ENDS_OFFLINE_ACCESS": "false",
    }
    settings_file = deployment.folder / "given.env"
    ours = (deployment.folder / ".env").read_text()
    settings_file.write_text(ours + "".join(f"{name}={value}\n" for name, value in given.items()))
    code = (
        "import json, os; from bridge.settings import load; s = load(os.environ); "
        "print(s.model_dump_json(include={n for n in type(s).model_fields if n.startswith(('cas_', 'single_'))})); "
        "print(s.cas_proxy.get_secret_value())"
    )
    run = ["run", "--rm", "-T", "--no-deps", "bridge", "python", "-c", code]
    seen, proxied = deployment.compose("--env-file", "given.env", *run).stdout.splitlines()[-2:]
    settings = json.loads(seen)
    assert proxied == "http://proxyuser:s3cret@proxy.example.org:3128"
    assert {name: settings[name.lower()] for name in given if not name.endswith(("FILE", "PARAMETERS", "ACCESS"))} == {
        name: value for name, value in given.items() if not name.endswith(("FILE", "PARAMETERS", "ACCESS"))
    }
    assert settings["cas_login_parameters"] == {"authn_method": "mfa-duo"}
    assert settings["cas_validate_parameters"] == {"a": "b c"}
    assert settings["cas_logout_ends_offline_access"] is False


def test_http_redirects_to_public_https_port(deployment: Deployment) -> None:
    answer = deployment.get(HUB, "/hub/home?x=1", plain=True)
    assert answer.status == 301
    assert answer.headers["Location"] == deployment.url(HUB, "/hub/home?x=1")


class TestUser:
    """Bob in one browser, from the sign-in to the second start of his lab."""

    def test_signs_in_through_cas_and_runs_a_cell(
        self, deployment: Deployment, bob: Journey, figures: list[str]
    ) -> None:
        seconds = bob.sign_in("bob", "bob-demo")
        figures.append(f"compose click to ready lab: {seconds:.1f} s")
        bob.open_notebook()
        assert bob.run_cell("print(6 * 7)") == "42"
        bob.write_home_file(HOME_FILE, HOME_TEXT)
        assert bob.screenshot("notebook").stat().st_size > 0
        assert deployment.labs() == [f"{deployment.project}-lab-bob"]

    @pytest.mark.parametrize("service", ["hub", "traefik"])
    def test_restart_does_not_interrupt_cells(self, deployment: Deployment, bob: Journey, service: str) -> None:
        before = deployment.lab_id("bob")
        began, ended = count_during(deployment, bob, "restart", "--no-deps", service)
        assert began < deployment.started_at(service) < ended
        deployment.wait(lambda: deployment.state(service) == "running healthy", f"healthy {service}")
        assert bob.run_cell("print(n > 0)") == "True"
        assert deployment.lab_id("bob") == before

    def test_home_survives_the_lab(self, deployment: Deployment, bob: Journey, figures: list[str]) -> None:
        bob.stop_server()
        seconds = bob.restart_lab()
        figures.append(f"compose second start of a lab: {seconds:.1f} s")
        bob.open_notebook()
        assert bob.read_home_file(HOME_FILE) == HOME_TEXT

    def test_user_is_not_an_administrator(self, bob: Journey) -> None:
        me = bob.whoami()
        assert me["name"] == "bob"
        assert me["admin"] is False
        assert me["groups"] == ["students"]

    def test_cas_logout_ends_bridge_session(self, deployment: Deployment, bob: Journey) -> None:
        on_own_page = bob.page.get_by_role("button", name="Sign out everywhere")
        bob.page.goto(deployment.url(AUTH))
        assert on_own_page.is_visible()
        bob.page.goto(deployment.url(CAS, "/cas/logout"))
        bob.page.goto(deployment.url(AUTH))
        assert not on_own_page.is_visible()
        assert '"event": "single_logout"' in deployment.compose("logs", "--no-log-prefix", "bridge").stdout


def test_admin_group_administers_hub(deployment: Deployment) -> None:
    with Journey(deployment.url(HUB), name="compose-alice") as alice:
        alice.sign_in("alice", "alice-demo")
        assert alice.whoami()["admin"] is True
        page = alice.page.goto(deployment.url(HUB, "/hub/admin"))
        assert page is not None
        assert page.status == 200


def test_lab_reaches_hub_only(deployment: Deployment) -> None:
    addresses = {"hub": "hub:8081", "bridge": "bridge:8000", "cas": "cas:8000"}
    addresses |= {f"port {port} of traefik": f"traefik:{port}" for port in (8090, 8098, 8099)}
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    for name in ("bridge", "cas"):
        number = deployment.docker("inspect", "--format", template, deployment.container(name))
        addresses[f"{name} by number"] = f"{number}:8000"
    assert deployment.reachable_from_lab("bob", addresses) == {"hub"}


def test_lab_has_limits_and_no_capabilities(deployment: Deployment) -> None:
    lab = json.loads(deployment.docker("inspect", f"{deployment.project}-lab-bob"))[0]
    assert lab["HostConfig"]["CapDrop"] == ["ALL"]
    assert lab["HostConfig"]["Memory"] == 2 * 1024**3
    assert lab["HostConfig"]["PidsLimit"] == 512
    assert [mount["Destination"] for mount in lab["Mounts"]] == ["/home/jovyan"]


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_from_inside_a_lab_fails(deployment: Deployment, name: str) -> None:
    program, defeat = ATTACKS[name]
    assert attack(deployment, "bob", program) == defeat


def test_log_of_a_lab_is_limited(deployment: Deployment) -> None:
    lab = json.loads(deployment.docker("inspect", f"{deployment.project}-lab-bob"))[0]
    assert lab["HostConfig"]["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "2"}


def test_hub_has_no_privileges(deployment: Deployment) -> None:
    code = "print(open('/proc/self/status').read())"
    printed = deployment.docker("exec", deployment.container("hub"), "python", "-c", code)
    status = dict(line.split(":\t", 1) for line in printed.splitlines() if ":\t" in line)
    assert set(status["Uid"].split()) == {"10002"}
    assert {status[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {"0" * 16}


def test_only_guard_has_the_docker_socket(deployment: Deployment) -> None:
    seeing = []
    for name in ("traefik", "bridge", "guard", "hub", "cas"):
        mounts = json.loads(deployment.docker("inspect", deployment.container(name)))[0]["Mounts"]
        if any("docker.sock" in mount["Source"] for mount in mounts):
            seeing.append(name)
    assert seeing == ["guard"]


def test_guard_refuses_forged_calls_to_the_engine(deployment: Deployment) -> None:
    with closing(guard_client(deployment)) as client:
        statuses = refusals(client, deployment)
    assert set(statuses.values()) == {403}, statuses
    assert "refused 'POST " in deployment.compose("logs", "--no-log-prefix", "guard").stdout


def test_guard_has_no_privileges(deployment: Deployment) -> None:
    rows = deployment.docker("top", deployment.container("guard"), "-eo", "pid,args").splitlines()
    (process,) = [row.split()[0] for row in rows if row.endswith("python -m hub.guard")]
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    assert set(status["Uid"].split()) == {"10003"}
    assert {status[name] for name in ("CapPrm", "CapEff", "CapAmb")} == {"0" * 16}


def test_guard_adds_little_to_a_spawn(deployment: Deployment, figures: list[str]) -> None:
    with closing(guard_client(deployment)) as guarded, closing(docker.APIClient(version="auto")) as direct:
        pairs = [(spawn_seconds(direct, deployment), spawn_seconds(guarded, deployment)) for _ in range(5)]
    added = statistics.median(guarded - direct for direct, guarded in pairs)
    figures.append(f"guard: {added * 1000:.0f} ms added to a spawn (median of 5 pairs)")
    assert added < 0.5


@pytest.mark.parametrize("host", [AUTH, CAS])
@pytest.mark.parametrize("path", ["/user/bob/lab", "/user/bob/api", "/hub/login", "/hub/api"])
def test_sign_in_hosts_serve_no_hub_or_lab_path(deployment: Deployment, host: str, path: str) -> None:
    answer = deployment.get(host, path)
    assert answer.status == 404
    assert not any("jupyter" in name.lower() for name in answer.headers)


def test_documented_command_stops_all_labs(deployment: Deployment) -> None:
    assert len(deployment.labs()) == 2
    deployment.compose("-p", f"{deployment.project}-labs", "down")
    assert deployment.labs() == []
    assert deployment.state("hub") == "running healthy"


def test_down_and_up_keep_data(deployment: Deployment) -> None:
    certificate = deployment.fingerprint(HUB)
    deployment.compose(*readme.command("docker compose down")[2:])
    assert deployment.compose("ps", "--all", "--quiet").stdout == ""
    deployment.compose("up", "--detach", "--wait")
    assert deployment.fingerprint(HUB) == certificate
    users = "SELECT name, created FROM users ORDER BY name"
    names = deployment.query_hub_database(users)
    assert [name for name, _ in names] == ["alice", "bob"]
    with Journey(deployment.url(HUB), name="compose-bob-again") as bob:
        bob.sign_in("bob", "bob-demo")
        bob.open_notebook()
        assert bob.read_home_file(HOME_FILE) == HOME_TEXT
    assert deployment.query_hub_database(users) == names


def test_own_certificate_is_served_after_up(deployment: Deployment) -> None:
    made = write_certificate(deployment.folder / "deployment" / "certs", [HUB, AUTH, CAS, "*.labs.localhost"])
    deployment.compose("up", "--detach", "--wait")
    deployment.wait(lambda: deployment.fingerprint(AUTH) == made, "the own certificate at the edge")


def test_invalid_certificate_stops_start(deployment: Deployment) -> None:
    write_certificate(deployment.folder / "deployment" / "certs", [HUB])
    done = deployment.compose("run", "--rm", "--no-deps", "prepare", check=False)
    assert done.returncode == 1
    assert f"/certs/server.crt does not cover {AUTH}, {CAS}, *.labs.localhost" in done.stderr
    assert "Traceback" not in done.stderr


def test_demo_cas_rejects_public_host(deployment: Deployment) -> None:
    done = deployment.compose(
        "run", "--rm", "--no-deps", "cas", check=False, changed={"HUB_HOST": "jupyter.example.org"}
    )
    assert done.returncode == 1
    assert "does not run" in done.stderr
    assert "jupyter.example.org" in done.stderr


def test_demo_with_public_host_does_not_start(deployment: Deployment) -> None:
    done = deployment.compose(
        "run", "--rm", "--no-deps", "prepare", check=False, changed={"AUTH_HOST": "auth.example.org"}
    )
    assert done.returncode == 1
    assert "does not run together with auth.example.org, because its passwords are public" in done.stderr


def test_documented_command_shows_service_logs(deployment: Deployment) -> None:
    said = deployment.compose(*readme.command("docker compose logs")[2:]).stdout
    assert "certificate: " in said
    assert "Passerelle serves https://auth.localhost" in said


def test_documented_command_adds_client(deployment: Deployment) -> None:
    add = readme.command("docker compose exec bridge passerelle clients add Wiki")
    said = deployment.compose("exec", "-T", *add[3:]).stdout
    assert "client_secret" in said
    assert "Wiki" in deployment.compose("exec", "-T", "bridge", "passerelle", "clients", "list").stdout
    add = readme.command("docker compose exec bridge passerelle clients add Dashboards")
    said = deployment.compose("exec", "-T", *add[3:]).stdout
    assert "auth_url = https://auth.localhost/authorize" in said


@pytest.mark.parametrize("service", ["hub", "lab"])
def test_image_build_requires_locked_version(deployment: Deployment, service: str) -> None:
    done = deployment.compose("build", service, check=False, changed={"JUPYTERHUB_VERSION": "5.0.0"})
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert f"JUPYTERHUB_VERSION is '5.0.0' but requirements/{service}.txt locks jupyterhub==" in said


def test_production_settings_remove_the_demo(deployment: Deployment) -> None:
    production = {
        "HUB_HOST": "jupyter.example.org",
        "AUTH_HOST": "auth.example.org",
        "LAB_HOST": "*.labs.example.org",
        "CAS_URL": "https://sso.example.org/cas",
        **dict.fromkeys(["COMPOSE_PROFILES", "CAS_HOST", "CAS_INTERNAL_URL"], ""),
    }
    done = deployment.compose("config", changed=production)
    assert done.stderr == ""
    assert "localhost" not in done.stdout
    services = deployment.compose("config", "--services", changed=production).stdout.split()
    assert "cas" not in services
