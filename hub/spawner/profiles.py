"""From which image a lab starts: what a person may choose, the form they choose with, and the choice itself.

Images are pulled or built by the administrator, never at a start: nobody waits for a registry.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from jupyterhub.spawner import SpawnException

from hub.config.hub_toml import HubToml, Image
from hub.culler.policy import Lifetimes
from hub.web.errors import spawn_error
from passerelle_common.i18n import Message, gettext_noop

FIELD = "image"
TOLD_AT_MOST = 80  # characters of what somebody sent


NO_IMAGE = gettext_noop(
    "None of the lab's images is meant for the groups that you are in. Ask the administrator for one."
)
NOT_OFFERED = gettext_noop(
    "The image %(image)s is not one that you may choose, or no longer. Start again with one of: %(images)s."
)


def offered(declared: HubToml, groups: Collection[str], own_image: str) -> list[Image]:
    """What members of these groups may choose from, the usual one first; an image without a name is the own one.

    :raises SpawnException: if images are declared and none is for them
    """
    if not declared.images:
        return [Image(name="Lab", image=own_image)]
    theirs = declared.images_for(groups)
    if not theirs:
        raise spawn_error(
            Message(NO_IMAGE),
            reason="no_image",
            detail=f"no image in hub.toml is for {', '.join(sorted(groups)) or 'users without groups'}",
            status_code=403,
        )
    return [image if image.image else image.model_copy(update={"image": own_image}) for image in theirs]


def choose(images: Sequence[Image], choice: object) -> Image:
    """The image of that name, or the first if nothing was chosen.

    :raises SpawnException: if it is none of these
    """
    if choice is None:
        return images[0]
    for image in images:
        if image.name == choice:
            return image
    told = choice if isinstance(choice, str) else type(choice).__name__
    told = told if len(told) <= TOLD_AT_MOST else f"{told[:TOLD_AT_MOST]}…"
    facts = {"image": repr(told), "images": ", ".join(repr(image.name) for image in images)}
    raise spawn_error(Message(NOT_OFFERED, facts), reason="image_refused", status_code=403)


def options_form(images: Sequence[Image], last: object) -> str:
    """One radio button an image, with the last choice or the first marked; nothing where there is no choice."""
    if len(images) < 2:
        return ""
    marked = next((image for image in images if image.name == last), images[0])
    rows = "".join(_row(number, image, image is marked) for number, image in enumerate(images))
    return f'<fieldset class="mb-3"><legend>Start your lab with</legend>{rows}</fieldset>'


def _row(number: int, image: Image, is_marked: bool) -> str:
    name, described = html.escape(image.name), ""
    checked = " checked" if is_marked else ""
    described_by = f' aria-describedby="image-{number}-says"' if image.description else ""
    if image.description:
        described = f'<div class="form-text" id="image-{number}-says">{html.escape(image.description)}</div>'
    return (
        '<div class="form-check mb-2">'
        f'<input class="form-check-input" type="radio" name="{FIELD}" id="image-{number}" value="{name}" '
        f"required{checked}{described_by}>"
        f'<label class="form-check-label" for="image-{number}">{name}</label>{described}</div>'
    )


def options_from_form(form: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What a form or an address chose; whether that is allowed is decided at the start, for every way to one."""
    values = form.get(FIELD, ())
    return {FIELD: values[0] if len(values) == 1 else list(values)} if values else {}


class ImageChoice:
    """The declared images, as a lab asks for them."""

    def __init__(self, declared: HubToml, own_image: str) -> None:
        self._declared = declared
        self._own_image = own_image

    def _offered(self, lab: Any) -> list[Image]:
        return offered(self._declared, groups_of(lab), self._own_image)

    def form(self, lab: Any) -> str:
        """`Spawner.options_form`; it may be asked before the lab knows of any choice."""
        return options_form(self._offered(lab), (lab.orm_spawner.user_options or {}).get(FIELD))

    def allowed_images(self, lab: Any) -> dict[str, str]:
        """`DockerSpawner.allowed_images`."""
        return {image.name: image.image for image in self._offered(lab)}

    def before_start(self, lab: Any) -> None:
        """Give the lab its image."""
        try:
            lab.image = choose(self._offered(lab), lab.user_options.get(FIELD)).image
        except SpawnException:
            # JupyterHub keeps the last choice for starts without one: this one would refuse them all.
            lab.orm_spawner.user_options = {}
            raise


def groups_of(lab: Any) -> frozenset[str]:
    """The groups of the person whose lab it is, as of their last sign-in or refresh."""
    return frozenset(group.name for group in lab.user.groups)


def without_activity_tracking(
    images: Collection[str], tracks_kernel_activity: Callable[[str], bool], lifetimes: Lifetimes
) -> list[str]:
    """From which of the images labs are stopped in the middle of a silent computation, because it is no use there."""
    return [image for image in images if lifetimes.culls_idle_labs and not tracks_kernel_activity(image)]


def missing_images(images: Collection[str], is_there: Callable[[str], bool]) -> list[str]:
    """Which of the images no lab can start from yet."""
    return [image for image in images if not is_there(image)]
