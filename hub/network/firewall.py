"""The service `firewall`: it applies the rules of the labs' network, and verifies them every two seconds.

It leaves the rules in place when it stops, because labs outlive `docker compose down`; `remove` deletes them.
"""

import fcntl
import logging
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

from hub.config.field_types import SettingsError
from hub.config.network_settings import NetworkSettings
from hub.config.settings import FirewallSettings, load_settings
from hub.network.hub_address import read_address
from hub.network.proxy import render_configuration
from hub.network.rules import Host, render_removal, render_rules, table_name
from hub.network.state import STATE_FILE, report
from passerelle_common.atomic_write import atomic_write

INTERVAL = 2  # seconds
PROXY_FILE = STATE_FILE.with_name("squid.conf")
NFT_TIMEOUT = 20  # seconds
_SIOCGIFADDR = 0x8915

log = logging.getLogger("firewall")


class FirewallError(Exception):
    """A fault that prevents the rules from being applied; the message says what to do."""


def find_host(settings: NetworkSettings, address_file: Path) -> Host:
    """Return the facts about the host.

    Raises:
        FirewallError: No bridge has the gateway's address.
    """
    gateway = settings.gateway
    bridges = frozenset(device.parent.name for device in Path("/sys/class/net").glob("*/bridge"))
    lab_bridge = next((name for name in bridges if _address(name) == gateway), None)
    if lab_bridge is None:
        raise FirewallError(
            f"no network of Docker has the gateway {gateway}: stop all labs, and run `docker compose down` and "
            "`docker compose up -d`, so that the labs' network gets the addresses of LAB_SUBNET_PREFIX"
        )
    hub = read_address(settings, address_file)
    return Host(lab_bridge, hub, bridges, read_resolvers(Path("/etc/resolv.conf").read_text()))


def read_resolvers(text: str) -> frozenset[IPv4Address]:
    """Return the IPv4 name servers of a resolv.conf, without those on a loopback address."""
    found = set()
    for line in text.splitlines():
        match line.split():
            case ["nameserver", address, *_]:
                try:
                    found.add(IPv4Address(address))
                except AddressValueError:
                    continue
    return frozenset(address for address in found if not address.is_loopback)


def _address(device: str) -> IPv4Address | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, _SIOCGIFADDR, struct.pack("256s", device.encode()[:15]))
        except OSError:  # the device has no address or was removed
            return None
    return IPv4Address(answer[20:24])


def nft(*arguments: str, commands: str = "") -> str:
    """Run nft and return its output.

    Raises:
        FirewallError: The kernel or nft rejects the commands.
    """
    try:
        done = subprocess.run(  # noqa: S603  constant commands
            ["nft", *arguments],  # noqa: S607  the image has one
            input=commands,
            capture_output=True,
            text=True,
            timeout=NFT_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FirewallError(f"cannot run nft: {error}") from None
    if done.returncode:
        raise FirewallError(f"nft ended with {done.returncode}: {' '.join(done.stderr.split())[:500]}")
    return done.stdout


class Firewall:
    """The rules in the kernel, compared with those that were applied."""

    def __init__(self, settings: NetworkSettings, address_file: Path) -> None:
        self.settings, self.address_file = settings, address_file
        self.hub = ""  # its address in the rules that were last applied
        self._wanted = ""
        self._listed: str | None = None

    def ensure(self) -> bool:
        """Verify the rules and apply them where they differ; return whether they had to be applied.

        Raises:
            FirewallError: The rules cannot be applied.
        """
        host = find_host(self.settings, self.address_file)
        wanted = render_rules(self.settings, host)
        if wanted == self._wanted and self._listed is not None and self._list() == self._listed:
            return False
        nft("--file", "-", commands=wanted)
        self._wanted, self._listed, self.hub = wanted, self._list(), str(host.hub or "")
        return True

    def _list(self) -> str:
        """Return the tables without counters, or an empty string if one is missing."""
        try:
            return "".join(
                nft("--stateless", "list", "table", family, table_name(self.settings)) for family in ("inet", "bridge")
            )
        except FirewallError:
            return ""


def run(settings: NetworkSettings, address_file: Path) -> None:
    """Apply and verify the rules until the service is stopped."""
    firewall, last = Firewall(settings, address_file), None
    while True:
        try:
            fault, applied = "", firewall.ensure()
        except FirewallError as error:
            fault, applied = str(error), False
        if applied:
            log.info("Rules of LAB_NETWORK=%s applied to %s", settings.mode, settings.subnet)
        if fault and fault != last:
            log.error("Labs cannot start, because their network is not isolated: %s (docs/hub/network.md)", fault)
        last = fault
        report(fault, settings.mode, firewall.hub)
        time.sleep(INTERVAL)


def main(arguments: list[str], environ: Mapping[str, str] = os.environ) -> None:
    """Run the service, or remove its rules."""
    logging.basicConfig(level=logging.INFO, format="[%(levelname)s %(asctime)s] %(message)s")
    try:
        settings = load_settings(environ, FirewallSettings).network
        if arguments == ["remove"]:
            nft("--file", "-", commands=render_removal(settings))
            return
        if settings.allowed:
            # The proxy waits for the first line, which compose.yml compares with its own environment.
            mark = f"# {environ.get('LAB_SUBNET_PREFIX', '')} {environ.get('LAB_NETWORK_ALLOWED', '')}\n"
            with atomic_write(PROXY_FILE, mode=0o644) as file:
                file.write((mark + render_configuration(settings)).encode())
        run(settings, Path(environ["HUB_ADDRESS_FILE"]))
    except (SettingsError, FirewallError) as fault:
        sys.exit(str(fault))


if __name__ == "__main__":
    main(sys.argv[1:])
