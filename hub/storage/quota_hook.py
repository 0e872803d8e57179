"""The quota check before a start: a home over its limit blocks the start, or gets a lab in cleanup mode."""

import asyncio
from dataclasses import dataclass
from urllib.parse import quote

from jupyterhub.spawner import SpawnException

from hub.config.hub_toml import HubToml
from hub.config.settings import StorageSettings
from hub.spawner.docker import Lab
from hub.storage.quota import CLEANUP_CPU, CLEANUP_MEMORY, CLEANUP_SECONDS, Ledger, limit_of, over_limit_message
from hub.storage.volumes import ToolError, Volumes
from hub.web.errors import spawn_error
from passerelle_common.i18n import Message

CLEANUP_ARGUMENT = "opt-cleanup"
# Before a rejection the home is measured again, because files may have been deleted since.
MEASUREMENT_TIMEOUT = 15  # seconds


@dataclass(frozen=True)
class QuotaHook:
    """Rejects a start whose home is over its limit or cannot be measured, unless the user requested cleanup mode."""

    ledger: Ledger
    volumes: Volumes
    declared: HubToml
    default_limit: str

    async def before_start(self, lab: Lab) -> None:
        """Check the home; see `Lab.before_start`."""
        limit = limit_of({group.name for group in lab.user.groups}, self.declared, self.default_limit)
        if limit is None:
            return
        lab.environment = {**lab.environment, "PASSERELLE_HOME_QUOTA": str(limit)}
        home = f"{self.volumes.project}-home-{lab.escaped_name}"
        used = await self._used(home, limit, lab)
        if used is not None and used <= limit:
            return
        # An argument of the request, because JupyterHub stores a start's options for the next one.
        if lab.handler is None or lab.handler.get_query_argument(CLEANUP_ARGUMENT, "") != "yes":
            server = f"{quote(lab.user.name, safe='@')}/{lab.name}".rstrip("/")
            cleanup_url = f"{lab.hub.base_url}spawn/{server}?{CLEANUP_ARGUMENT}=yes"
            raise quota_error(over_limit_message(used, limit), cleanup_url)
        _apply_cleanup_mode(lab)

    async def _used(self, home: str, limit: int, lab: Lab) -> int | None:
        """Return the bytes of a home; 0 before the first measurement, None if measurements fail."""
        known = self.ledger.read(home)
        if known is None:
            return 0
        if known.complete and known.used is not None and known.used <= limit:
            return known.used
        try:
            size = await asyncio.to_thread(self.volumes.size, home, MEASUREMENT_TIMEOUT)
        except ToolError as error:
            lab.log.warning("Cannot measure %s before a start: %s", home, error)
            return known.used if known.complete else None
        return self.ledger.record(home, size, lab_running=False).used


def quota_error(message: Message, cleanup_url: str) -> SpawnException:
    """Return the error of a rejected start; its page offers the address of a start in cleanup mode."""
    error = spawn_error(message, reason="home_over_quota", status_code=403)
    error.cleanup_url = cleanup_url
    return error


def _apply_cleanup_mode(lab: Lab) -> None:
    """Limit the lab's memory, processor time and duration; the lab ends by itself."""
    lab.mem_limit = CLEANUP_MEMORY
    lab.cpu_limit = min(lab.cpu_limit or CLEANUP_CPU, CLEANUP_CPU)
    lab.extra_host_config = {**lab.extra_host_config, "memswap_limit": CLEANUP_MEMORY}
    lab.cmd = ["timeout", "--signal=TERM", "--kill-after=10", str(CLEANUP_SECONDS), *lab.cmd]
    # The trash is part of the home, so files in it still count.
    lab.args = [*lab.args, "--FileContentsManager.delete_to_trash=False"]
    lab.environment = {**lab.environment, "PASSERELLE_CLEANUP_SECONDS": str(CLEANUP_SECONDS)}


def build_quota_hook(storage: StorageSettings, hub_toml: HubToml) -> QuotaHook:
    """Build the check from the settings."""
    volumes = Volumes(storage.project, storage.tool_image)
    return QuotaHook(Ledger(storage.data_dir), volumes, hub_toml, storage.home_quota or "")
