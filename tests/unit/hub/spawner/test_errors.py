"""What people read when their lab does not start."""

import re
from pathlib import Path

import pytest
from docker.errors import APIError, DockerException, ImageNotFound
from requests import Response
from requests.exceptions import ConnectionError as Unreachable
from requests.exceptions import ReadTimeout

from hub.spawner.errors import explain


def said_by_engine(explanation: str, status: int = 500) -> APIError:
    response = Response()
    response.status_code = status
    return APIError("engine", response=response, explanation=explanation)


@pytest.mark.parametrize(
    ("fault", "reason", "words"),
    [
        (
            ImageNotFound("404", explanation="No such image: r-lab:2026"),
            "image_missing",
            "The image r-lab:2026, from which your lab would start, is not on the server.",
        ),
        (
            said_by_engine('could not select device driver "" with capabilities: [[gpu]]'),
            "gpu",
            "meant to have a GPU",
        ),
        (
            said_by_engine('exec: "jupyterhub-singleuser": executable file not found in $PATH: unknown', 400),
            "image_unfit",
            "holds no JupyterHub server",
        ),
        (said_by_engine("mkdir /var/lib/docker: no space left on device"), "disk_full", "disk is full"),
        (
            said_by_engine("OCI runtime create failed: fork/exec /proc/self/exe: cannot allocate memory"),
            "out_of_memory",
            "no memory left",
        ),
        (said_by_engine("no available IPv4 addresses on this network's address pools"), "network_full", "no free addr"),
        (said_by_engine("network passerelle-labs not found", 404), "network_missing", "docker compose up -d"),
        (
            said_by_engine('Conflict. The container name "/x" is already in use by container "1"', 409),
            "still_stopping",
            "in a minute",
        ),
        (said_by_engine("something of tomorrow"), "engine_error", "tell the administrator"),
        (KeyError("a hook's mistake"), "engine_error", "tell the administrator"),
        (TimeoutError(), "engine_slow", "too busy"),
        (ReadTimeout("read timed out"), "engine_slow", "too busy"),
        (Unreachable("refused"), "engine_down", "does not answer"),
        (DockerException("Error while fetching server API version"), "engine_down", "does not answer"),
        (PermissionError(13, "Permission denied"), "engine_down", "does not answer"),
    ],
)
def test_a_failure_is_a_sentence_with_what_to_do(fault: Exception, reason: str, words: str) -> None:
    refusal = explain(fault, "r-lab:2026")

    assert refusal.reason == reason
    assert words in str(refusal.message)
    assert "administrator" in str(refusal.message) or "again" in str(refusal.message)


def test_the_engines_own_words_are_for_the_log() -> None:
    refusal = explain(said_by_engine("error creating /var/lib/docker/overlay2/1234: no space left on device"), "lab")

    assert "overlay2" not in str(refusal.message)
    assert "overlay2" in refusal.log_message


@pytest.mark.parametrize("image", ["{0.__class__}", "{image}", "%s%n", "a" * 500])
def test_an_images_name_is_only_a_name(image: str) -> None:
    assert image in str(explain(ImageNotFound("404", explanation="No such image"), image).message)


def test_every_reason_in_the_log_is_explained_to_the_administrator() -> None:
    root = Path(__file__).parents[4]
    code = "".join((root / "hub" / name).read_text() for name in ("spawner/errors.py", "spawner/profiles.py"))
    reasons = set(re.findall(r'^\s+(?:reason=|reason, told = )?\(?"([a-z]+(?:_[a-z]+)*)",', code, re.M))
    reasons |= set(re.findall(r'reason, told = \(?\s*"([a-z_]+)"', code))
    told = set(re.findall(r"`([a-z_]+)`", (root / "docs" / "hub" / "labs.md").read_text().partition("| reason |")[2]))

    assert len(reasons) > 10
    assert reasons - told == set()
