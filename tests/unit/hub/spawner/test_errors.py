"""Messages for users whose lab cannot start."""

import re
from pathlib import Path

import pytest
from docker.errors import APIError, DockerException, ImageNotFound
from requests import Response
from requests.exceptions import ConnectionError as Unreachable
from requests.exceptions import ReadTimeout

from hub.spawner.errors import ENGINE_PATTERNS, MESSAGES, engine_error, exit_error


def api_error(explanation: str, status: int = 500) -> APIError:
    response = Response()
    response.status_code = status
    return APIError("engine", response=response, explanation=explanation)


@pytest.mark.parametrize(
    ("fault", "reason", "text"),
    [
        (
            ImageNotFound("404", explanation="No such image: r-lab:2026"),
            "image_missing",
            "The image r-lab:2026 of your lab is not on the server.",
        ),
        (
            api_error('could not select device driver "" with capabilities: [[gpu]]'),
            "gpu",
            "needs a GPU",
        ),
        (
            api_error('exec: "jupyterhub-singleuser": executable file not found in $PATH: unknown', 400),
            "image_unfit",
            "contains no JupyterHub server",
        ),
        (api_error("mkdir /var/lib/docker: no space left on device"), "disk_full", "disk is full"),
        (
            api_error("OCI runtime create failed: fork/exec /proc/self/exe: cannot allocate memory"),
            "out_of_memory",
            "no memory for another lab",
        ),
        (api_error("no available IPv4 addresses on this network's address pools"), "network_full", "no free addr"),
        (api_error("network passerelle-labs not found", 404), "network_missing", "docker compose up -d"),
        (
            api_error('Conflict. The container name "/x" is already in use by container "1"', 409),
            "still_stopping",
            "in a minute",
        ),
        (api_error("unknown error"), "engine_error", "tell the administrator"),
        (KeyError("a hook's mistake"), "engine_error", "tell the administrator"),
        (TimeoutError(), "engine_slow", "too busy"),
        (ReadTimeout("read timed out"), "engine_slow", "too busy"),
        (Unreachable("refused"), "engine_down", "does not respond"),
        (DockerException("Error while fetching server API version"), "engine_down", "does not respond"),
        (PermissionError(13, "Permission denied"), "engine_down", "does not respond"),
    ],
)
def test_engine_error_says_what_to_do(fault: Exception, reason: str, text: str) -> None:
    error = engine_error(fault, "r-lab:2026")

    assert error.reason == reason
    assert text in str(error.message)
    assert "administrator" in str(error.message) or "again" in str(error.message)


def test_engine_text_is_only_in_log() -> None:
    error = engine_error(api_error("error creating /var/lib/docker/overlay2/1234: no space left on device"), "lab")

    assert "overlay2" not in str(error.message)
    assert "overlay2" in error.log_message


@pytest.mark.parametrize("image", ["{0.__class__}", "{image}", "%s%n", "a" * 500])
def test_image_name_is_never_formatted(image: str) -> None:
    assert image in str(engine_error(ImageNotFound("404", explanation="No such image"), image).message)


def test_all_log_reasons_are_documented() -> None:
    root = Path(__file__).parents[4]
    code = (root / "hub" / "spawner" / "profiles.py").read_text()
    reasons = {*MESSAGES, *re.findall(r'reason="([a-z]+(?:_[a-z]+)*)"', code)}
    table = (root / "docs" / "hub" / "labs.md").read_text().partition("| reason |")[2]
    documented = set(re.findall(r"`([a-z_]+)`", table))

    assert len(reasons) > 10
    assert ENGINE_PATTERNS.keys() <= MESSAGES.keys()
    assert reasons - documented == set()


@pytest.mark.parametrize(("memory", "reason"), [(2 * 1024**3, "lab_out_of_memory"), (None, "out_of_memory")])
def test_reason_of_missing_memory_depends_on_the_limit(memory: int | None, reason: str) -> None:
    assert exit_error({"OOMKilled": True, "ExitCode": 137}, "", "own", memory).reason == reason
