"""Hosts of the labs: each user's DNS label is valid, unique and stable, and no lab is near the hub's host."""

import inspect
import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyterhub import _xsrf_utils, roles
from jupyterhub.scopes import expand_scopes
from oauthenticator import oauth2
from traitlets.config import Config

from hub.auth.usernames import USERNAME_PATTERN
from hub.config.field_types import SettingsError
from hub.config.lab_hosts import LabHosts, configure_lab_hosts, user_label
from hub.config.settings import ServerSettings, load_settings
from hub.config.settings import Settings as SettingsModel

HUB_URL = "https://jupyter.example.org:8443"
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
ALLOWED_NAMES = st.from_regex(re.compile(USERNAME_PATTERN), fullmatch=True)
PER_USER, SHARED = LabHosts("*.labs.example.org", HUB_URL), LabHosts("labs.example.org", HUB_URL)


class Group(SettingsModel):
    """The settings under test."""

    server: ServerSettings


def lab_host(value: str, public_url: str = HUB_URL) -> str:
    environ = {
        "HUB_PUBLIC_URL": public_url,
        "HUB_API_CONNECT_URL": "http://hub:8081",
        "HUB_DATA_DIR": "/data",
        "LAB_HOST": value,
    }
    return load_settings(environ, Group).server.lab_hosts.lab_host


# ── Labels ───────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.one_of(ALLOWED_NAMES, st.text(min_size=1, max_size=300)))
def test_label_is_valid_in_dns(name: str) -> None:
    label = user_label(name)
    assert LABEL.fullmatch(label)
    assert label[2:4] != "--"  # reserved for IDNA (RFC 5891 §4.2.3.1)


@given(st.one_of(ALLOWED_NAMES, st.text(max_size=80)))
def test_label_of_label_differs_unless_plain(name: str) -> None:
    """A user who takes the label of another as a name gets another label."""
    label = user_label(name)
    assert label == name or user_label(label) != label


@given(ALLOWED_NAMES, st.sampled_from(".-_@+'"), st.sampled_from(".-_@+'"))
def test_names_with_different_signs_have_different_labels(name: str, one: str, other: str) -> None:
    assert one == other or user_label(f"{name}{one}x") != user_label(f"{name}{other}x")


@pytest.mark.parametrize(
    ("name", "other"),
    [("bob", "Bob"), ("a-b", "a--b"), ("a.b", "a-b"), ("a@b", "a.b"), ("x" * 64, "x" * 65), ("jürgen", "ju\u0308rgen")],
)
def test_similar_names_have_different_labels(name: str, other: str) -> None:
    assert user_label(name) != user_label(other)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("bob", "bob"),
        ("student-01", "student-01"),
        ("42", "42"),
        ("jean.dupont", "u-jeandupont--c6314bcbcd4a397193ee14865fe64066"),
        ("xn--bcher-kva", "u-xnbcherkva--f118d5c2c32c2aab723269e7c5bf58e1"),
    ],
)
def test_label_never_changes(name: str, label: str) -> None:
    """A changed label moves users to another host, where their browsers lose settings and sessions."""
    assert user_label(name) == label


# ── Hosts ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_wildcard_gives_each_user_a_host() -> None:
    assert PER_USER.subdomain_hook("bob", "jupyter.example.org", "user") == "bob.labs.example.org"


def test_one_host_serves_all_users() -> None:
    assert SHARED.subdomain_hook("bob", "jupyter.example.org", "user") == "labs.example.org"


@pytest.mark.parametrize("hosts", [PER_USER, SHARED])
def test_services_stay_on_hub_host(hosts: LabHosts) -> None:
    assert hosts.subdomain_hook("grader", "labs.example.org", "service") == "jupyter.example.org"


@pytest.mark.parametrize(
    ("hosts", "host", "owned"),
    [
        (PER_USER, "bob.labs.example.org", True),
        (PER_USER, "labs.example.org", False),
        (PER_USER, "a.bob.labs.example.org", False),
        (SHARED, "labs.example.org", True),
        (SHARED, "bob.labs.example.org", False),
        (LabHosts("", HUB_URL), "", False),
    ],
)
def test_owned_hosts_are_those_of_labs(hosts: LabHosts, host: str, owned: bool) -> None:
    assert hosts.owns(host) is owned


