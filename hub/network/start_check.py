"""The check before a start that the firewall of the labs' network is in place."""

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
    file: Path = STATE_FILE

    def before_start(self, _lab: Lab) -> None:
        """Read the last report of the firewall; see `Lab.before_start`."""
        if fault := find_fault(self.mode, self.file):
            raise spawn_error(Message(NOT_ISOLATED, {}), reason="network", status_code=503, detail=fault)

    def log_fault(self) -> None:
        """Log at the hub's start why labs cannot start."""
        if fault := find_fault(self.mode, self.file):
            get_logger().warning(
                "Labs cannot start until their network is isolated: %s. `docker compose ps firewall` and `docker "
                "compose logs firewall` show the cause (docs/hub/network.md).",
                fault,
            )
