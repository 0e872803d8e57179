"""The edge during use: certificate reload, dashboard, limits, a second deployment on the same machine.

The tests share one deployment with Bob's lab and depend on each other in this order. A slow upload and an idle
WebSocket run through the edge in the background; the last tests check them.
"""

import json
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from tests.support.bridge.slow_client import SlowUpload
from tests.support.certificates import write_certificate
from tests.support.docker.deployment import Deployment, clean_clone, free_port
from tests.support.hub.lab_requests import Kernel, ask
from tests.support.hub.person import Person

pytestmark = [pytest.mark.e2e, pytest.mark.needs("engine", "images")]

HUB, AUTH, CAS, LAB = "jupyter.localhost", "auth.localhost", "cas.localhost", "bob.labs.localhost"
HOSTS = [HUB, AUTH, CAS, "*.labs.localhost"]
SLOW = 70  # seconds; Traefik's default limit for a request body is 60
UPLOAD_BYTES = 8_000_000
LARGE_BYTES = 120_000_000
AUTH_RATE_PER_MINUTE = 60


@dataclass
class OpenConnections:
    """The connections that stay open through the edge."""

    token: str
    upload: SlowUpload
    quiet: Kernel


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = clean_clone(tmp_path_factory.mktemp("clone"))
    # Low enough to reach the limit, high enough for the users of these tests.
    replace_setting(folder / ".env", "AUTH_RATE_PER_MINUTE", str(AUTH_RATE_PER_MINUTE))
    ours = Deployment(folder, f"passerelle-edge-{os.getpid()}", http_port=free_port(0), https_port=free_port(0))
    try:
        ours.compose("up", "--detach", "--wait")
        yield ours
    finally:
        ours.remove()


def replace_setting(file: Path, name: str, value: str) -> None:
    """Set a variable in .env."""
    text = file.read_text()
    assert f"\n{name}=" in text
    file.write_text(re.sub(rf"(?m)^{name}=.*$", f"{name}={value}", text))


@pytest.fixture(scope="module")
def token(deployment: Deployment) -> str:
    """Sign Bob in, start his lab and return his token, for requests without a browser.

    A Chromium on the engine's machine drops requests when a container starts or stops.
    """
    return signed_in(deployment, HUB)


def signed_in(deployment: Deployment, hub_host: str) -> str:
    """Sign Bob in, start his lab and return his token."""
    bob = Person(deployment, hub_host)
    token = bob.sign_in("bob", "bob-demo")
    bob.start_lab("bob", token)
    return token


@pytest.fixture(scope="module")
def connections(deployment: Deployment, token: str) -> Iterator[OpenConnections]:
    quiet = Kernel(deployment, LAB, "bob", token=token)
    assert "".join(quiet.run("kept = 'from before'; print(kept)")) == "from before\n"
    upload = SlowUpload(
        ("127.0.0.1", deployment.https_port),
        LAB,
        "/user/bob/api/contents/slow.bin",
        token,
        seconds=SLOW,
        size=UPLOAD_BYTES,
    )
    upload.start()
    yield OpenConnections(token, upload, quiet)
    quiet.close()


def ask_lab(
    deployment: Deployment, connections: OpenConnections, method: str, path: str, data: dict[str, str] | None = None
) -> requests.Response:
    """Send a request to Bob's lab with his token."""
    body = json.dumps(data) if data else None
    return ask(deployment, LAB, method, f"/user/bob{path}", token=connections.token, data=body)


def certificates_log(deployment: Deployment) -> str:
    return deployment.compose("logs", "certificates").stdout


# ── Certificates, while Bob computes ─────────────────────────────────────────────────────────────────────────


def test_new_certificate_is_served_during_computation(deployment: Deployment, connections: OpenConnections) -> None:
    before = deployment.fingerprint(HUB)
    traefik = deployment.started_at("traefik")
    kernel = Kernel(deployment, LAB, "bob", token=connections.token)
    printed = kernel.run("import time\nfor n in range(200):\n    time.sleep(0.15); print(n, flush=True)")
    counted = next(printed)

    made = write_certificate(deployment.folder / "deployment" / "certs", HOSTS)
    deployment.wait(lambda: deployment.fingerprint(HUB) == made, "new certificate", seconds=25)
    assert "199" not in counted
    counted += "".join(printed)

    assert made != before
    assert counted.split() == [str(n) for n in range(200)]
    assert "".join(kernel.run("print(n + 1)")) == "200\n"
    kernel.close()
    assert deployment.started_at("traefik") == traefik
    assert "certificate replaced: your own /certs/server.crt, valid until" in certificates_log(deployment)