@pytest.mark.parametrize("value", ["labs.example.org", "*.labs.example.org", "*.Labs.Example.org"])
def test_separate_lab_host_is_accepted(value: str) -> None:
    assert lab_host(value) == value.lower()


@pytest.mark.parametrize(
    "value", ["labs", "*.org:8443", "https://labs.example.org", "*.*.example.org", "a b.org", "*."]
)
def test_lab_host_that_is_no_name_is_rejected(value: str) -> None:
    with pytest.raises(SettingsError, match=r"LAB_HOST is .* but must be a host name"):
        lab_host(value)


@pytest.mark.parametrize(
    "value",
    ["jupyter.example.org", "*.jupyter.example.org", "labs.jupyter.example.org", "*.example.org", "example.org"],
)
def test_lab_host_near_hub_is_rejected(value: str) -> None:
    with pytest.raises(SettingsError, match="because labs could set cookies for the hub"):
        lab_host(value)


# ── JupyterHub's configuration ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture(autouse=True)
def defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with the defaults of both packages and restore them."""
    monkeypatch.setattr(roles, "get_default_roles", inspect.unwrap(roles.get_default_roles))
    monkeypatch.setattr(oauth2, "STATE_COOKIE_NAME", "oauthenticator-state")


def configured(hosts: LabHosts) -> Config:
    c = Config()
    configure_lab_hosts(c, hosts)
    return c


def test_lab_urls_have_port_of_hub() -> None:
    assert configured(PER_USER).JupyterHub.subdomain_host == "https://labs.example.org:8443"


@pytest.mark.parametrize(("hosts", "by_path"), [(PER_USER, False), (SHARED, True)])
def test_only_labs_with_own_hosts_prefix_their_cookies(hosts: LabHosts, by_path: bool) -> None:
    c = configured(hosts)
    assert c.JupyterHub.cookie_host_prefix_enabled is True
    assert (c.LifecycleMixin.host_environment.get("JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED") == "0") is by_path


def xsrf_id(address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the part of a lab's XSRF token that depends on the client, as JupyterHub computes it in the lab."""
    cidrs = PER_USER.environment["JUPYTERHUB_XSRF_ANONYMOUS_IP_CIDRS"]
    monkeypatch.setenv("JUPYTERHUB_XSRF_ANONYMOUS_IP_CIDRS", cidrs)
    monkeypatch.setattr(_xsrf_utils, "_anonymous_ip_cidrs", _xsrf_utils._get_anonymous_ip_cidrs())
    request = SimpleNamespace(remote_ip=address, headers={"User-Agent": "x"})
    return str(_xsrf_utils._anonymous_xsrf_id(SimpleNamespace(request=request)))


def test_open_notebook_survives_change_of_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert xsrf_id("192.0.2.1", monkeypatch) == xsrf_id("198.51.100.7", monkeypatch)


def test_lab_cannot_set_state_cookie_of_sign_in() -> None:
    configured(PER_USER)
    assert oauth2.STATE_COOKIE_NAME.startswith("__Host-")


def admin_scopes() -> frozenset[str]:
    """Return the scopes of administrators, and those that they contain."""
    (admin,) = (role for role in roles.get_default_roles() if role["name"] == "admin")
    return frozenset(expand_scopes(set(admin["scopes"])))


def test_administrators_cannot_open_labs_on_hub_host() -> None:
    before = admin_scopes()
    for _ in range(2):  # some JupyterHub commands load the configuration twice
        configured(LabHosts("", HUB_URL))
    assert before - admin_scopes() == {"access:servers", "shares"}  # `shares` contains the other


def test_administrators_open_labs_on_own_hosts() -> None:
    configured(PER_USER)
    assert "access:servers" in admin_scopes()


@pytest.mark.parametrize(("hosts", "warned"), [(PER_USER, False), (SHARED, True), (LabHosts("", HUB_URL), True)])
def test_shared_origin_is_logged(hosts: LabHosts, warned: bool, caplog: pytest.LogCaptureFixture) -> None:
    configured(hosts)
    assert ("share" in caplog.text) is warned
