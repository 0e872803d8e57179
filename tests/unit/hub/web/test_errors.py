"""The texts of error pages and progress events, translated with their facts."""

# ruff: noqa: RUF001  # French uses typographic apostrophes

from __future__ import annotations

import pytest
from docker.errors import APIError
from jupyterhub.spawner import SpawnException

from hub.auth.oauth import SILENT
from hub.spawner import errors
from hub.spawner.base import STEPS, progress_event
from hub.web.errors import error_text, spawn_error, spawn_error_text
from passerelle_common.i18n import Message


def test_spawn_error_is_translated_with_its_facts() -> None:
    fault = APIError("404 Client Error", explanation="No such image: physics:latest")
    error = errors.engine_error(fault, "physics:latest (x.*)")
    assert spawn_error_text(error, "fr").startswith("L’image physics:latest (x.*) de votre laboratoire")
    assert spawn_error_text(error, "en").startswith("The image physics:latest (x.*) of your lab")


@pytest.mark.parametrize(
    ("exception", "text"),
    [
        (TimeoutError(), "Your lab started but did not respond in time."),
        (RuntimeError("secret=hunter2"), "An unexpected error occurred."),
        (None, "An unexpected error occurred."),
        (SpawnException("Your home is full.", reason="quota"), "Your home is full."),
    ],
)
def test_every_failed_start_has_a_text(exception: Exception | None, text: str) -> None:
    assert spawn_error_text(exception, "en").startswith(text)
    assert "hunter2" not in spawn_error_text(exception, "fr")


def test_details_of_a_spawn_error_are_for_the_log_only() -> None:
    error = spawn_error(Message("Start allowed."), reason="test", status_code=403, detail="inner cause")
    assert "inner cause" in error.log_message
    assert (error.message, error.status_code) == ("Start allowed.", 403)
    assert spawn_error_text(error, "fr") == "Démarrage autorisé."


def test_progress_comes_in_every_language() -> None:
    event = progress_event("image", image="physics:2026")
    assert event["message"] == "Image physics:2026 found."
    assert event["messages"]["fr"] == "Image physics:2026 trouvée."
    percents = [percent for percent, _ in STEPS.values()]
    assert percents == sorted(percents)


def test_message_without_facts_is_translated_by_its_text() -> None:
    assert error_text(None, SILENT, "fr").startswith("Le service de connexion ne répond pas.")


def test_message_without_translation_is_shown_unchanged() -> None:
    text = "Braces {in} it, %(percent)s, and a backslash \\1."
    assert error_text(None, text, "fr") == text
