"""The check before a start that the firewall of the labs' network is in place."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from traitlets.log import get_logger

from hub.network.state import STATE_FILE, find_fault
from hub.spawner.docker import Lab
from hub.web.errors import spawn_error
from passerelle_common.i18n import Message, gettext_noop

NOT_ISOLATED = gettext_noop(
    "The server cannot verify that labs are isolated from each other, so your lab cannot start. Tell the "
    "administrator, who can find the cause with `docker compose logs firewall`."
)


@dataclass(frozen=True)
class FirewallCheck:
    """Rejects starts while the rules of the labs' network are not verified."""

    mode: str
    hub_address: str
    file: Path = STATE_FILE
    attempts: int = 6  # one a second, because the firewall reads the address of a new hub every two seconds

    async def before_start(self, _lab: Lab) -> None:
        """Read the reports of the firewall; see `Lab.before_start`."""
        for _ in range(self.attempts):
            fault = find_fault(self.mode, self.hub_address, self.file)
            if not fault:
                return
            await asyncio.sleep(1)
        if fault:
            raise spawn_error(Message(NOT_ISOLATED, {}), reason="network", status_code=503, detail=fault)

    def wait_for_rules(self) -> None:
        """Wait at the hub's start until the rules name the hub, and log the fault if they do not.

        Until then, the firewall treats the hub as a lab, which may not reach a provider on a private network.
        """
        for _ in range(self.attempts):
            fault = find_fault(self.mode, self.hub_address, self.file)
            if not fault:
                return
            time.sleep(1)
        if fault:
            get_logger().warning(
                "Labs cannot start until their network is isolated: %s. `docker compose ps firewall` and `docker "
                "compose logs firewall` show the cause (docs/hub/network.md).",
                fault,
            )
