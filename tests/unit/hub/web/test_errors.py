"""The hub's pages in the reader's language: every sentence of ours has its French, and facts stay facts."""

# ruff: noqa: RUF001  # French has apostrophes of its own

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from docker.errors import APIError
from jupyterhub.spawner import SpawnException

from hub.spawner import errors, profiles
from hub.spawner.progress import STEPS, event_of
from hub.storage import quota
from hub.web.french import FRENCH
from hub.web.i18n import language_of, translate_finished
from hub.web.spawn_errors import TOO_SLOW, UNKNOWN, why_not_started

TEMPLATES = Path(__file__).parents[4] / "hub" / "web" / "templates"
MARKED = re.compile(r"_\(('(?:[^'\\]|\\.)*')")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("en-GB,en;q=0.9,fr;q=0.8", "en"),
        ("de,fr;q=0.5,en;q=0.4", "fr"),
        ("en;q=0.1, fr;q=0.2", "fr"),
        ("fr;q=0", "en"),
        ("de", "en"),
        ("*", "en"),
        (";;;,,,q=,fr;q=x", "en"),
        ("x" * 100_000, "en"),
        ("de," * 10_000 + "fr", "en"),
    ],
)
def test_the_browser_chooses_among_two_languages(accepted: str, language: str) -> None:
    assert language_of(accepted) == language


def sentences() -> list[str]:
    marked = [ast.literal_eval(text) for page in TEMPLATES.glob("*.html") for text in MARKED.findall(page.read_text())]
    told = [sentence for _, sentence in STEPS.values()]
    failures = [sentence for *_, sentence in errors._BY_WORDS]
    others = [errors._ENGINE_SLOW[1], errors._ENGINE_DOWN[1], errors._OTHER[1]]
    ends = [errors.NEEDED_MORE, errors.ENDED]
    refusals = [profiles.NO_IMAGE, profiles.NOT_OFFERED, quota.OVER_LIMIT, "Start to tidy up"]
    return sorted({*marked, *told, *failures, *others, *ends, *refusals, TOO_SLOW, UNKNOWN})


def test_there_are_sentences_to_look_up() -> None:
    assert len(sentences()) > 50


@pytest.mark.parametrize("sentence", sentences())
def test_every_sentence_has_its_french_with_the_same_facts(sentence: str) -> None:
    assert sentence in FRENCH
    assert set(re.findall(r"{\w+}", FRENCH[sentence])) == set(re.findall(r"{\w+}", sentence))


def test_a_sentence_with_its_facts_in_it_is_found_again() -> None:
    fault = APIError("404 Client Error", explanation="No such image: physics:latest")
    refusal = errors.explain(fault, "physics:latest (x.*)")
    told = why_not_started(refusal, "fr")
    assert told.startswith("L’image physics:latest (x.*), à partir de laquelle")
    assert why_not_started(refusal, "en").startswith("The image physics:latest (x.*), from which")


@pytest.mark.parametrize(
    ("exception", "begins"),
    [
        (TimeoutError(), "Your lab was started but did not answer in time."),
        (RuntimeError("secret=hunter2"), "Something went wrong that has no sentence of its own yet."),
        (None, "Something went wrong"),
        (SpawnException("Your home is full.", reason="quota"), "Your home is full."),
    ],
)
def test_whatever_ends_a_start_becomes_a_sentence(exception: Exception | None, begins: str) -> None:
    assert why_not_started(exception, "en").startswith(begins)
    assert "hunter2" not in why_not_started(exception, "fr")


def test_progress_comes_in_every_language() -> None:
    event = event_of("image", image="physics:2026")
    assert event["message"] == "The image physics:2026 is there."
    assert event["messages"]["fr"] == "L’image physics:2026 est là."
    percents = [percent for percent, _ in STEPS.values()]
    assert percents == sorted(percents)


def test_a_sentence_that_nobody_translated_is_shown_as_it_is() -> None:
    assert translate_finished("Braces {in} it, and a backslash \\1.", "fr") == "Braces {in} it, and a backslash \\1."
