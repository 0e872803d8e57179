"""The hub of the compose deployment: `base_config.py`, and one container per user.

A lab is disposable and its home is not: the container is removed when it stops, so that a new image or a new limit
holds from the next start on, and the home is a volume of the user's own.
"""

import os
import sys
from pathlib import Path

from traitlets.log import get_logger

from hub.auth.settings import read_sign_in
from hub.config.conf_d import read_site
from hub.config.hub_toml import read_declared
from hub.config.lifecycle import read_lifecycle
from hub.config.networks import read_lab_network
from hub.config.restore_marker import restore_in_progress
from hub.config.settings import Reader, SettingsError, read_hub, read_labs
from hub.culler.policy import Lifetimes, Limits
from hub.spawner.docker import ENGINE_ANSWERS_WITHIN, Lab
from hub.spawner.docker_checks import EngineError, check_engine, counts_work, has_image
from hub.spawner.profiles import ImageChoice, missing_images, options_from_form, without_activity_tracking
from hub.spawner.resource_limits import limit_by_group
from hub.storage.quota_hook import read_quota_hook
from hub.storage.shared_folders import LINK_COMMAND, read_shared_folders
from hub.storage.volume_service import volume_service

c = get_config()  # type: ignore[name-defined]  # noqa: F821  # given by JupyterHub

reader = Reader(os.environ)
hub = read_hub(reader)  # so that the sentence below names all that is missing, not only the labs' part
life = read_lifecycle(reader)
read_sign_in(reader)
labs = read_labs(reader)
lab_network = read_lab_network(reader)
try:
    declared = read_declared(hub.config_file)
    shared_folders = read_shared_folders(reader, declared)
    quota = read_quota_hook(reader, declared)
    reader.check()
    check_engine()
except (SettingsError, EngineError) as fault:
    sys.exit(str(fault))

if interrupted := restore_in_progress(hub.data_dir):
    sys.exit(interrupted)

load_subconfig("base_config.py", path=str(Path(__file__).parent))  # type: ignore[name-defined]  # noqa: F821

c.JupyterHub.spawner_class = Lab
c.DockerSpawner.client_kwargs = {"timeout": ENGINE_ANSWERS_WITHIN}
# What happens before each start, in this order; deployment/conf.d may append further ones.
images = ImageChoice(declared, labs.image)
c.Lab.before_start = [images.before_start, limit_by_group(declared)]
c.Lab.options_form = images.form
c.Lab.options_from_form = options_from_form
c.Lab.apply_user_options = lambda _lab, _options: None  # `images.before_start` does, without a traceback in the log
c.Lab.allowed_images = images.allowed_images
declared_images = sorted({one.image for one in declared.images if one.image})
for image in without_activity_tracking(
    declared_images, counts_work, Lifetimes(Limits(life.idle_timeout, life.max_age), declared)
):
    get_logger().warning(
        f"the image {image} of hub.toml does not tell the hub of kernels that compute without printing, so labs from "
        "it are stopped as idle meanwhile: build it with lab/Dockerfile, or give its groups a longer idle_timeout "
        "(docs/hub/labs.md)"
    )
for image in missing_images(declared_images, has_image):
    get_logger().warning(f"the image {image} of hub.toml is not on this server, so no lab starts from it: pull it")
c.DockerSpawner.image = labs.image
c.DockerSpawner.pull_policy = "never"  # compose built it; a start must not wait for a registry
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.remove = True
c.DockerSpawner.prefix = f"{labs.project}-lab"
c.DockerSpawner.volumes = {f"{labs.project}-home-{{username}}": "/home/jovyan"}
c.DockerSpawner.network_name = lab_network
c.Lab.before_start += [shared_folders.before_start, quota.before_start]
c.DockerSpawner.post_start_cmd = LINK_COMMAND
c.JupyterHub.services.append(volume_service(os.environ))
c.DockerSpawner.mem_limit = labs.mem_limit
c.DockerSpawner.cpu_limit = labs.cpu_limit
c.DockerSpawner.extra_host_config = {
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "pids_limit": labs.pids_limit,
    # A sixteenth of what hub, bridge and Traefik weigh when all want the processors: a class at work must not keep the
    # next one from signing in. Nothing is lost while there is room.
    "cpu_shares": 64,
    "memswap_limit": labs.mem_limit,  # as much as the memory limit, that is: no swap on top
    "init": True,
    "auto_remove": False,  # the hub removes it, and asks a lab that ended by itself first how it ended
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
