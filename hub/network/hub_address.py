"""The hub's address in the labs' network: the hub writes it at its start, and the firewall reads it.

The address is not fixed in compose.yml, because commands such as `docker compose run hub …` start a second container
with the same settings. The hub starts labs only when the firewall has read its current address, so no lab can have the
address of an earlier hub.
"""

import os
import socket
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

from hub.config.field_types import SettingsError
from hub.config.network_settings import NetworkSettings
from passerelle_common.atomic_write import atomic_write


def address_file(dynamic_file: str) -> Path:
    """Return the file of the address, beside the hub's routes; Traefik ignores its name."""
    return Path(f"{dynamic_file}.address")


def announce_address(settings: NetworkSettings, file: Path) -> str:
    """Write this container's address in the labs' network, and return it.

    Raises:
        SettingsError: This container is not in the labs' network.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unconnected:
        unconnected.connect((str(settings.gateway), 9))  # selects a route and sends nothing
        address = IPv4Address(unconnected.getsockname()[0])
    if address not in settings.subnet:
        raise SettingsError(
            f"the hub cannot start: it is not in the labs' network {settings.subnet}. Stop all labs, and run `docker "
            "compose down` and `docker compose up -d`, so that the network gets the addresses of LAB_SUBNET_PREFIX."
        )
    with atomic_write(file, mode=0o644) as stream:
        stream.write(str(address).encode())
    return str(address)


def read_address(settings: NetworkSettings, file: Path) -> IPv4Address | None:
    """Return the hub's address, or None if the hub has not written a valid one."""
    try:
        # A hub that was taken over may write a FIFO, which never ends, or an endless file.
        with open(file, "rb", buffering=0, opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as stream:
            address = IPv4Address((stream.read(16) or b"").decode("ascii"))
    except (OSError, UnicodeDecodeError, AddressValueError):
        return None
    return address if address in settings.subnet and address not in settings.fixed else None
