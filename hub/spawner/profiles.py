"""Profiles: the images that a user may choose, the spawn form, and the resource limits of the user's groups.

The administrator pulls or builds images in advance, so that no start waits for a registry.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from typing import Any

import docker
from docker.errors import DockerException, NotFound
from docker.types import DeviceRequest
from jinja2 import Environment
from jupyterhub.spawner import SpawnException

from hub.config.field_types import parse_size
from hub.config.hub_toml import GroupRules, HubToml, Image
from hub.culler.policy import Lifetimes
from hub.web.errors import spawn_error
from passerelle_common.i18n import Message, gettext_noop

CHECK_TIMEOUT = 10  # seconds
TRACKS_ACTIVITY_LABEL = "org.passerelle.counts-work"
FIELD = "image"
MAX_QUOTED = 80  # characters of a submitted value in an error message
NO_IMAGE = gettext_noop("No image is available for your groups. Ask the administrator for one.")
IMAGE_DENIED = gettext_noop("The image %(image)s is not available to you. Start again with one of: %(images)s.")

_FORM = Environment(autoescape=True).from_string("""\
<fieldset class="mb-3"><legend>Start your lab with</legend>
{% for image in images %}{% set id = "image-" ~ loop.index0 %}
<div class="form-check mb-2">
<input class="form-check-input" type="radio" name="image" id="{{ id }}" value="{{ image.name }}" required
{% if image is sameas checked %}checked{% endif %}
{% if image.description %}aria-describedby="{{ id }}-description"{% endif %}>
<label class="form-check-label" for="{{ id }}">{{ image.name }}</label>
{% if image.description %}<div class="form-text" id="{{ id }}-description">{{ image.description }}</div>{% endif %}
</div>
{% endfor %}</fieldset>""")


def available_images(hub_toml: HubToml, groups: Collection[str], default_image: str) -> list[Image]:
    """Return the images for a user in these groups, their default first.

    Raises:
        SpawnException: `hub.toml` has images, but none for these groups.
    """
    if not hub_toml.images:
        return [Image(name="Lab", image=default_image)]
    images = hub_toml.images_for(groups)
    if not images:
        raise spawn_error(
            Message(NO_IMAGE),
            reason="no_image",
            detail=f"no image in hub.toml is for {', '.join(sorted(groups)) or 'users without groups'}",
            status_code=403,
        )
    return [image if image.image else image.model_copy(update={"image": default_image}) for image in images]


def choose_image(images: Sequence[Image], choice: object) -> Image:
    """Return the image with this name, or the first image if there is no choice.

    Raises:
        SpawnException: No image has this name.
    """
    if choice is None:
        return images[0]
    for image in images:
        if image.name == choice:
            return image
    quoted = choice if isinstance(choice, str) else type(choice).__name__
    quoted = quoted if len(quoted) <= MAX_QUOTED else f"{quoted[:MAX_QUOTED]}…"
    facts = {"image": repr(quoted), "images": ", ".join(repr(image.name) for image in images)}
    raise spawn_error(Message(IMAGE_DENIED, facts), reason="image_refused", status_code=403)


def render_options_form(images: Sequence[Image], last_choice: object) -> str:
    """Return radio buttons for the images, with the last choice checked, or "" if there is only one image."""
    if len(images) < 2:
        return ""
    checked = next((image for image in images if image.name == last_choice), images[0])
    return _FORM.render(images=images, checked=checked)


def options_from_form(form: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the choice in a form or a query string; `before_start` validates it for all kinds of starts."""
    values = form.get(FIELD, ())
    return {FIELD: values[0] if len(values) == 1 else list(values)} if values else {}


class ImageChoice:
    """Spawner hooks for the choice of an image."""

    def __init__(self, hub_toml: HubToml, default_image: str) -> None:
        self._hub_toml = hub_toml
        self._default_image = default_image

    def _available(self, lab: Any) -> list[Image]:
        return available_images(self._hub_toml, user_groups(lab), self._default_image)

    def form(self, lab: Any) -> str:
        """Return the spawn form; see `Spawner.options_form`."""
        # JupyterHub may render the form before `lab.user_options` is loaded.
        return render_options_form(self._available(lab), (lab.orm_spawner.user_options or {}).get(FIELD))

    def allowed_images(self, lab: Any) -> dict[str, str]:
        """Return image references by name; see `DockerSpawner.allowed_images`."""
        return {image.name: image.image for image in self._available(lab)}

    def before_start(self, lab: Any) -> None:
        """Set the lab's image."""
        try:
            lab.image = choose_image(self._available(lab), lab.user_options.get(FIELD)).image
        except SpawnException:
            # JupyterHub reuses the last choice for starts without one, so an invalid choice would block them all.
            lab.orm_spawner.user_options = {}
            raise


def user_groups(lab: Any) -> frozenset[str]:
    """Return the groups of the lab's user as of the last sign-in or revalidation."""
    return frozenset(group.name for group in lab.user.groups)


def build_host_config(rules: GroupRules) -> dict[str, Any]:
    """Return the container's host configuration for limits that have no spawner trait."""
    config: dict[str, Any] = {}
    if rules.memory:
        config["memswap_limit"] = parse_size(rules.memory)  # memory and swap together, so no swap
    if rules.processes:
        config["pids_limit"] = rules.processes
    if rules.gpus:
        config["device_requests"] = [DeviceRequest(device_ids=list(rules.gpus), capabilities=[["gpu"]])]
    return config


def limit_by_group(hub_toml: HubToml) -> Callable[[Any], None]:
    """Return a hook for `Lab.before_start` that applies the limits of the user's groups."""

    def before_start(lab: Any) -> None:
        rules = hub_toml.rules_for(user_groups(lab))
        lab.mem_limit = parse_size(rules.memory) if rules.memory else lab.mem_limit
        lab.cpu_limit = rules.cpu or lab.cpu_limit
        lab.extra_host_config = {**lab.extra_host_config, **build_host_config(rules)}

    return before_start


def image_warnings(images: Collection[str], lifetimes: Lifetimes) -> list[str]:
    """Return a warning for each image of `hub.toml` that is missing, or whose labs would be culled while they compute.

    Labs report kernels that compute without output if their image has the extension of lab/Dockerfile.
    """
    try:
        with closing(docker.from_env(timeout=CHECK_TIMEOUT)) as client:
            return [
                f"the image {image} of hub.toml {fault}"
                for image in images
                if (fault := _image_fault(client, image, lifetimes))
            ]
    except (DockerException, OSError):
        return []


def _image_fault(client: docker.DockerClient, image: str, lifetimes: Lifetimes) -> str | None:
    try:
        config = client.images.get(image).attrs.get("Config") or {}
    except NotFound:
        return "is not on this server: pull it, or labs cannot start from it"
    if not lifetimes.culls_idle_labs or (config.get("Labels") or {}).get(TRACKS_ACTIVITY_LABEL) == "yes":
        return None
    return (
        "does not report kernels that compute without output, so the hub culls its labs as idle: build the image with "
        "lab/Dockerfile, or give its groups a longer idle_timeout (docs/hub/labs.md)"
    )
