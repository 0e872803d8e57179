"""Before a start: whether the home is within its limit; if not, the start is refused or becomes a small one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

from jupyterhub.spawner import SpawnException

from hub.config.hub_toml import HubToml
from hub.config.settings import Reader
from hub.spawner.docker import Lab
from hub.storage.quota import (
    TIDY_CPU,
    TIDY_MEMORY,
    TIDY_SECONDS,
    Ledger,
    Start,
    decide,
    ledger_in,
    limit_of,
    read_quota,
    sentence,
)
from hub.storage.volumes import ToolError, Volumes, read_tool_image
from hub.web.spawn_errors import WayOut

TIDY_ARGUMENT = "opt-tidy-up"
# A refusal counts once more, because the home may have been tidied by others; this is how long that may take.
MEASURED_AGAIN_WITHIN = 15  # seconds


class OverQuota(SpawnException):  # type: ignore[misc]  # the package carries no types
    """A refusal that leads to the way out."""

    def __init__(self, told: str, way_out: str) -> None:
        super().__init__(told, reason="home_over_quota", status_code=403)
        self.way_out = WayOut("Start to tidy up", way_out)


class QuotaStep:
    """Refuses a start over the limit, or makes it the small one that was asked for."""

    def __init__(self, ledger: Ledger, volumes: Volumes, declared: HubToml, for_everybody: str) -> None:
        self._ledger = ledger
        self._volumes = volumes
        self._declared = declared
        self._for_everybody = for_everybody

    async def before_start(self, lab: Lab) -> None:
        limit = limit_of({group.name for group in lab.user.groups}, self._declared, self._for_everybody)
        if limit is None:
            return
        lab.environment = {**lab.environment, "PASSERELLE_HOME_QUOTA": str(limit)}
        home = f"{self._volumes.project}-home-{lab.escaped_name}"
        used = await self._used(home, limit, lab)
        start = decide(used, limit, wants_to_tidy=wants_to_tidy(lab))
        if start is Start.REFUSED:
            told = sentence(used, limit)
            server = f"{quote(lab.user.name, safe='@')}/{lab.name}".rstrip("/")
            raise OverQuota(told, f"{lab.hub.base_url}spawn/{server}?{TIDY_ARGUMENT}=yes")
        if start is Start.TIDY:
            make_small(lab)

    async def _used(self, home: str, limit: int, lab: Lab) -> int:
        known = self._ledger.read(home)
        if known is None or known.used <= limit:
            return known.used if known else 0
        try:
            size = await asyncio.to_thread(self._volumes.size, home, MEASURED_AGAIN_WITHIN)
        except ToolError as fault:
            lab.log.warning("The size of %s is the one of last time: %s", home, fault)
            return known.used
        return self._ledger.note(home, size, lab_running=False).used


def wants_to_tidy(lab: Lab) -> bool:
    """Whether the person followed the refusal's link.

    Asked of the request, not of the options of the start: those are kept, and would make the next start a small one.
    """
    return lab.handler is not None and lab.handler.get_query_argument(TIDY_ARGUMENT, "") == "yes"


def make_small(lab: Lab) -> None:
    """Enough to delete and download files, and not for long. The lab ends itself, whoever is or is not watching."""
    lab.mem_limit = TIDY_MEMORY
    lab.cpu_limit = min(lab.cpu_limit or TIDY_CPU, TIDY_CPU)
    lab.extra_host_config = {**lab.extra_host_config, "memswap_limit": TIDY_MEMORY}
    lab.cmd = ["timeout", "--signal=TERM", "--kill-after=10", str(TIDY_SECONDS), *lab.cmd]
    # A trash is part of the home: what is thrown away there frees nothing.
    lab.args = [*lab.args, "--FileContentsManager.delete_to_trash=False"]
    lab.environment = {**lab.environment, "PASSERELLE_TIDY_SECONDS": str(TIDY_SECONDS)}


def read_quota_step(read: Reader, declared: HubToml) -> QuotaStep:
    """By .env and hub.toml."""
    project, data_dir = read.text("PROJECT_NAME"), Path(read.text("HUB_DATA_DIR"))
    return QuotaStep(ledger_in(data_dir), Volumes(project, read_tool_image(read)), declared, read_quota(read))
