"""Spawner mixin shared by all labs: terms of use and culling inside the lab."""

from __future__ import annotations

from typing import Any

from jupyterhub.traitlets import Callable
from jupyterhub.utils import maybe_future
from traitlets import Instance
from traitlets.config import Configurable

from hub.culler.policy import Lifetimes, idle_arguments


class LifecycleMixin(Configurable):
    """Spawner mixin, listed first."""

    lifetimes = Instance(Lifetimes, allow_none=True, help="Culling limits of all users.").tag(config=True)
    check_terms = Callable(
        None,
        allow_none=True,
        help="Called with the user before a start; raises SpawnException unless they accepted the terms of use.",
    ).tag(config=True)

    async def run_pre_spawn_hook(self) -> Any:
        """Check the terms of use before the administrator's hook, which cannot replace the check."""
        if self.check_terms is not None:
            self.check_terms(self.user)  # type: ignore[attr-defined]
        return await maybe_future(super().run_pre_spawn_hook())  # type: ignore[misc]

    def get_args(self) -> list[str]:
        """Return the server's arguments, including the idle timeouts of kernels and terminals."""
        arguments: list[str] = super().get_args()  # type: ignore[misc]
        if self.lifetimes is None:
            return arguments
        groups = {group.name for group in self.user.groups}  # type: ignore[attr-defined]
        return [*arguments, *idle_arguments(self.lifetimes.limits_for(groups))]
