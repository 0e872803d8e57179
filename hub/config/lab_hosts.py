"""Host names of the labs (LAB_HOST), so that user-controlled content does not share an origin with the hub.

- `labs.example.org`: one host for all labs. It separates them from the hub, but not from each other.
- `*.labs.example.org`: one host for each user, which also separates the labs of different users.
- Empty: labs are on the hub's host. A lab can then act at the hub for every user who opens a page of it.
"""

import hashlib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from jupyterhub import roles
from jupyterhub.scopes import scope_definitions
from oauthenticator import oauth2
from traitlets.log import get_logger

from passerelle_common.i18n import Message, gettext_noop

WILDCARD = "*."
HOST = re.compile(r"(?=.{1,189}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")
MAX_LABEL = 63  # characters (RFC 1035 §2.3.4)
STUB_LENGTH, DIGEST_LENGTH = 16, 32  # 128 bits in hexadecimal: two users cannot choose names with the same label
STATE_COOKIE_NAME = "__Host-oauthenticator-state"
ANY_ADDRESS = "0.0.0.0/0;::/0"
_PLAIN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
COST = gettext_noop(
    "LAB_HOST is empty, so labs share the hub's origin: a page in any user's lab can act at the hub and in other labs "
    "as the user who opens it. Administrators therefore cannot open the labs of other users. Set LAB_HOST in .env "
    "(docs/hub/origins.md)."
)
SHARED_COST = gettext_noop(
    "LAB_HOST is one host for all labs, so labs share an origin with each other: a page in one user's lab can act in "
    "the lab of a user who opens it. A wildcard separates them, such as LAB_HOST=*.%(host)s (docs/hub/origins.md)."
)


def user_label(name: str) -> str:
    """Return the DNS label of a user, different for each name.

    A name that is a DNS label without `--` is its own label. Any other name becomes `u-<letters and digits>--<digest>`,
    which contains `--` and so equals no plain name. The label depends on the name only, so it never changes.
    """
    if len(name) <= MAX_LABEL and _PLAIN.fullmatch(name):
        return name
    stub = re.sub(r"[^a-z0-9]", "", name.lower())[:STUB_LENGTH] or "x"
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:DIGEST_LENGTH]
    return f"u-{stub}--{digest}"


def check_lab_host(host: str, hub_host: str) -> str:
    """Return LAB_HOST in lower case.

    Raises:
        ValueError: It is no host name, or a lab could use or set cookies of the hub's host.
    """
    host = host.lower()
    base = host.removeprefix(WILDCARD)
    if not HOST.fullmatch(base):
        raise ValueError("must be a host name such as labs.example.org, or *.labs.example.org for one host per user")
    if f".{base}".endswith(f".{hub_host}") or f".{hub_host}".endswith(f".{base}"):
        raise ValueError(
            f"must not be the hub's host {hub_host}, a name below it, or a domain above it, because labs could set "
            "cookies for the hub"
        )
    return host


@dataclass(frozen=True)
class LabHosts:
    """The hosts of the labs."""

    lab_host: str  # LAB_HOST; empty for the hub's own host
    hub_url: str

    @property
    def is_per_user(self) -> bool:
        """Return whether each user has a host."""
        return self.lab_host.startswith(WILDCARD)

    @property
    def base(self) -> str:
        """Return the host of all labs, or the domain of the users' hosts."""
        return self.lab_host.removeprefix(WILDCARD)

    @property
    def base_url(self) -> str:
        """Return the URL of `base`, with the port of the hub."""
        parts = urlsplit(self.hub_url)
        return f"{parts.scheme}://{self.base}{f':{parts.port}' if parts.port else ''}"

    @property
    def subdomain_hook(self) -> Callable[[str, str, str], str]:
        """Return the function that JupyterHub calls with a name, a domain and a kind.

        Services stay on the hub's host, because they are the administrator's code.
        """
        hub_host = urlsplit(self.hub_url).hostname or ""

        def host_of(name: str, _domain: str, kind: str) -> str:
            if kind == "service":
                return hub_host
            return f"{user_label(name)}.{self.base}" if self.is_per_user else self.base

        return host_of

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of labs.

        A lab on another host does not receive the session id of the hub's domain. Its XSRF token then contains the
        client's address instead, and a change of it would make requests of an open notebook fail.
        """
        one_host = {} if self.is_per_user else {"JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": "0"}
        return {"JUPYTERHUB_XSRF_ANONYMOUS_IP_CIDRS": ANY_ADDRESS} | one_host

    def owns(self, host: str) -> bool:
        """Return whether labs are on this host."""
        return host.partition(".")[2] == self.base if self.is_per_user else bool(host) and host == self.base

    @property
    def warning(self) -> Message | None:
        """Return what the layout costs; None if each user has a host."""
        if self.is_per_user:
            return None
        return Message(SHARED_COST, {"host": self.lab_host}) if self.lab_host else Message(COST)


def configure_lab_hosts(c: Any, hosts: LabHosts) -> None:
    """Configure the hosts of hub and labs, their cookies, and the administrators' scopes."""
    if hosts.warning:
        get_logger().warning(str(hosts.warning))
    if not hosts.lab_host:
        _deny_administrators_other_labs()
        return
    c.JupyterHub.subdomain_host = hosts.base_url
    c.JupyterHub.subdomain_hook = hosts.subdomain_hook
    c.EdgeProxy.lab_hosts = hosts
    # A page of a lab can set cookies for the parent domain, but none with the prefix `__Host-`. Such cookies have the
    # path `/`, so on a host of several labs each lab would receive the cookies of all.
    c.JupyterHub.cookie_host_prefix_enabled = True
    # Otherwise a lab could begin a sign-in as its own user in the browser of another. There is no option for the name.
    oauth2.STATE_COOKIE_NAME = STATE_COOKIE_NAME
    c.LifecycleMixin.host_environment = hosts.environment


def _deny_administrators_other_labs() -> None:
    """Remove `access:servers` from the role `admin`; JupyterHub rejects an override of it in `load_roles`.

    `shares` contains that scope, and could grant it to any user, so only its other parts are left.
    """
    original = inspect.unwrap(roles.get_default_roles)  # some JupyterHub commands load the configuration twice

    @wraps(original)
    def restricted() -> list[dict[str, Any]]:
        defaults: list[dict[str, Any]] = original()
        for role in defaults:
            if role["name"] == "admin":
                parts = {*role["scopes"], *scope_definitions["shares"]["subscopes"]}
                role["scopes"] = sorted(parts - {"access:servers", "shares"})
        return defaults

    roles.get_default_roles = restricted
