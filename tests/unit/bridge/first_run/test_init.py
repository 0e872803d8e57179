"""`passerelle init`: created files, existing files and interruptions."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.oauth.keys import check_secret_key
from bridge.settings import load
from bridge.store import Store
from tests.support.bridge.command_forks import Call, Command, CommandResult
from tests.support.bridge.live_bridge import PASSERELLE, clean_environment

HTTPS = ("--issuer", "https://auth.example.org", "--cas-url", "https://sso.example.org/cas")
QUIET = ("init", "--yes", "--no-check", *HTTPS)
Inits = Callable[..., CommandResult]


@pytest.fixture
def inits(tmp_path: Path) -> Inits:
    def run(*words: str, **environment: str) -> CommandResult:
        call = Call(words=["init", "--yes", "--no-check", *words], folder=tmp_path, environment=environment)
        return Command(call, tmp_path.with_name("notes")).wait()

    return run


def assert_works(folder: Path) -> None:
    """Assert that the settings are complete and the secret key decrypts the keys of the database."""
    settings = load({}, [folder / "passerelle.toml"])
    store = Store(settings.database_url.get_secret_value())
    keys = store.keys.all()
    check_secret_key(keys, settings.secret_key.get_secret_value())
    store.close()
    assert sorted(key.algorithm for key in keys) == ["ES256", "RS256"]


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_init_creates_what_serve_needs(inits: Inits, tmp_path: Path) -> None:
    ended = inits(*HTTPS)

    assert (ended.status, ended.stderr) == (0, "")
    assert names_in(tmp_path) == ["passerelle-secret-key", "passerelle.sqlite3", "passerelle.toml"]
    assert_works(tmp_path)
    settings = load({}, [tmp_path / "passerelle.toml"])
    assert (settings.bind, settings.proxy_hops) == ("127.0.0.1:8000", 1)


def test_secrets_are_private_to_their_owner(inits: Inits, tmp_path: Path) -> None:
    ended = inits(*HTTPS)

    assert [mode(tmp_path / f"passerelle{name}") for name in ("-secret-key", ".sqlite3", ".toml")] == [
        0o600,
        0o600,
        0o644,
    ]
    secret = (tmp_path / "passerelle-secret-key").read_text().strip()
    assert re.fullmatch("[0-9a-f]{64}", secret)
    assert secret not in ended.stdout + (tmp_path / "passerelle.toml").read_text()


def test_settings_work_from_any_folder(inits: Inits, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    assert inits(*HTTPS, "--folder", "sub/../settings", "--data", "./data").status == 0

    written = tomllib.loads((tmp_path / "settings" / "passerelle.toml").read_text())
    assert written["secret_key_file"] == f"{tmp_path}/settings/passerelle-secret-key"
    assert written["database_url"] == f"sqlite:///{tmp_path}/data/passerelle.sqlite3"
    assert mode(tmp_path / "data") == 0o700
    assert_works(tmp_path / "settings")


def test_http_issuer_sets_the_bind_address(inits: Inits, tmp_path: Path) -> None:
    assert inits("--issuer", "http://localhost:8123", "--cas-url", "http://localhost/cas").status == 0

    settings = load({}, [tmp_path / "passerelle.toml"])
    assert (settings.bind, settings.proxy_hops) == ("127.0.0.1:8123", 0)


@pytest.mark.parametrize(
    "contact", ['"; issuer = "https://evil.example', "a\nb", "Zoë\x7f\\ \U0001f600", "${HOME}", "''' #"]
)
def test_any_answer_stays_one_value(inits: Inits, tmp_path: Path, contact: str) -> None:
    assert inits(*HTTPS, "--contact", contact).status == 0

    settings = load({}, [tmp_path / "passerelle.toml"])
    assert (settings.support_contact, settings.issuer) == (contact, "https://auth.example.org")


def test_answers_may_come_from_the_environment(inits: Inits, tmp_path: Path) -> None:
    given = {
        "PASSERELLE_ISSUER": "https://a.example",
        "PASSERELLE_CAS_URL": "https://c.example",
        "PASSERELLE_BIND": "0.0.0.0:80",
    }
    assert inits(**given).status == 0
    assert load({}, [tmp_path / "passerelle.toml"]).bind == "0.0.0.0:80"


def test_database_url_stays_in_its_file(inits: Inits, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"sqlite:///{tmp_path}/other.sqlite3\n")
    assert inits(*HTTPS, "--database-url-file", "url").status == 0

    written = tomllib.loads((tmp_path / "passerelle.toml").read_text())
    assert (written["database_url_file"], "database_url" in written) == (f"{tmp_path}/url", False)
    assert_works(tmp_path)


def test_second_run_changes_nothing(inits: Inits, tmp_path: Path) -> None:
    inits(*HTTPS)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    ended = inits("--issuer", "https://other.example.org", "--cas-url", "https://other.example.org/cas")

    assert (ended.status, ended.stdout) == (1, "")
    assert f"{tmp_path}/passerelle.toml exists, so nothing was changed" in ended.stderr
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_dangling_link_counts_as_existing_file(inits: Inits, tmp_path: Path) -> None:
    (tmp_path / "passerelle.toml").symlink_to("/nonexistent/passerelle.toml")
    assert inits(*HTTPS).status == 1
    assert names_in(tmp_path) == ["passerelle.toml"]


def test_database_with_other_secret_key_is_rejected(inits: Inits, tmp_path: Path) -> None:
    inits(*HTTPS)
    (tmp_path / "passerelle.toml").unlink()
    (tmp_path / "passerelle-secret-key").unlink()
    ended = inits(*HTTPS)

    assert ended.status == 1
    assert "were encrypted with another one" in ended.stderr
    assert not (tmp_path / "passerelle.toml").exists()


@pytest.mark.parametrize("fault", ["readable by others", "a link", "a folder", "empty"])
def test_readable_secret_key_is_rejected(inits: Inits, tmp_path: Path, fault: str) -> None:
    file = tmp_path / "passerelle-secret-key"
    if fault == "a link":
        (tmp_path / "elsewhere").write_text("f" * 64)
        file.symlink_to("elsewhere")
    elif fault == "a folder":
        file.mkdir()
    else:
        file.write_text("" if fault == "empty" else "f" * 64)
        file.chmod(0o600 if fault == "empty" else 0o640)
    ended = inits(*HTTPS)
    assert (ended.status, ended.stdout) == (1, "")
    assert f"{file} exists" in ended.stderr or f"{file} is " in ended.stderr
    assert not (tmp_path / "passerelle.toml").exists()


def test_other_config_file_is_reported(inits: Inits, tmp_path: Path) -> None:
    told = inits(*HTTPS, PASSERELLE_CONFIG="/srv/other.toml").stdout
    assert re.search(rf"export PASSERELLE_CONFIG={tmp_path}/passerelle\.toml +replaces /srv/other\.toml", told)


def test_printed_commands_work_in_any_folder(inits: Inits, tmp_path: Path) -> None:
    told = inits(*HTTPS, "--folder", "a b'$(id)").stdout
    (line,) = [line for line in told.splitlines() if "export PASSERELLE_CONFIG=" in line]
    assert f"PASSERELLE_CONFIG={tmp_path}/a b'$(id)/passerelle.toml" in shlex.split(line)


@pytest.mark.parametrize("name", [b"caf\xe9", b"50%"], ids=["Latin-1", "percent"])
def test_unusable_folder_name_is_reported(name: bytes, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/" + name))
    folder.mkdir()
    (tmp_path / "url").write_text("postgresql://me:secret@127.0.0.1:9/bridge")
    for words in ([], ["--database-url-file", f"{tmp_path}/url"]):
        ended = Command(Call(words=[*QUIET, *words], folder=folder), tmp_path / "notes").wait()
        assert ended.status in (1, 2)
        assert "Traceback" not in ended.stderr
        assert "database URL cannot have" in ended.stderr or "not UTF-8 text" in ended.stderr or words, ended.stderr
        assert [file.name for file in folder.iterdir() if file.name.endswith(".toml")] == []


@pytest.mark.parametrize("variable", ["PASSERELLE_DATABASE_URL", "PASSERELLE_SECRET_KEY_FILE"])
def test_environment_overrides_are_reported(inits: Inits, variable: str, tmp_path: Path) -> None:
    ended = inits(*HTTPS, **{variable: f"{tmp_path}/elsewhere"})
    assert ended.status == 0
    assert f"Note: {variable} in the environment overrides" in ended.stderr


def test_init_can_be_repeated_after_kill(tmp_path: Path) -> None:
    """The signals are spread over a whole run."""
    folder = tmp_path / "here"
    folder.mkdir()
    call = Call(words=QUIET, folder=folder)
    whole = Command(call, tmp_path / "notes").wait().seconds
    for file in folder.iterdir():
        file.unlink()
    killed = 0
    for number in range(12):
        running = Command(call, tmp_path / "notes")
        time.sleep(whole * number / 12)
        running.interrupt(signal.SIGKILL if number % 2 else signal.SIGINT)
        killed += running.wait().status != 0
        if (folder / "passerelle.toml").exists():
            assert_works(folder)
            for file in folder.iterdir():
                file.unlink()
    assert killed > 3
    ended = Command(call, tmp_path / "notes").wait()
    assert ended.status == 0 or (folder / "passerelle.toml").exists(), ended.stderr
    assert_works(folder)


def test_ctrl_c_leaves_no_partial_file(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # which never responds
        (tmp_path / "url").write_text(f"postgresql://bridge:secret@127.0.0.1:{server.getsockname()[1]}/bridge")
        call = Call(words=[*QUIET, "--database-url-file", "url"], folder=tmp_path)
        running = Command(call, tmp_path.with_name("notes"))
        with server.accept()[0]:  # the command now waits for a response
            running.interrupt()
            assert running.wait().status == 1
    assert names_in(tmp_path) == ["passerelle-secret-key", "url"]


def test_one_of_concurrent_runs_wins(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    running = [Command(Call(words=QUIET, folder=folder), tmp_path / f"notes{n}") for n in range(4)]
    ended = [each.wait() for each in running]

    assert sorted(each.status for each in ended) == [0, 1, 1, 1]
    assert "Traceback" not in "".join(each.stderr for each in ended)
    assert names_in(folder) == ["passerelle-secret-key", "passerelle.sqlite3", "passerelle.toml"]
    assert_works(folder)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_root_creates_files_for_the_service_user(umask: int, tmp_path: Path) -> None:
    """Root may create files for any user, with any umask; other users get an error."""
    tmp_path.chmod(0o755)
    words = [PASSERELLE, *QUIET, "--owner", "nobody", "--folder", "etc/settings", "--data", "var/data"]
    place = tmp_path if os.geteuid() else Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    place.chmod(0o755)
    made = subprocess.run(
        words, cwd=place, env=clean_environment(), umask=umask, capture_output=True, text=True, check=False
    )
    if os.geteuid():
        assert (made.returncode, made.stdout) == (1, "")
        assert "Only root can create files for nobody" in made.stderr
        return
    assert made.returncode == 0, made.stderr
    owners = {str(file.relative_to(place)): (file.owner(), mode(file)) for file in place.rglob("*")}
    assert owners == {
        "etc": ("root", 0o755),
        "etc/settings": ("root", 0o755),
        "etc/settings/passerelle.toml": ("root", 0o644),
        "etc/settings/passerelle-secret-key": ("nobody", 0o600),
        "var": ("root", 0o755),
        "var/data": ("nobody", 0o700),
        "var/data/passerelle.sqlite3": ("nobody", 0o600),
    }
    subprocess.run(["rm", "-r", place], check=True)


def test_no_questions_without_a_terminal(tmp_path: Path) -> None:
    ended = Command(
        Call(words=["init"], folder=tmp_path, stdin="https://auth.example.org\n"), tmp_path / "notes"
    ).wait()
    assert (ended.status, ended.stdout) == (2, "")
    assert "--issuer is required" in ended.stderr


def test_failed_cas_check_keeps_the_installation(tmp_path: Path) -> None:
    words = ["init", "--yes", "--issuer", "https://auth.example.org", "--cas-url", "http://127.0.0.1:9/cas"]
    ended = Command(Call(words=words, folder=tmp_path), tmp_path.with_name("notes")).wait()

    assert ended.status == 0
    assert f"settings: The settings are valid ({tmp_path}/passerelle.toml)." in " ".join(ended.stdout.split())
    assert "FAULT    cas.port: No response from 127.0.0.1:9" in ended.stdout
    assert r"service pattern   ^https://auth\.example\.org/cas/callback" in ended.stdout
    assert "passerelle check --message" in ended.stdout
    assert_works(tmp_path)


@pytest.mark.parametrize(
    "data", ["https://db.example.org/x", "postgresql://u:p@db/x", "sqlite:///x", "mysql+driver:/x"]
)
def test_url_as_data_folder_is_rejected(inits: Inits, data: str, tmp_path: Path) -> None:
    refused = inits(*HTTPS, "--data", data)
    assert refused.status == 2
    assert "is a URL, not a folder" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cas_url", "warns"),
    [
        ("http://sso.example.org/cas", True),
        ("http://127.0.0.1:8443/cas", False),
        ("https://sso.example.org/cas", False),
    ],
)
def test_plain_http_cas_gives_a_warning(inits: Inits, cas_url: str, warns: bool) -> None:
    done = inits("--issuer", "https://auth.example.org", "--cas-url", cas_url)
    assert done.status == 0
    assert ("passwords and tickets can be read" in done.stderr) is warns
