"""Routes that the hub writes for Traefik: limited to its host, and safe from injection by usernames."""

import asyncio
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hub.config.lab_hosts import LabHosts
from hub.config.proxy import EdgeProxy

HUB_URL = "https://jupyter.localhost:8443"


def proxy(file: Path, public_url: str = f"{HUB_URL}/", lab_host: str = "") -> EdgeProxy:
    # With should_start, the class does not wait for a running Traefik.
    return EdgeProxy(
        app=SimpleNamespace(public_url=public_url),
        public_url="http://:8000",
        should_start=True,
        dynamic_config_file=str(file),
        traefik_entrypoint="websecure",
        lab_hosts=LabHosts(lab_host, HUB_URL),
    )


def write_route(one: EdgeProxy, routespec: str, target: str = "http://10.0.0.7:8888") -> None:
    async def write() -> None:
        traefik, hub = one._dynamic_config_for_route(routespec, target, {"user": "alice"})
        await one._apply_dynamic_config(traefik, hub)

    asyncio.run(write())


def routers(one: EdgeProxy) -> dict[str, dict[str, Any]]:
    return dict(one.dynamic_config["http"]["routers"])


def test_traefik_can_read_the_routes(tmp_path: Path) -> None:
    """Traefik is another user, and has no capability."""
    write_route(proxy(tmp_path / "hub.toml"), "/")
    assert stat.S_IMODE((tmp_path / "hub.toml").stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("routespec", "rule"),
    [
        ("/", "Host(`jupyter.localhost`) && (PathPrefix(`/`))"),
        ("/user/al/", "Host(`jupyter.localhost`) && (( PathPrefix(`/user/al/`) || Path(`/user/al`) ))"),
        ("/user/a%40b/", "Host(`jupyter.localhost`) && (( PathPrefix(`/user/a@b/`) || Path(`/user/a@b`) ))"),
        ("/user/o%27b/", "Host(`jupyter.localhost`) && (( PathPrefix(`/user/o%27b/`) || Path(`/user/o%27b`) ))"),
        (
            "/user/a/x%2By%20z/",
            "Host(`jupyter.localhost`) && (( PathPrefix(`/user/a/x%2By z/`) || Path(`/user/a/x%2By z`) ))",
        ),
    ],
)
def test_routes_are_limited_to_hub_host(tmp_path: Path, routespec: str, rule: str) -> None:
    one = proxy(tmp_path / "hub.toml")

    write_route(one, routespec)

    (router,) = routers(one).values()
    assert router["rule"] == rule
    assert router["entryPoints"] == ["websecure"]


def test_routes_use_headers_middleware_of_edge(tmp_path: Path) -> None:
    one = proxy(tmp_path / "hub.toml")

    write_route(one, "/")

    assert [router["middlewares"] for router in routers(one).values()] == [["hub-headers@file"]]
    routes = Path(__file__).parents[4] / "deployment" / "edge" / "routes.yml"
    assert "    hub-headers:\n" in routes.read_text()


@pytest.mark.parametrize("routespec", ["/user/a`) || PathPrefix(`/auth/", "/user/a%60%29%20%7C%7C%20Path%28%60/"])
def test_route_with_backtick_is_rejected(tmp_path: Path, routespec: str) -> None:
    one = proxy(tmp_path / "hub.toml")

    with pytest.raises(ValueError, match="backtick"):
        write_route(one, routespec)

    assert routers(one) == {}


def test_routes_survive_hub_restart(tmp_path: Path) -> None:
    write_route(proxy(tmp_path / "hub.toml"), "/user/alice/")

    again = proxy(tmp_path / "hub.toml")

    routes = asyncio.run(again.get_all_routes())
    assert routes["/user/alice/"]["target"] == "http://10.0.0.7:8888"
    assert routes["/user/alice/"]["data"] == {"user": "alice"}


def test_stored_routes_move_to_current_host(tmp_path: Path) -> None:
    write_route(proxy(tmp_path / "hub.toml", "https://old.example.org/"), "/user/alice/")

    again = proxy(tmp_path / "hub.toml", "https://new.example.org/")

    (router,) = routers(again).values()
    assert router["rule"].startswith("Host(`new.example.org`) && ")
    written = (tmp_path / "hub.toml").read_text()
    assert "new.example.org" in written, "the hub assumes that stored routes are in the file"
    assert "old.example.org" not in written


@pytest.mark.parametrize(
    ("lab_host", "routespec", "rule"),
    [
        ("*.labs.localhost", "/", "Host(`jupyter.localhost`) && (PathPrefix(`/`))"),
        (
            "*.labs.localhost",
            "u-ab--0f.labs.localhost/user/a%27b/",
            "Host(`u-ab--0f.labs.localhost`) && (( PathPrefix(`/user/a%27b/`) || Path(`/user/a%27b`) ))",
        ),
        (
            "labs.localhost",
            "labs.localhost/user/al/",
            "Host(`labs.localhost`) && (( PathPrefix(`/user/al/`) || Path(`/user/al`) ))",
        ),
    ],
)
def test_routes_of_labs_are_limited_to_lab_hosts(tmp_path: Path, lab_host: str, routespec: str, rule: str) -> None:
    one = proxy(tmp_path / "hub.toml", lab_host=lab_host)

    write_route(one, routespec)

    (router,) = routers(one).values()
    assert router["rule"] == rule


def test_labs_and_services_use_headers_of_their_host(tmp_path: Path) -> None:
    one = proxy(tmp_path / "hub.toml", lab_host="*.labs.localhost")

    write_route(one, "al.labs.localhost/user/al/")
    write_route(one, "jupyter.localhost/services/grader/")

    used = {router["rule"].partition(" ")[0]: router["middlewares"] for router in routers(one).values()}
    assert used == {
        "Host(`al.labs.localhost`)": ["lab-headers@file"],
        "Host(`jupyter.localhost`)": ["hub-headers@file"],
    }


@pytest.mark.parametrize(
    ("lab_host", "routespec"),
    [
        ("*.labs.localhost", "/user/al/"),
        ("*.labs.localhost", "labs.localhost/user/al/"),
        ("*.labs.localhost", "auth.localhost/user/al/"),
        ("labs.localhost", "al.labs.localhost/user/al/"),
        ("", "al.labs.localhost/user/al/"),
    ],
)
def test_route_on_another_host_is_rejected(tmp_path: Path, lab_host: str, routespec: str) -> None:
    one = proxy(tmp_path / "hub.toml", lab_host=lab_host)

    with pytest.raises(ValueError, match="on a host of LAB_HOST"):
        write_route(one, routespec)

    assert routers(one) == {}


def test_stored_routes_of_another_lab_host_are_dropped(tmp_path: Path) -> None:
    write_route(proxy(tmp_path / "hub.toml"), "/user/alice/")

    again = proxy(tmp_path / "hub.toml", lab_host="*.labs.localhost")

    assert routers(again) == {}
    assert "alice" not in (tmp_path / "hub.toml").read_text()
    assert asyncio.run(again.get_all_routes()) == {}
