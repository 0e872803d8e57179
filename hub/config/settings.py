"""The hub's settings: the only reader of its environment and of its secret files."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

EVERYONE = "*"
SIZE = re.compile(r"\d+(?:\.\d+)?[KMGT]", re.I)


class SettingsError(Exception):
    """What keeps the hub from starting: one sentence that names every fault and where to mend it."""


@dataclass(frozen=True)
class HubSettings:
    """Who may come in and where the hub's neighbours are."""

    public_url: str
    auth_public_url: str
    auth_internal_url: str
    oauth_client_id: str
    oauth_client_secret: str
    admin_groups: frozenset[str]
    allowed_groups: frozenset[str]
    everyone_is_allowed: bool
    bind_url: str
    api_connect_url: str
    data_dir: Path
    traefik_dynamic_file: str
    traefik_api_url: str
    traefik_api_user: str
    traefik_api_password: str
    config_file: Path | None
    named_servers: int
    metrics_token: str


@dataclass(frozen=True)
class LabSettings:
    """What a lab's container is made from and what it may take."""

    project: str
    image: str
    network: str
    mem_limit: str
    cpu_limit: float
    pids_limit: int


class Reader:
    """Reads names out of an environment and remembers every fault, so that all of them are told at once.

    An empty value counts as unset: that is what compose makes of a variable that .env does not have.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._missing: list[str] = []
        self._wrong: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        """A value as it stands; without a default it is required."""
        value = self._environ.get(name, "").strip() or default
        if value is None:
            self._missing.append(name)
            return ""
        return value

    def url(self, name: str, default: str | None = None) -> str:
        """A base address, without a slash at its end."""
        value = self.text(name, default).rstrip("/")
        parts = urlsplit(value)
        if value and not (parts.scheme in ("http", "https") and parts.hostname):
            self._wrong.append(f"{name} is no http or https address")
        return value

    def path(self, name: str) -> Path | None:
        """A file that need not be named."""
        value = self.text(name, "")
        return Path(value) if value else None

    def secret(self, name: str) -> str:
        """The content of the file that the variable names; the file, not the value, may be told."""
        path = self.text(name)
        try:
            secret = Path(path).read_text(encoding="utf-8").strip() if path else ""
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            self._wrong.append(f"{name} names {path}, which cannot be read ({reason})")
            return ""
        if path and not secret:
            self._wrong.append(f"{name} names {path}, which is empty")
        return secret

    def number(self, name: str, default: str, *, least: float) -> float:
        """A number not below what makes sense."""
        value = self.text(name, default)
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not number >= least:  # also true for "nan"
            self._wrong.append(f"{name} is {value!r} but must be a number from {least:g} up")
            return least
        return number

    def size(self, name: str, default: str) -> str:
        """An amount of memory or disk, with its unit in upper case; empty if that is the default."""
        value = self.text(name, default)
        if value and not SIZE.fullmatch(value):
            self.refuse(f"{name} is {value!r} but must be a number and K, M, G or T, such as 10G")
            return default
        return value.upper()

    def choice(self, name: str, default: str, allowed: Collection[str]) -> str:
        """One of a few words."""
        value = self.text(name, default)
        if value not in allowed:
            self.refuse(f"{name} is {value!r} but must be one of: {', '.join(allowed)}")
            return default
        return value

    def refuse(self, fault: str) -> None:
        """Remember a fault that a caller found in a value."""
        self._wrong.append(fault)

    def groups(self, name: str) -> frozenset[str]:
        """Group names separated by ";": the names of LDAP groups hold commas."""
        return frozenset(group.strip() for group in self.text(name, "").split(";") if group.strip())

    def check(self) -> None:
        """Raise one sentence if anything was missing or wrong."""
        faults = ([f"not set: {', '.join(dict.fromkeys(self._missing))}"] if self._missing else []) + self._wrong
        if faults:
            raise SettingsError(
                f"the hub cannot start, its environment is wrong: {'; '.join(faults)} "
                "(see .env and the service `hub` in compose.yml)."
            )


def read_hub(read: Reader) -> HubSettings:
    """The settings that every hub needs, wherever its labs run."""
    allowed = read.groups("AUTH_ALLOWED_GROUPS")
    return HubSettings(
        public_url=read.url("HUB_PUBLIC_URL"),
        auth_public_url=read.url("AUTH_PUBLIC_URL"),
        auth_internal_url=read.url("AUTH_INTERNAL_URL"),
        oauth_client_id=read.text("OAUTH_CLIENT_ID"),
        oauth_client_secret=read.secret("OAUTH_CLIENT_SECRET_FILE"),
        admin_groups=read.groups("AUTH_ADMIN_GROUPS"),
        allowed_groups=allowed - {EVERYONE},
        everyone_is_allowed=EVERYONE in allowed,
        bind_url=read.url("HUB_BIND_URL", "http://0.0.0.0:8081"),
        api_connect_url=read.url("HUB_API_CONNECT_URL"),
        data_dir=Path(read.text("HUB_DATA_DIR")),
        traefik_dynamic_file=read.text("TRAEFIK_DYNAMIC_FILE"),
        traefik_api_url=read.url("TRAEFIK_API_URL"),
        traefik_api_user=read.text("TRAEFIK_API_USER", "hub"),
        traefik_api_password=read.secret("TRAEFIK_API_PASSWORD_FILE"),
        config_file=read.path("HUB_CONFIG_FILE"),
        named_servers=int(read.number("HUB_NAMED_SERVER_LIMIT", "0", least=0)),
        metrics_token=read.secret("METRICS_TOKEN_FILE") if read.text("METRICS_TOKEN_FILE", "") else "",
    )


def read_labs(read: Reader) -> LabSettings:
    """The settings of labs in containers."""
    return LabSettings(
        project=read.text("PROJECT_NAME"),
        image=read.text("LAB_IMAGE"),
        network=read.text("LAB_NETWORK"),
        mem_limit=read.size("LAB_MEM_LIMIT", "2G"),
        cpu_limit=read.number("LAB_CPU_LIMIT", "1.0", least=0.01),
        pids_limit=int(read.number("LAB_PIDS_LIMIT", "512", least=32)),
    )
