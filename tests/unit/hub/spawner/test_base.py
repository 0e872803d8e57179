"""The spawner mixin of all labs, configured through traits."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from jupyterhub.spawner import SpawnException
from traitlets.config import Config

from hub.config.hub_toml import GroupRules, HubToml
from hub.culler.policy import Lifetimes, Limits
from hub.spawner.base import LifecycleMixin


class PlainSpawner:
    """The part of JupyterHub's spawner that the mixin extends."""

    hook_ran = False

    async def run_pre_spawn_hook(self) -> None:
        self.hook_ran = True

    def get_args(self) -> list[str]:
        return ["--debug"]

    def get_env(self) -> dict[str, str]:
        return {"JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": "1"}  # last, from the administrator's configuration


class Lab(LifecycleMixin, PlainSpawner):
    def __init__(self, config: Config, *groups: str) -> None:
        super().__init__(config=config)
        self.user = SimpleNamespace(name="bob", groups=[SimpleNamespace(name=group) for group in groups])


def test_missing_terms_acceptance_blocks_start_before_hook() -> None:
    def reject(user: Any) -> None:
        raise SpawnException(f"{user.name} has not accepted the terms", reason="terms_not_accepted")

    config = Config()
    config.LifecycleMixin.check_terms = reject
    lab = Lab(config)

    with pytest.raises(SpawnException, match="bob has not accepted"):
        asyncio.run(lab.run_pre_spawn_hook())
    assert not lab.hook_ran


def test_hook_runs_without_terms() -> None:
    lab = Lab(Config())
    asyncio.run(lab.run_pre_spawn_hook())
    assert lab.hook_ran


def test_arguments_contain_group_idle_timeout() -> None:
    config = Config()
    hub_toml = HubToml(groups={"staff": GroupRules(idle_timeout=0)})
    config.LifecycleMixin.lifetimes = Lifetimes(Limits(idle_timeout=3600), hub_toml)

    assert "--MappingKernelManager.cull_idle_timeout=4500" in Lab(config, "students").get_args()
    assert not [argument for argument in Lab(config, "staff").get_args() if "cull" in argument]


def test_token_cache_is_set_once() -> None:
    """A server with two values of one option does not start."""
    assert Lab(Config()).get_args() == ["--debug", "--HubOAuth.cache_max_age=30"]

    with patch.object(PlainSpawner, "get_args", return_value=["--HubOAuth.cache_max_age=1"]):
        assert Lab(Config()).get_args() == ["--HubOAuth.cache_max_age=1"]


def test_environment_for_hosts_overrides_administrator() -> None:
    config = Config()
    config.LifecycleMixin.host_environment = {"JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": "0"}
    assert Lab(config).get_env() == {"JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": "0"}
