"""The hub's configuration files, loaded as JupyterHub loads them."""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from hub.base_config import configure_hub
from hub.config.settings import HubSettings, load_settings

HUB = Path(__file__).parents[3] / "hub"


class Engine(http.server.BaseHTTPRequestHandler):
    """A Docker engine that only answers a ping."""

    def do_GET(self) -> None:
        body = json.dumps({"ApiVersion": "1.41", "MinAPIVersion": "1.12"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def engine_port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Engine) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def engine(engine_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{engine_port}")


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "key").write_text("0f" * 32)
    values = {
        "HUB_PUBLIC_URL": "https://jupyter.localhost",
        "AUTH_PUBLIC_URL": "https://auth.localhost",
        "AUTH_INTERNAL_URL": "http://bridge:8000",
        "OAUTH_CLIENT_ID": "jupyterhub",
        "OAUTH_CLIENT_SECRET_FILE": str(tmp_path / "secret"),
        "HUB_CRYPT_KEY_FILE": str(tmp_path / "key"),
        "HUB_API_CONNECT_URL": "http://hub:8081",
        "HUB_DATA_DIR": "/data",
        "TRAEFIK_DYNAMIC_FILE": "/dynamic/hub.toml",
        "TRAEFIK_API_URL": "http://traefik:8099",
        "TRAEFIK_API_PASSWORD_FILE": str(tmp_path / "secret"),
        "PROJECT_NAME": "passerelle",
        "LAB_IMAGE": "passerelle-lab",
        "LAB_NETWORK_NAME": "passerelle-labs",
        "AUTH_ADMIN_GROUPS": "jupyter-admins",
        "AUTH_ALLOWED_GROUPS": "staff;students",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def load() -> Config:
    return PyFileConfigLoader("jupyterhub_config.py", path=str(HUB)).load_config()


@pytest.mark.usefixtures("environment", "engine")
def test_hub_does_not_start_after_interrupted_restore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_DATA_DIR", str(tmp_path))
    (tmp_path / ".restore-under-way").touch()
    with pytest.raises(
        SystemExit, match=r"a restore into this project was interrupted.*repeat the same `passerelle hub restore"
    ):
        load()
    assert not (tmp_path / "administration_token").exists()


@pytest.mark.usefixtures("environment", "engine")
def test_browser_uses_public_urls_and_hub_internal_ones() -> None:
    c = load()

    assert c.OAuthenticator.authorize_url == "https://auth.localhost/authorize"
    assert c.OAuthenticator.oauth_callback_url == "https://jupyter.localhost/hub/oauth_callback"
    assert c.OAuthenticator.token_url == "http://bridge:8000/token"
    assert c.OAuthenticator.userdata_url == "http://bridge:8000/userinfo"


@pytest.mark.usefixtures("environment", "engine")
def test_lab_containers_are_isolated_and_removed() -> None:
    c = load().DockerSpawner

    assert c.remove is True
    assert c.volumes == {"passerelle-home-{username}": "/home/jovyan"}
    assert c.extra_host_config["cap_drop"] == ["ALL"]
    assert c.extra_host_config["security_opt"] == ["no-new-privileges:true"]
    assert c.extra_host_config["pids_limit"] == 512
    assert (c.mem_limit, c.cpu_limit) == ("2G", 1.0)
    assert c.extra_create_kwargs["labels"]["com.docker.compose.project"] == "passerelle-labs"


@pytest.mark.usefixtures("environment", "engine")
def test_labs_survive_hub_restart() -> None:
    assert load().JupyterHub.cleanup_servers is False


@pytest.mark.usefixtures("environment", "engine")
def test_only_allowed_groups_have_access() -> None:
    c = load()

    assert c.Authenticator.allow_all is False
    assert (c.OAuthenticator.allowed_groups, c.OAuthenticator.admin_groups) == (
        {"staff", "students"},
        {"jupyter-admins"},
    )


@pytest.mark.usefixtures("environment", "engine")
def test_star_gives_all_users_access(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_ALLOWED_GROUPS", "*")

    assert load().Authenticator.allow_all is True


@pytest.mark.usefixtures("environment", "engine")
@pytest.mark.parametrize(
    ("admins", "users"), [("jupyter-admins", "only members of AUTH_ADMIN_GROUPS have"), ("", "no user has")]
)
def test_empty_allowed_groups_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, admins: str, users: str
) -> None:
    monkeypatch.setenv("AUTH_ALLOWED_GROUPS", "")
    monkeypatch.setenv("AUTH_ADMIN_GROUPS", admins)

    c = load()

    assert (c.Authenticator.allow_all, c.OAuthenticator.allowed_groups) == (False, set())
    assert f"AUTH_ALLOWED_GROUPS is empty, so {users} access" in caplog.text


@pytest.mark.usefixtures("environment", "engine")
@pytest.mark.parametrize("name", ["alice", "jean-pierre@univ.example", "a.b_c", "7of9"])
def test_usual_usernames_are_allowed(name: str) -> None:
    assert re.match(load().Authenticator.username_pattern, name)


@pytest.mark.usefixtures("environment", "engine")
@pytest.mark.parametrize("name", ["", "../etc", "a b", "a`) || Path(`/", "Alice", "é", "-rf", "a/b", "a{b}", "x" * 64])
def test_unsafe_usernames_are_rejected(name: str) -> None:
    assert not re.match(load().Authenticator.username_pattern, name)


@pytest.mark.usefixtures("environment", "engine")
def test_culler_service_has_minimal_scopes() -> None:
    c = load()

    service, _volumes = c.JupyterHub.services
    (role,) = c.JupyterHub.load_roles
    assert service["command"][1:] == ["-m", "hub.culler.service", "--idle-timeout=3600", "--max-age=0"]
    assert set(role["scopes"]) == {
        "list:users",
        "read:users:name",
        "read:users:groups",
        "read:users:activity",
        "read:servers",
        "delete:servers",
    }


@pytest.mark.usefixtures("environment", "engine")
def test_zero_idle_timeout_disables_culling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CULL_IDLE_TIMEOUT_SECONDS", "0")

    c = load()

    assert [service["name"] for service in c.JupyterHub.services.to_dict()["extend"]] == ["volumes"]
    assert not [argument for argument in c.Spawner.args if "cull" in argument]


@pytest.mark.usefixtures("environment", "engine")
def test_group_limit_alone_enables_culling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hub.toml").write_text("[groups.exam]\nmax_age = 600\n")
    monkeypatch.setenv("CULL_IDLE_TIMEOUT_SECONDS", "0")
    monkeypatch.setenv("HUB_CONFIG_FILE", str(tmp_path / "hub.toml"))

    service, _volumes = load().JupyterHub.services

    assert f"--hub-toml={tmp_path / 'hub.toml'}" in service["command"]


@pytest.mark.usefixtures("environment", "engine")
@pytest.mark.parametrize("name", ["../terms.md", "/etc/passwd", "terms.html", "terms", ".md"])
def test_terms_file_must_be_text_in_notices_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setenv("HUB_TERMS_FILE", name)
    monkeypatch.setenv("NOTICES_DIR", str(tmp_path))

    with pytest.raises(SystemExit, match=r"HUB_TERMS_FILE is .* but must be the name of a \.md or \.txt file"):
        load()


@pytest.mark.usefixtures("environment", "engine")
def test_missing_terms_file_stops_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HUB_TERMS_FILE", "terms.md")
    monkeypatch.setenv("NOTICES_DIR", str(tmp_path))

    with pytest.raises(SystemExit, match=r"terms of use terms.md cannot be read \(No such file or directory\)"):
        load()


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"])
def test_hub_stops_with_one_line_without_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.setenv("PYTHONPATH", str(HUB.parent))

    done = subprocess.run(
        [sys.executable, "-m", "jupyterhub", f"--config={HUB / 'jupyterhub_config.py'}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert f"no Docker engine responds at {host}. Start Docker" in done.stderr


@pytest.mark.usefixtures("environment")
def test_missing_hub_and_lab_settings_are_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTH_INTERNAL_URL")
    monkeypatch.delenv("LAB_IMAGE")

    with pytest.raises(SystemExit, match="not set: AUTH_INTERNAL_URL, LAB_IMAGE "):
        load()


@pytest.mark.usefixtures("environment")
def test_base_config_needs_neither_engine_nor_image(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROJECT_NAME", "LAB_IMAGE", "LAB_NETWORK_NAME"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")

    c = Config()
    configure_hub(c, load_settings(os.environ, HubSettings))

    assert "DockerSpawner" not in c


@pytest.mark.usefixtures("environment", "engine")
def test_lab_class_and_start_hooks() -> None:
    c = load()

    assert c.JupyterHub.spawner_class.__name__ == "Lab"
    names = [hook.__qualname__.split(".")[0] for hook in c.Lab.before_start]
    assert names == ["FirewallCheck", "ImageChoice", "limit_by_group", "RestoreHook", "SharedFolders", "QuotaHook"]
    assert c.DockerSpawner.pull_policy == "never"
    assert c.DockerSpawner.client_kwargs["timeout"] < c.Spawner.start_timeout
    assert c.Spawner.default_url == "/lab"


@pytest.mark.usefixtures("environment", "engine")
@pytest.mark.parametrize(("value", "allowed", "limit"), [("", False, 0), ("0", False, 0), ("2", True, 2)])
def test_named_servers_need_limit(monkeypatch: pytest.MonkeyPatch, value: str, allowed: bool, limit: int) -> None:
    monkeypatch.setenv("HUB_NAMED_SERVER_LIMIT", value)

    c = load().JupyterHub

    assert (c.allow_named_servers, c.named_server_limit_per_user) == (allowed, limit)


@pytest.mark.usefixtures("environment", "engine")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[[images]]\n", "images.0.name: Field required"),
        ('[[images]]\nname = "A"\n[[images]]\nname = "A"\n', r"two images have the same name \(A\)"),
        ('[groups.staff]\nmemory = "lots"\n', "groups.staff.memory: must be a number and K, M, G or T"),
        ("[groups.staff]\ngpus = 1\n", "groups.staff.gpus"),
        ("[groups.staff]\nmemroy = 1\n", "groups.staff.memroy: Extra inputs"),
        ("images = [\n", "it is not TOML"),
    ],
)
def test_invalid_hub_toml_stops_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, fault: str) -> None:
    (tmp_path / "hub.toml").write_text(text)
    monkeypatch.setenv("HUB_CONFIG_FILE", str(tmp_path / "hub.toml"))

    with pytest.raises(SystemExit, match=f"hub.toml is wrong: .*{fault}"):
        load()


@pytest.mark.usefixtures("environment", "engine")
def test_hub_toml_folder_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_CONFIG_FILE", str(tmp_path))

    with pytest.raises(SystemExit, match=r"cannot be read \(Is a directory\)"):
        load()
