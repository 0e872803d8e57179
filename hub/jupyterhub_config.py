"""JupyterHub's configuration of the compose deployment: `base_config.py`, and one container for each lab.

A lab container is removed when it stops, so the next start uses the current image and limits. The home is a volume.
"""

import os
import sys
from pathlib import Path

from jupyterhub.app import JupyterHub
from traitlets.log import get_logger

from hub.base_config import configure_hub, load_conf_d
from hub.config.field_types import SettingsError, parse_size
from hub.config.settings import DeploymentSettings, load_settings
from hub.guard.rules import lab_labels
from hub.network.hub_address import address_file, announce_address
from hub.network.start_check import FirewallCheck
from hub.spawner.docker import ENGINE_TIMEOUT, Lab, check_engine
from hub.spawner.profiles import ImageChoice, image_warnings, limit_by_group, options_from_form
from hub.storage.quota_hook import build_quota_hook
from hub.storage.restore_hook import RestoreHook
from hub.storage.shared_folders import LINK_SCRIPT, build_shared_folders
from hub.storage.volume_service import volume_service

c = get_config()  # type: ignore[name-defined]  # noqa: F821  # provided by JupyterHub

try:
    settings = load_settings(os.environ, DeploymentSettings)
    check_engine()
    # Commands such as `jupyterhub token` read this file as well, in containers of their own.
    is_server = JupyterHub.initialized()
    announced = address_file(settings.traefik.dynamic_file)
    firewall = FirewallCheck(settings.network.mode, announce_address(settings.network, announced) if is_server else "")
    if is_server:
        firewall.wait_for_rules()
    configure_hub(c, settings)
except SettingsError as fault:
    sys.exit(str(fault))

lab, hub_toml = settings.lab, settings.config_file.content
c.JupyterHub.spawner_class = Lab
c.DockerSpawner.client_kwargs = {"timeout": ENGINE_TIMEOUT}
# Hooks before each start, in this order; deployment/conf.d may append more.
images = ImageChoice(hub_toml, lab.image)
c.Lab.before_start = [firewall.before_start, images.before_start, limit_by_group(hub_toml)]
c.Lab.options_form = images.form
c.Lab.options_from_form = options_from_form
c.Lab.apply_user_options = lambda _lab, _options: None  # `images.before_start` applies them instead
c.Lab.allowed_images = images.allowed_images
declared_images = sorted({image.image for image in hub_toml.images if image.image})
for warning in image_warnings(declared_images, c.LifecycleMixin.lifetimes):
    get_logger().warning(warning)
c.DockerSpawner.image = lab.image
c.DockerSpawner.pull_policy = "never"  # a start must not wait for a registry
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.remove = True
c.DockerSpawner.prefix = f"{lab.project}-lab"
c.DockerSpawner.volumes = {f"{lab.project}-home-{{username}}": "/home/jovyan"}
c.DockerSpawner.network_name = lab.network_name
c.Lab.before_start += [
    RestoreHook(settings.storage.data_dir).before_start,
    build_shared_folders(settings.storage, hub_toml).before_start,
    build_quota_hook(settings.storage, hub_toml).before_start,
]
c.Lab.first_script = LINK_SCRIPT
c.JupyterHub.services.append(volume_service(os.environ))
c.DockerSpawner.mem_limit = lab.mem_limit
c.DockerSpawner.cpu_limit = lab.cpu_limit
c.DockerSpawner.extra_host_config = {
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "pids_limit": lab.pids_limit,
    # A sixteenth of the default weight, so that busy labs do not slow down sign-ins. It applies only under contention.
    "cpu_shares": 64,
    "memswap_limit": lab.mem_limit,  # memory and swap together, so no swap
    "shm_size": parse_size(lab.shm_size),
    "tmpfs": lab.tmpfs,
    "init": True,
    "auto_remove": False,  # the hub reads the exit status first
    "log_config": {"type": "json-file", "config": {"max-size": "10m", "max-file": "2"}},
}
if settings.network.resolvers:
    c.DockerSpawner.extra_host_config["dns"] = settings.network.resolvers
c.Spawner.environment.update(settings.network.proxy_environment)
if lab.runtime:
    c.DockerSpawner.extra_host_config["runtime"] = lab.runtime
c.DockerSpawner.extra_create_kwargs = {"labels": lab_labels(lab.project)}

try:
    load_conf_d(settings.server.conf_dir or Path(__file__).with_name("conf.d"), c)
except SettingsError as fault:
    sys.exit(str(fault))
