"""The subjects and examples of docs/settings.md."""

from __future__ import annotations

import tomllib

import pytest

from bridge.settings import ClientSettings, Settings, setting_fault
from docs._generate.settings import CLIENT_SUBJECTS, SUBJECTS


def test_every_setting_has_one_subject() -> None:
    for model, subjects in ((Settings, SUBJECTS), (ClientSettings, CLIENT_SUBJECTS)):
        names = [name for examples in subjects.values() for name in examples]
        assert sorted(names) == sorted(model.model_fields)


@pytest.mark.parametrize(
    ("name", "example"), [pair for examples in SUBJECTS.values() for pair in examples.items()], ids=str
)
def test_examples_are_valid(name: str, example: str) -> None:
    value = tomllib.loads(f"value = {example}")["value"]
    if name in ("cas_format", "groups_from_dn"):  # valid only together with another setting
        assert setting_fault(name, value) is None or "requires" in (setting_fault(name, value) or "")
    else:
        assert setting_fault(name, value) is None


@pytest.mark.parametrize(
    ("name", "example"), [pair for examples in CLIENT_SUBJECTS.values() for pair in examples.items()], ids=str
)
def test_client_examples_are_valid(name: str, example: str) -> None:
    base = {"client_id": "wiki", "redirect_uris": ["https://wiki.example.org/cb"]}
    if name in ("require_pkce", "former_secret_hash"):  # valid only for a client with a secret
        base["client_secret"] = "secret"  # type: ignore[assignment]
    ClientSettings.model_validate({**base, name: tomllib.loads(f"value = {example}")["value"]})
