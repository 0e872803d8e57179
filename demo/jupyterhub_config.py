"""The hub of `make demo`: the deployment's own configuration, with labs as plain processes of whoever runs it.

No isolation between users, and none is needed: they are all you.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from jupyterhub.spawner import SimpleLocalProcessSpawner

from demo.processes import end_with_parent
from hub.base_config import configure_hub
from hub.config.field_types import SettingsError
from hub.config.settings import HubSettings, load_settings
from hub.spawner.base import LifecycleMixin

c = get_config()  # type: ignore[name-defined]  # noqa: F821  # given by JupyterHub
try:
    configure_hub(c, load_settings(os.environ, HubSettings))
except SettingsError as fault:
    sys.exit(str(fault))

homes = Path(os.environ["DEMO_HOMES_DIR"])
hub_pid = os.getpid()


class DemoSpawner(LifecycleMixin, SimpleLocalProcessSpawner):  # type: ignore[misc]  # JupyterHub carries no types
    """Labs that end with the hub, even if it is killed."""

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """Return a function that ties the lab to the hub's process."""
        enter_home = super().make_preexec_fn(name)

        def before_exec() -> None:
            end_with_parent(hub_pid)
            enter_home()

        return before_exec


c.JupyterHub.spawner_class = DemoSpawner
c.DemoSpawner.env_keep = ["PATH", "LANG", "LC_ALL", "TZ", "TMPDIR"]
c.DemoSpawner.home_dir_template = f"{homes}/{{username}}"
c.JupyterHub.cleanup_servers = True
if os.geteuid() == 0:
    c.Spawner.args.append("--allow-root")
# A hub that is told to stop while it still starts does not stop its services; one without a command is a token only.
for service in c.JupyterHub.services:
    if "command" in service:
        service["command"] = [sys.executable, "-m", "demo.processes", *service["command"]]
