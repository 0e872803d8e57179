"""An installation in a folder, and the `passerelle` command in it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from bridge.first_run.answers import Answers
from bridge.first_run.setup import find_owner, set_up
from bridge.identity import Identity
from bridge.store import Session, Store, fingerprint
from tests.support.bridge.command_forks import Call, Command
from tests.support.bridge.live_bridge import free_port

# Few examples by default; `make fuzz` is the long run.
hypothesis.settings.register_profile("quick", max_examples=40, deadline=None)
hypothesis.settings.load_profile("quick")


@dataclass(frozen=True)
class Sound:
    """A folder with settings, keys, a client and a session; tests get copies."""

    folder: Path
    kid: str
    sid: str


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    folder = tmp_path_factory.mktemp("sound")
    answers = Answers(
        issuer="https://auth.example.org",
        cas_url="http://127.0.0.1:9/cas",
        folder=folder,
        data=folder,
        bind=f"127.0.0.1:{free_port()}",
        proxy_hops=1,
    )
    set_up(answers, find_owner(None))
    file = folder / "passerelle.toml"  # copies use their own database
    file.write_text(file.read_text().replace(f"{folder}/", ""))
    notes = tmp_path_factory.mktemp("notes")
    for words in (
        ["clients", "add", "Wiki", "--id", "wiki", "--redirect-uri", "https://w.example.org/cb"],
        ["keys", "rotate"],
    ):
        ended = Command(Call(words=words, folder=folder), notes).wait()
        assert ended.status == 0, ended.stderr
    store, now = Store(f"sqlite:///{folder}/passerelle.sqlite3"), int(time.time())
    identity = Identity(subject="alice", username="alice")
    times = {"auth_time": now, "created_at": now, "expires_at": now + 3600}
    session = Session(sid="a-session", cookie_hash=fingerprint("cookie"), identity=identity, **times)
    store.sessions.begin(session, ticket_hash=fingerprint("ticket"))
    kid = max(store.keys.all(), key=lambda key: key.active_from).kid
    store.close()
    return Sound(folder, kid, session.sid)


@pytest.fixture
def folder(sound: Sound, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound.folder, tmp_path / "here"))


@pytest.fixture
def starts(sound: Sound, folder: Path, tmp_path: Path) -> Callable[..., Command]:
    """Return a function that starts a command in the copy."""

    def start(path: Sequence[str], words: Sequence[str], **surroundings: Any) -> Command:
        named = [word.format(kid=sound.kid, sid=sound.sid) for word in words]
        return Command(Call(words=[*path, *named], folder=folder, **surroundings), tmp_path / "notes")

    return start
