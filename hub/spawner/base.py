"""What every lab has of a life, in a container or not: it starts after the terms, and ends what it leaves idle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from jupyterhub.utils import maybe_future

from hub.culler.policy import Lifetimes, Limits, idle_arguments
from hub.web.terms_handlers import TermsGate

if TYPE_CHECKING:
    from jupyterhub.spawner import Spawner
else:
    Spawner = object  # JupyterHub's own demands that each class of it can start and stop


class LifecycleMixin(Spawner):  # type: ignore[misc]  # JupyterHub carries no types
    """To be mixed into a spawner. `lifecycle_config.py` sets what all labs share."""

    lifetimes: ClassVar[Lifetimes | None] = None
    terms: ClassVar[TermsGate | None] = None
    terms_url: ClassVar[str] = ""

    async def run_pre_spawn_hook(self) -> Any:
        """The gate of the terms comes first; a hook that the administrator configures cannot take its place."""
        if self.terms is not None:
            self.terms.check(self.user, self.terms_url)
        return await maybe_future(super().run_pre_spawn_hook())

    def get_args(self) -> list[str]:
        """With what ends idle kernels and terminals after the time that the user's groups are given."""
        limits = Limits() if self.lifetimes is None else self.lifetimes.of({group.name for group in self.user.groups})
        return [*super().get_args(), *idle_arguments(limits)]