def test_invalid_pair_is_logged_and_old_one_stays(deployment: Deployment) -> None:
    served = deployment.fingerprint(HUB)
    write_certificate(deployment.folder / "deployment" / "certs", [HUB])
    deployment.wait(lambda: "REJECTED" in certificates_log(deployment), "refusal", seconds=20)
    said = certificates_log(deployment)
    assert "the current one stays" in said
    assert f"does not cover {AUTH}, {CAS}" in said
    key = deployment.folder / "deployment" / "certs" / "server.key"
    key.write_text("not a key")
    deployment.wait(
        lambda: (
            "is not the key" in certificates_log(deployment) or "no PEM private key" in certificates_log(deployment)
        ),
        "second refusal",
        seconds=20,
    )
    assert "Traceback" not in certificates_log(deployment)
    assert deployment.fingerprint(HUB) == served


def test_corrected_pair_is_served(deployment: Deployment) -> None:
    made = write_certificate(deployment.folder / "deployment" / "certs", HOSTS)
    deployment.wait(lambda: deployment.fingerprint(AUTH) == made, "mended certificate", seconds=20)


def test_last_of_many_certificates_is_served(deployment: Deployment) -> None:
    for _ in range(20):
        made = write_certificate(deployment.folder / "deployment" / "certs", HOSTS)
        time.sleep(0.1)
    deployment.wait(lambda: deployment.fingerprint(AUTH) == made, "last certificate", seconds=20)


# ── Headers and limits ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("host", "path"), [(HUB, "/hub/login"), (LAB, "/user/bob/lab"), (LAB, "/user/bob/api/status")])
def test_edge_adds_headers_and_keeps_those_of_jupyter(
    deployment: Deployment, connections: OpenConnections, host: str, path: str
) -> None:
    headers = ask(deployment, host, "GET", path, token=connections.token).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert "Server" not in headers
    assert "Strict-Transport-Security" not in headers  # for *.localhost it would affect every project on this machine
    assert "frame-ancestors" in headers["Content-Security-Policy"]


def test_user_page_keeps_sandbox_of_jupyter(deployment: Deployment, connections: OpenConnections) -> None:
    page = {"type": "file", "format": "text", "content": "<script>alert(1)</script>"}
    assert ask_lab(deployment, connections, "PUT", "/api/contents/page.html", page).status_code == 201
    shown = ask_lab(deployment, connections, "GET", "/files/page.html")
    assert shown.status_code == 200
    assert "sandbox" in shown.headers["Content-Security-Policy"]


def test_encoded_slash_reaches_lab(deployment: Deployment, connections: OpenConnections) -> None:
    folder = {"type": "directory"}
    assert ask_lab(deployment, connections, "PUT", "/api/contents/a", folder).status_code == 201
    text = {"type": "file", "format": "text", "content": "found"}
    assert ask_lab(deployment, connections, "PUT", "/api/contents/a/b.txt", text).status_code == 201
    found = ask_lab(deployment, connections, "GET", "/api/contents/a%2Fb.txt")
    assert (found.status_code, found.json()["content"]) == (200, "found")
    odd = quote("50 % ü #?.txt")
    assert ask_lab(deployment, connections, "PUT", f"/api/contents/{odd}", text).status_code == 201


def test_large_upload_passes_edge(deployment: Deployment, connections: OpenConnections) -> None:
    whole = {"type": "file", "format": "text", "content": "x" * LARGE_BYTES}
    answer = ask_lab(deployment, connections, "PUT", "/api/contents/large.txt", whole)
    assert (answer.status_code, answer.json()["size"]) == (201, LARGE_BYTES)


def test_sign_in_rejects_large_body(deployment: Deployment) -> None:
    for path in ("/token", "/authorize", "/cas/logout"):
        assert ask(deployment, AUTH, "POST", path, data="x=" + "y" * 2_000_000).status_code == 413
        assert ask(deployment, AUTH, "POST", path, data="x=" + "y" * 50_000).status_code < 500


@pytest.mark.parametrize(("host", "path"), [(HUB, "/hub/oauth_callback"), (AUTH, "/authorize")])
def test_sign_in_rate_limit_does_not_affect_labs(
    deployment: Deployment, connections: OpenConnections, host: str, path: str
) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: deployment.get(host, path), range(3 * AUTH_RATE_PER_MINUTE)))
    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert "Retry-After" in refused[0].headers
    # The burst is half of a minute's requests, plus those added since.
    assert len(answers) - len(refused) >= AUTH_RATE_PER_MINUTE // 2
    assert ask_lab(deployment, connections, "GET", "/api/status").status_code == 200
    assert deployment.get(AUTH, "/.well-known/openid-configuration").status == 200


# ── A second deployment ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Start a second deployment with the settings of docs/hub/edge.md."""
    folder = clean_clone(tmp_path_factory.mktemp("second"))
    for name, host in {"HUB_HOST": HUB, "AUTH_HOST": AUTH, "CAS_HOST": CAS}.items():
        replace_setting(folder / ".env", name, f"second-{host}")
    replace_setting(folder / ".env", "LAB_HOST", "*.second-labs.localhost")
    ours = Deployment(folder, f"passerelle-edge2-{os.getpid()}", http_port=free_port(0), https_port=free_port(0))
    ours.lab_domain = "second-labs.localhost"
    try:
        ours.compose("up", "--detach", "--build", "--wait")
        yield ours
    finally:
        ours.remove()


