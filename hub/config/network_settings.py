"""Settings of the labs' network, shared by the hub and the firewall service."""

import re
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from hub.config.field_types import Settings

NetworkMode = Literal["isolated", "allowlist", "internet", "open"]
PROXY_PORT = 3128
PRIVATE_RANGES = tuple(
    IPv4Network(text) for text in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15")
)
"""Ranges in which the labs' subnet may be."""
# No server resolves names at the loopback address of a lab.
NO_RESOLVER = "127.0.0.1"
# A DNS name, or with "*." it and all names below it, and a port. A name that ends in a number would be an address.
_DESTINATION = re.compile(
    r"(?P<host>(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+(?!\d+(?::|$))[a-z0-9-]{1,63})(?::(?P<port>\d{1,5}))?"
)
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")


def _check_prefix(prefix: str) -> str:
    if not re.fullmatch(r"\d{1,3}\.\d{1,3}", prefix):
        raise ValueError("must be the first two numbers of a private subnet, such as 198.18")
    try:
        subnet = IPv4Network(f"{prefix}.0.0/16")
    except ValueError:
        raise ValueError("must be the first two numbers of a private subnet, such as 198.18") from None
    if not any(subnet.subnet_of(private) for private in PRIVATE_RANGES):
        raise ValueError(f"must begin a subnet in one of {', '.join(map(str, PRIVATE_RANGES))}")
    return prefix


def _split_destinations(text: str | tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    if not isinstance(text, str):
        return text
    found = set()
    for word in text.lower().split():
        match = _DESTINATION.fullmatch(word)
        port = int(match["port"] or 443) if match else 0
        if match is None or not 1 <= port <= 65535:
            raise ValueError(
                "must list host names, each with a port unless it is 443, separated by spaces, such as "
                "'packages.example.net *.example.org:8443'"
            )
        found.add((match["host"].removeprefix("*"), port))
    return tuple(sorted(found))


def _check_project(name: str) -> str:
    if not _PROJECT.fullmatch(name):
        raise ValueError("must consist of lower-case letters, digits, hyphens and underscores")
    return name


class NetworkSettings(Settings):
    """Addresses of the labs' network, and the destinations that labs may reach."""

    project: Annotated[str, AfterValidator(_check_project)] = Field(validation_alias="PROJECT_NAME")
    mode: NetworkMode = Field("internet", validation_alias="LAB_NETWORK")
    prefix: Annotated[str, AfterValidator(_check_prefix)] = Field("198.18", validation_alias="LAB_SUBNET_PREFIX")
    allowed: Annotated[tuple[tuple[str, int], ...], BeforeValidator(_split_destinations)] = Field(
        (), validation_alias="LAB_NETWORK_ALLOWED"
    )
    """Host and port of each destination of `allowlist`; a leading dot adds all names below the host."""
    http_port: int = Field(80, ge=1, le=65535, validation_alias="HTTP_PORT")
    https_port: int = Field(443, ge=1, le=65535, validation_alias="HTTPS_PORT")

    @property
    def subnet(self) -> IPv4Network:
        """Return the subnet of the network; compose.yml gives labs the upper half of its addresses."""
        return IPv4Network(f"{self.prefix}.0.0/16")

    @property
    def gateway(self) -> IPv4Address:
        """Return the host's address; this and the next addresses are fixed in compose.yml."""
        return self.subnet[1]

    @property
    def traefik(self) -> IPv4Address:
        """Return Traefik's address."""
        return self.subnet[3]

    @property
    def proxy(self) -> IPv4Address:
        """Return the address of the proxy for allow-listed destinations."""
        return self.subnet[4]

    @property
    def fixed(self) -> frozenset[IPv4Address]:
        """Return the addresses that neither the hub nor a lab can have."""
        return frozenset({self.gateway, self.traefik, self.proxy})

    @property
    def proxy_environment(self) -> dict[str, str]:
        """Return the environment variables that make programs in a lab use the proxy."""
        if self.mode != "allowlist":
            return {}
        proxy, direct = f"http://egress-proxy:{PROXY_PORT}", "hub,traefik,localhost,127.0.0.1"
        variables = {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": direct}
        return variables | {name.upper(): value for name, value in variables.items()}

    @property
    def resolvers(self) -> list[str] | None:
        """Return the name servers of labs for external names, or None for those of the server."""
        return [NO_RESOLVER] if self.mode in ("isolated", "allowlist") else None

    @model_validator(mode="after")
    def _check_allowed(self) -> Self:
        if self.mode == "allowlist" and not self.allowed:
            raise ValueError("LAB_NETWORK is 'allowlist' but LAB_NETWORK_ALLOWED lists no host")
        return self
