"""The hub of the compose deployment: `base_config.py`, and one container per user.

A lab is disposable and its home is not: the container is removed when it stops, so that a new image or a new limit
holds from the next start on, and the home is a volume of the user's own.
"""

import os
import sys
from pathlib import Path

from hub.engine import EngineError, check_engine
from hub.settings import Reader, SettingsError, read_hub, read_labs
from hub.sign_in import read_sign_in
from hub.site import read_site

c = get_config()  # type: ignore[name-defined]  # noqa: F821  # given by JupyterHub

reader = Reader(os.environ)
# So that the sentence below names all that is missing, not only the labs' part.
read_hub(reader)
read_sign_in(reader)
labs = read_labs(reader)
try:
    reader.check()
    check_engine()
except (SettingsError, EngineError) as fault:
    sys.exit(str(fault))

load_subconfig("base_config.py", path=str(Path(__file__).parent))  # type: ignore[name-defined]  # noqa: F821

c.JupyterHub.spawner_class = "docker"
c.DockerSpawner.image = labs.image
c.DockerSpawner.pull_policy = "never"  # compose built it; a start must not wait for a registry
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.remove = True
c.DockerSpawner.prefix = f"{labs.project}-lab"
c.DockerSpawner.volumes = {f"{labs.project}-home-{{username}}": "/home/jovyan"}
c.DockerSpawner.network_name = labs.network
c.DockerSpawner.mem_limit = labs.mem_limit
c.DockerSpawner.cpu_limit = labs.cpu_limit
c.DockerSpawner.extra_host_config = {
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "pids_limit": labs.pids_limit,
    "memswap_limit": labs.mem_limit,  # as much as the memory limit, that is: no swap on top
    "init": True,
    "log_config": {"type": "json-file", "config": {"max-size": "10m", "max-file": "2"}},
}
# A compose project of its own: `docker compose -p <project>-labs down` stops all labs, and no `--remove-orphans`
# of the deployment ever does. Compose sees only containers that carry all of these labels.
c.DockerSpawner.extra_create_kwargs = {
    "labels": {
        "com.docker.compose.project": f"{labs.project}-labs",
        "com.docker.compose.service": "lab",
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.container-number": "1",
        "com.docker.compose.config-hash": "made-by-the-hub",
    }
}

# ── What the site itself says, after everything else ─────────────────────────────────────────────────────────
try:
    read_site(Path(os.environ.get("HUB_CONF_DIR") or Path(__file__).with_name("conf.d")), c)
except SettingsError as fault:
    sys.exit(str(fault))
