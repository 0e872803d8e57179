"""JupyterHub's configuration for `make demo`: the deployment's own, with labs as processes instead of containers.

Labs run as the current user, without isolation from each other.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from jupyterhub.spawner import SimpleLocalProcessSpawner

from demo.parts import install_lab_extension
from demo.processes import end_with_parent
from hub.base_config import configure_hub
from hub.config.field_types import SettingsError
from hub.config.settings import HubSettings, load_settings
from hub.spawner.base import LifecycleMixin

c = get_config()  # type: ignore[name-defined]  # noqa: F821  # provided by JupyterHub
try:
    configure_hub(c, load_settings(os.environ, HubSettings))
except SettingsError as fault:
    sys.exit(str(fault))

homes = Path(os.environ["DEMO_HOMES_DIR"])
hub_pid = os.getpid()


class DemoSpawner(LifecycleMixin, SimpleLocalProcessSpawner):  # type: ignore[misc]  # JupyterHub carries no types
    """Spawner of labs that end with the hub, even if the hub is killed."""

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
c.Spawner.environment.update(install_lab_extension(homes.with_name("lab")))
c.JupyterHub.cleanup_servers = True
if os.geteuid() == 0:
    c.Spawner.args.append("--allow-root")
# A hub that is stopped during its start does not stop its services. A service without a command is only a token.
for service in c.JupyterHub.services:
    if "command" in service:
        service["command"] = [sys.executable, "-m", "demo.processes", *service["command"]]
