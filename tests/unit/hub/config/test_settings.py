"""What the hub reads from its environment, and how it says what is wrong with it."""

from pathlib import Path

import pytest

from hub.config.lifecycle import read_lifecycle
from hub.config.settings import HubSettings, Reader, SettingsError, read_hub, read_labs


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "client").write_text("client-secret-1\n")
    (tmp_path / "api").write_text("api-secret-2\n")
    return {
        "HUB_PUBLIC_URL": "https://jupyter.localhost:8443/",
        "AUTH_PUBLIC_URL": "https://auth.localhost:8443",
        "AUTH_INTERNAL_URL": "http://bridge:8000",
        "OAUTH_CLIENT_ID": "jupyterhub",
        "OAUTH_CLIENT_SECRET_FILE": str(tmp_path / "client"),
        "HUB_API_CONNECT_URL": "http://hub:8081",
        "HUB_DATA_DIR": "/data",
        "TRAEFIK_DYNAMIC_FILE": "/dynamic/hub.toml",
        "TRAEFIK_API_URL": "http://traefik:8099",
        "TRAEFIK_API_PASSWORD_FILE": str(tmp_path / "api"),
    }


def read(environ: dict[str, str]) -> HubSettings:
    reader = Reader(environ)
    settings = read_hub(reader)
    read_lifecycle(reader)
    reader.check()
    return settings


def fault(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        read(environ)
    return str(caught.value)


def test_the_smallest_environment_is_enough(environ: dict[str, str]) -> None:
    settings = read(environ)

    assert settings.public_url == "https://jupyter.localhost:8443"
    assert settings.oauth_client_secret == "client-secret-1"
    assert settings.traefik_api_password == "api-secret-2"
    assert settings.bind_url == "http://0.0.0.0:8081"


def test_everything_missing_is_named_in_one_sentence() -> None:
    reader = Reader({})
    read_hub(reader)
    read_labs(reader)

    with pytest.raises(SettingsError) as caught:
        reader.check()

    told = str(caught.value)
    for name in (
        "HUB_PUBLIC_URL",
        "AUTH_PUBLIC_URL",
        "AUTH_INTERNAL_URL",
        "OAUTH_CLIENT_ID",
        "OAUTH_CLIENT_SECRET_FILE",
        "HUB_API_CONNECT_URL",
        "HUB_DATA_DIR",
        "TRAEFIK_DYNAMIC_FILE",
        "TRAEFIK_API_URL",
        "TRAEFIK_API_PASSWORD_FILE",
        "PROJECT_NAME",
        "LAB_IMAGE",
        "LAB_NETWORK",
    ):
        assert name in told
    assert "\n" not in told


@pytest.mark.parametrize("empty", ["", "   "])
def test_an_empty_value_counts_as_unset(environ: dict[str, str], empty: str) -> None:
    assert "not set: OAUTH_CLIENT_ID" in fault(environ | {"OAUTH_CLIENT_ID": empty})


def test_missing_and_wrong_are_told_together(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "api").write_text(" \n")
    del environ["HUB_DATA_DIR"]

    told = fault(
        environ
        | {
            "AUTH_PUBLIC_URL": "auth.localhost",
            "CULL_IDLE_TIMEOUT_SECONDS": "soon",
            "OAUTH_CLIENT_SECRET_FILE": "/none",
        }
    )

    assert "not set: HUB_DATA_DIR" in told
    assert "AUTH_PUBLIC_URL is no http or https address" in told
    assert "CULL_IDLE_TIMEOUT_SECONDS is 'soon'" in told
    assert "OAUTH_CLIENT_SECRET_FILE names /none, which cannot be read (No such file or directory)" in told
    assert f"TRAEFIK_API_PASSWORD_FILE names {tmp_path / 'api'}, which is empty" in told


def test_a_fault_never_tells_a_secret(environ: dict[str, str]) -> None:
    told = fault(environ | {"HUB_DATA_DIR": ""})

    assert "client-secret-1" not in told
    assert "api-secret-2" not in told


def test_group_names_may_hold_commas(environ: dict[str, str]) -> None:
    settings = read(
        environ | {"AUTH_ADMIN_GROUPS": "cn=math,ou=groups; jupyter-admins ;;", "AUTH_ALLOWED_GROUPS": "staff"}
    )

    assert settings.admin_groups == {"cn=math,ou=groups", "jupyter-admins"}
    assert settings.allowed_groups == {"staff"}
    assert not settings.everyone_is_allowed


def test_a_star_lets_everyone_in_whom_cas_lets_in(environ: dict[str, str]) -> None:
    settings = read(environ | {"AUTH_ALLOWED_GROUPS": "*"})

    assert settings.everyone_is_allowed
    assert settings.allowed_groups == set()


@pytest.mark.parametrize("unset", [{}, {"AUTH_ALLOWED_GROUPS": "", "AUTH_ADMIN_GROUPS": ""}])
def test_without_groups_nobody_is_let_in(environ: dict[str, str], unset: dict[str, str]) -> None:
    settings = read(environ | unset)

    assert not settings.everyone_is_allowed
    assert settings.allowed_groups == settings.admin_groups == set()


@pytest.mark.parametrize("value", ["-1", "nan", "1h"])
def test_a_time_that_is_no_number_of_seconds_is_refused(environ: dict[str, str], value: str) -> None:
    assert "CULL_IDLE_TIMEOUT_SECONDS" in fault(environ | {"CULL_IDLE_TIMEOUT_SECONDS": value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("LAB_CPU_LIMIT", "0"), ("LAB_CPU_LIMIT", "one"), ("LAB_PIDS_LIMIT", "5")),
        *(("LAB_MEM_LIMIT", value) for value in ("2GB", "2 G", "2048", "0", "-2G", "much")),
    ],
)
def test_a_limit_under_which_no_lab_can_run_is_refused(name: str, value: str) -> None:
    reader = Reader({"PROJECT_NAME": "p", "LAB_IMAGE": "i", "LAB_NETWORK": "n", name: value})
    read_labs(reader)

    with pytest.raises(SettingsError, match=name):
        reader.check()


def test_a_limit_of_memory_may_be_written_small() -> None:
    reader = Reader({"PROJECT_NAME": "p", "LAB_IMAGE": "i", "LAB_NETWORK": "n", "LAB_MEM_LIMIT": "1.5g"})
    assert read_labs(reader).mem_limit == "1.5G"
    reader.check()
