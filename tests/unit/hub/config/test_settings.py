"""The hub's settings: defaults, required variables, and one message for all faults."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.config.field_types import SettingsError
from hub.config.network_settings import NetworkSettings
from hub.config.settings import DeploymentSettings, HubSettings, load_settings

COMPOSE = yaml.safe_load((Path(__file__).parents[4] / "compose.yml").read_text())
LAB = {"PROJECT_NAME": "p", "LAB_IMAGE": "i", "LAB_NETWORK_NAME": "p-labs"}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    for name, secret in {"client": "client-secret-1\n", "api": "api-secret-2\n", "key": "0f" * 32}.items():
        (tmp_path / name).write_text(secret)
    return {
        "HUB_PUBLIC_URL": "https://jupyter.localhost:8443/",
        "AUTH_PUBLIC_URL": "https://auth.localhost:8443",
        "AUTH_INTERNAL_URL": "http://bridge:8000",
        "OAUTH_CLIENT_ID": "jupyterhub",
        "OAUTH_CLIENT_SECRET_FILE": str(tmp_path / "client"),
        "HUB_CRYPT_KEY_FILE": str(tmp_path / "key"),
        "HUB_API_CONNECT_URL": "http://hub:8081",
        "HUB_DATA_DIR": "/data",
        "TRAEFIK_DYNAMIC_FILE": "/dynamic/hub.toml",
        "TRAEFIK_API_URL": "http://traefik:8099",
        "TRAEFIK_API_PASSWORD_FILE": str(tmp_path / "api"),
    }


def load(environ: dict[str, str]) -> HubSettings:
    return load_settings(environ, HubSettings)


def load_error(environ: dict[str, str], model: type[HubSettings] = HubSettings) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ, model)
    return str(caught.value)


def test_defaults(environ: dict[str, str]) -> None:
    settings = load(environ)

    assert settings.server.public_url == "https://jupyter.localhost:8443"
    assert settings.auth.method == "bridge"
    assert settings.auth.client_secret.get_secret_value() == "client-secret-1"
    assert settings.traefik.api_password.get_secret_value() == "api-secret-2"
    assert settings.server.bind_url == "http://0.0.0.0:8081"


def test_error_names_all_missing_variables() -> None:
    message = load_error({}, DeploymentSettings)

    for name in (
        "HUB_PUBLIC_URL",
        "AUTH_PUBLIC_URL",
        "AUTH_INTERNAL_URL",
        "OAUTH_CLIENT_ID",
        "OAUTH_CLIENT_SECRET_FILE",
        "HUB_CRYPT_KEY_FILE",
        "HUB_API_CONNECT_URL",
        "HUB_DATA_DIR",
        "TRAEFIK_DYNAMIC_FILE",
        "TRAEFIK_API_URL",
        "TRAEFIK_API_PASSWORD_FILE",
        "PROJECT_NAME",
        "LAB_IMAGE",
        "LAB_NETWORK_NAME",
    ):
        assert message.count(f" {name}") == 1
    assert "\n" not in message


@pytest.mark.parametrize("blank", ["", "   "])
def test_blank_value_counts_as_unset(environ: dict[str, str], blank: str) -> None:
    assert "not set: OAUTH_CLIENT_ID" in load_error(environ | {"OAUTH_CLIENT_ID": blank})


def test_error_combines_missing_and_invalid_values(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "api").write_text(" \n")
    (tmp_path / "hub.toml").write_text("[groups.staff]\ngpus = 1\n")
    del environ["HUB_DATA_DIR"]

    message = load_error(
        environ
        | {
            "AUTH_PUBLIC_URL": "auth.localhost",
            "CULL_IDLE_TIMEOUT_SECONDS": "soon",
            "OAUTH_CLIENT_SECRET_FILE": "/none",
            "HUB_CONFIG_FILE": str(tmp_path / "hub.toml"),
        }
    )

    assert "not set: HUB_DATA_DIR" in message
    assert "AUTH_PUBLIC_URL is 'auth.localhost' but must be an http or https URL" in message
    assert "CULL_IDLE_TIMEOUT_SECONDS is 'soon' but must be a valid integer" in message
    assert "OAUTH_CLIENT_SECRET_FILE names /none, which cannot be read (No such file or directory)" in message
    assert f"TRAEFIK_API_PASSWORD_FILE names {tmp_path / 'api'}, which is empty" in message
    assert "hub.toml is wrong: groups.staff.gpus" in message


def test_secrets_are_in_neither_errors_nor_repr(environ: dict[str, str]) -> None:
    for text in (load_error(environ | {"HUB_DATA_DIR": ""}), repr(load(environ))):
        assert "client-secret-1" not in text
        assert "api-secret-2" not in text
        assert "0f0f" not in text


def test_settings_are_immutable(environ: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(environ).server.public_url = "https://evil.example"


def test_group_names_may_contain_commas(environ: dict[str, str]) -> None:
    groups = {"AUTH_ADMIN_GROUPS": "cn=math,ou=groups; jupyter-admins ;;", "AUTH_ALLOWED_GROUPS": "staff"}
    auth = load(environ | groups).auth

    assert auth.admin_groups == {"cn=math,ou=groups", "jupyter-admins"}
    assert auth.allowed_groups == {"staff"}
    assert not auth.allow_all


def test_star_allows_all_users(environ: dict[str, str]) -> None:
    auth = load(environ | {"AUTH_ALLOWED_GROUPS": "*"}).auth

    assert auth.allow_all
    assert auth.allowed_groups == set()


@pytest.mark.parametrize("unset", [{}, {"AUTH_ALLOWED_GROUPS": "", "AUTH_ADMIN_GROUPS": ""}])
def test_no_user_has_access_without_groups(environ: dict[str, str], unset: dict[str, str]) -> None:
    auth = load(environ | unset).auth

    assert not auth.allow_all
    assert auth.allowed_groups == auth.admin_groups == set()


@pytest.mark.parametrize("value", ["-1", "nan", "1h"])
def test_invalid_number_of_seconds_is_rejected(environ: dict[str, str], value: str) -> None:
    message = load_error(environ | {"CULL_IDLE_TIMEOUT_SECONDS": value})
    assert f"CULL_IDLE_TIMEOUT_SECONDS is '{value}'" in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("LAB_CPU_LIMIT", "0"), ("LAB_CPU_LIMIT", "one"), ("LAB_CPU_LIMIT", "nan"), ("LAB_PIDS_LIMIT", "5")),
        *(("LAB_MEM_LIMIT", value) for value in ("2GB", "2 G", "2048", "0", "-2G", "much")),
        *(("LAB_HOME_QUOTA", value) for value in ("10", "10GB", "-1G", "ten", "G", "1e3G", "10 G")),
    ],
)
def test_invalid_lab_limit_is_rejected(environ: dict[str, str], name: str, value: str) -> None:
    assert f"{name} is '{value}' but must be" in load_error(environ | LAB | {name: value}, DeploymentSettings)


def test_size_unit_may_be_lower_case(environ: dict[str, str]) -> None:
    settings = load_settings(environ | LAB | {"LAB_MEM_LIMIT": "1.5g"}, DeploymentSettings)
    assert settings.lab.mem_limit == "1.5G"


@pytest.mark.parametrize("mode", ["Isolated", "yes", "no", "none", "public"])
def test_unknown_lab_network_is_rejected(environ: dict[str, str], mode: str) -> None:
    message = load_error(environ | LAB | {"LAB_NETWORK": mode}, DeploymentSettings)
    assert f"LAB_NETWORK is '{mode}' but must be" in message


@pytest.mark.parametrize("prefix", ["8.8", "10", "10.1.2", "10.999", "127.0", "10.1/16", "192.169", "fd00:1"])
def test_public_or_invalid_subnet_is_rejected(environ: dict[str, str], prefix: str) -> None:
    message = load_error(environ | LAB | {"LAB_SUBNET_PREFIX": prefix}, DeploymentSettings)
    assert f"LAB_SUBNET_PREFIX is '{prefix}' but must be" in message


def test_rules_and_compose_name_the_same_addresses() -> None:
    network = NetworkSettings.model_validate({"PROJECT_NAME": "p"})
    written = json.dumps(COMPOSE).replace("${LAB_SUBNET_PREFIX:-198.18}", "198.18")
    compose = json.loads(written)
    (pool,) = compose["networks"]["labs"]["ipam"]["config"]
    fixed = {name: (one["networks"]["labs"] or {}).get("ipv4_address") for name, one in services_on("labs", compose)}
    assert (pool["subnet"], pool["gateway"]) == (str(network.subnet), str(network.gateway))
    assert fixed == {"hub": None, "traefik": str(network.traefik), "egress-proxy": str(network.proxy)}


def services_on(network: str, compose: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, one) for name, one in compose["services"].items() if network in one.get("networks", [])]


@pytest.mark.parametrize(
    ("value", "folder"), [("", ""), ("volume", "p-public"), ("/data/public files", "/data/public files")]
)
def test_public_folder_is_volume_or_path(environ: dict[str, str], value: str, folder: str) -> None:
    settings = load_settings(environ | LAB | {"LAB_PUBLIC_FOLDER": value}, DeploymentSettings)
    assert settings.storage.public_folder == folder


@pytest.mark.parametrize(
    "value", ["public", "p-home-alice", "/a:/etc", "/a:ro", "relative/x", "/a/../etc", "/{username}", "/a\nb", "/"]
)
def test_invalid_public_folder_is_rejected(environ: dict[str, str], value: str) -> None:
    message = load_error(environ | LAB | {"LAB_PUBLIC_FOLDER": value}, DeploymentSettings)
    assert f"LAB_PUBLIC_FOLDER is {value!r} but must be" in message


def test_tool_image_defaults_to_hub_image(environ: dict[str, str]) -> None:
    assert load_settings(environ | LAB, DeploymentSettings).storage.tool_image == "p-hub"
    custom = load_settings(environ | LAB | {"TOOL_IMAGE": "other"}, DeploymentSettings)
    assert custom.storage.tool_image == "other"