def resources_of(deployment: Deployment) -> set[str]:
    """Return all containers, networks and volumes of a deployment, including labs and homes."""
    named = f"name={deployment.project}-|{deployment.project}_"
    lists = (("ps", "--all", "--format", "{{.Names}}"), ("network", "ls", "--format", "{{.Name}}"))
    everything = [deployment.docker(*words, "--filter", named) for words in lists]
    everything.append(deployment.docker("volume", "ls", "--quiet", "--filter", named))
    return {name for names in everything for name in names.split()}


def test_second_deployment_is_isolated_and_removable(
    deployment: Deployment, second: Deployment, connections: OpenConnections
) -> None:
    second_hub = f"second-{HUB}"
    kernel = Kernel(second, second.lab_host("bob"), "bob", token=signed_in(second, second_hub))
    assert "".join(kernel.run("print(6 * 7)")) == "42\n"
    kernel.close()
    assert second.labs() == [f"{second.project}-lab-bob"]
    assert deployment.labs() == [f"{deployment.project}-lab-bob"]
    assert resources_of(deployment).isdisjoint(resources_of(second))
    assert {"bridge-data", "hub-data"} <= {name.partition("_")[2] for name in resources_of(second)}
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    theirs = deployment.docker("inspect", "--format", template, deployment.container("hub")).split()
    assert second.reachable_from_lab("bob", {f"hub at {number}": f"{number}:8081" for number in theirs}) == set()
    secret = [
        one.docker("exec", one.container("hub"), "cat", "/run/secrets/hub_client_secret")
        for one in (deployment, second)
    ]
    assert secret[0] != secret[1]

    second.remove()

    assert resources_of(second) == set()
    assert deployment.labs() == [f"{deployment.project}-lab-bob"]
    assert ask_lab(deployment, connections, "GET", "/api/status").status_code == 200


# ── What was under way ───────────────────────────────────────────────────────────────────────────────────────


def test_slow_upload_of_over_a_minute_succeeds(deployment: Deployment, connections: OpenConnections) -> None:
    connections.upload.join(timeout=SLOW + 30)
    assert connections.upload.took > 60
    assert connections.upload.answer.startswith("HTTP/1.1 201"), connections.upload.answer
    kept = ask_lab(deployment, connections, "GET", "/api/contents/slow.bin?content=0")
    assert kept.json()["size"] == UPLOAD_BYTES


def test_idle_websocket_survives_a_minute(connections: OpenConnections) -> None:
    """The WebSocket survives all certificate changes of the tests above."""
    assert time.monotonic() - connections.quiet.open_store > 60
    assert "".join(connections.quiet.run("print(kept)")) == "from before\n"


# ── The dashboard ────────────────────────────────────────────────────────────────────────────────────────────


def test_dashboard_is_off_by_default(deployment: Deployment) -> None:
    assert deployment.container("dashboard") == ""
    for host in HOSTS:
        answer = deployment.get(host, "/dashboard/")
        assert answer.status in (302, 404)
        assert "traefik" not in answer.body.lower()
    assert "dashboard" not in deployment.docker("exec", deployment.container("hub"), "ls", "/run/secrets")


def test_dashboard_is_on_loopback_with_password(deployment: Deployment) -> None:
    port = free_port(8090)
    asked = {"DASHBOARD": "1", "DASHBOARD_PORT": str(port)}
    deployment.compose("up", "--detach", "--wait", changed=asked)
    published = deployment.docker("port", deployment.container("dashboard"))
    assert published == f"8090/tcp -> 127.0.0.1:{port}"
    password = deployment.compose("exec", "-T", "traefik", "cat", "/run/secrets/dashboard_password").stdout
    address = f"http://127.0.0.1:{port}"
    for path in ("/dashboard/", "/api/http/routers", "/api/rawdata", "/ping"):
        assert requests.get(address + path, timeout=10).status_code == 401
        assert requests.get(address + path, auth=("admin", "guess"), timeout=10).status_code == 401
        assert requests.get(address + path, auth=("hub", password), timeout=10).status_code == 401
    page = requests.get(f"{address}/", auth=("admin", password), timeout=10)
    assert page.url.endswith("/dashboard/")
    assert "Traefik" in page.text
    routers = requests.get(f"{address}/api/http/routers", auth=("admin", password), timeout=10).json()
    assert "bridge@file" in {router["name"] for router in routers}
    assert deployment.get(HUB, "/dashboard/").status == 302
    assert password not in deployment.logs()


def test_disabled_dashboard_is_gone(deployment: Deployment) -> None:
    deployment.compose("up", "--detach", "--wait")
    assert deployment.container("dashboard") == ""
