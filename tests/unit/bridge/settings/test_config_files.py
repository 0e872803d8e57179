"""Selection of the settings file, and of secret files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.errors import ConfigurationError
from bridge.settings import load
from tests.support.bridge.command_forks import Call, Command


def test_config_file_precedence(tmp_path: Path) -> None:
    places = [tmp_path / "here.toml", tmp_path / "etc.toml"]
    named = tmp_path / "named.toml"
    for number, file in enumerate([*places, named], 1):
        file.write_text(
            f'issuer = "https://{number}.example"\ncas_url = "https://c.example"\nsecret_key = "{"0" * 64}"\n'
        )
    assert load({"PASSERELLE_CONFIG": str(named)}, places).issuer == "https://3.example"
    assert load({"PASSERELLE_CONFIG": ""}, places).issuer == "https://1.example"
    assert load({"PASSERELLE_ISSUER": "https://e.example"}, places).issuer == "https://e.example"
    places[0].unlink()
    assert load({}, places).issuer == "https://2.example"


@pytest.mark.parametrize("fault", ["writable by all", "other owner"])
def test_file_of_another_user_is_not_trusted(tmp_path: Path, fault: str) -> None:
    file = tmp_path / "passerelle.toml"
    file.write_text(f'issuer = "https://a.example"\ncas_url = "https://evil.example"\nsecret_key = "{"0" * 64}"\n')
    if fault == "writable by all":
        file.chmod(0o666)
    elif os.geteuid() == 0:
        os.chown(file, 12345, 12345)
    else:
        file = Path("/proc/1/status")  # owned by root
        with pytest.raises(ConfigurationError, match="is not valid TOML"):
            load({}, [file])
        return
    with pytest.raises(
        ConfigurationError, match="writable for all" if fault == "writable by all" else "belongs to uid 12345"
    ):
        load({}, [file])
    with pytest.raises(ConfigurationError, match="PASSERELLE_ISSUER: is required"):
        load({}, [file])
    assert load({"PASSERELLE_CONFIG": str(file)}, [file]).cas_url == "https://evil.example"


def test_inaccessible_working_folder_is_skipped(tmp_path: Path) -> None:
    """As for `sudo -u passerelle …` in root's home folder."""
    closed, database = tmp_path / "root", tmp_path / "bridge.sqlite3"
    closed.mkdir()
    closed.chmod(0)
    environment = {
        "PASSERELLE_ISSUER": "https://a.example",
        "PASSERELLE_CAS_URL": "https://c.example",
        "PASSERELLE_SECRET_KEY": "0" * 64,
        "PASSERELLE_DATABASE_URL": f"sqlite:///{database}",
    }
    call = Call(words=["clients", "list"], folder=closed, environment=environment)
    ended = Command(call, tmp_path / "notes").wait()
    closed.chmod(0o700)
    assert ended.status == 0, ended.stderr
    assert "There are no clients yet" in ended.stderr


def test_group_writable_file_is_not_trusted(tmp_path: Path) -> None:
    """The user's own group may write, as with a umask of 002."""
    file = tmp_path / "passerelle.toml"
    file.write_text(f'issuer = "https://a.example"\ncas_url = "https://c.example"\nsecret_key = "{"0" * 64}"\n')
    file.chmod(0o664)
    assert load({}, [file]).issuer == "https://a.example"
    if os.geteuid() == 0:  # only root can give a file to another group
        os.chown(file, -1, 12345)
        with pytest.raises(ConfigurationError, match="is writable for group 12345"):
            load({}, [file])


def test_link_of_another_user_is_not_followed(tmp_path: Path) -> None:
    file, link = tmp_path / "mine.toml", tmp_path / "passerelle.toml"
    file.write_text(f'issuer = "https://a.example"\ncas_url = "https://c.example"\nsecret_key = "{"0" * 64}"\n')
    link.symlink_to(file)
    assert load({}, [link]).issuer == "https://a.example"
    if os.geteuid() == 0:  # only root can give a link away
        os.chown(link, 12345, 12345, follow_symlinks=False)
        with pytest.raises(ConfigurationError, match="belongs to uid 12345"):
            load({}, [link])


def test_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    (tmp_path / "key").write_bytes(mark + b"0123456789abcdef\r\n")
    (tmp_path / "client").write_bytes(mark + b"s3cret\r\n")
    file = tmp_path / "passerelle.toml"
    clients = f'clients = [{{client_id = "a", redirect_uris = ["a.b:/c"], client_secret_file = "{tmp_path}/client"}}]'
    file.write_bytes(
        mark
        + b'issuer = "https://a.example"\r\ncas_url = "https://c.example"\r\n'
        + f'secret_key_file = "{tmp_path}/key"\r\n{clients}\r\n'.encode()
    )
    settings = load({}, [file])
    assert settings.secret_key.get_secret_value() == "0123456789abcdef"
    (client,) = settings.clients
    assert client.client_secret is not None
    assert client.client_secret.get_secret_value() == "s3cret"


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ('secret_key = "0123456789abcdef"\nsecret_key_file = "key"', "keep one"),
        ("secret_key_file = 3", "must be a file name"),
        ('secret_key_file = "missing"', "cannot read missing"),
        ('secret_key_file = ""', "cannot read"),
        ('cas_url_file = "x"', "unknown setting"),
    ],
)
def test_secret_file_entries_in_toml_are_validated(tmp_path: Path, written: str, fault: str) -> None:
    file = tmp_path / "passerelle.toml"
    file.write_text(f'issuer = "https://a.example"\ncas_url = "https://c.example"\n{written}\n')
    with pytest.raises(ConfigurationError, match=fault):
        load({}, [file])


def test_environment_overrides_secret_file_entry(tmp_path: Path) -> None:
    file = tmp_path / "passerelle.toml"
    file.write_text('issuer = "https://a.example"\ncas_url = "https://c.example"\nsecret_key_file = "missing"\n')
    settings = load({"PASSERELLE_SECRET_KEY": "f" * 64}, [file])
    assert settings.secret_key.get_secret_value() == "f" * 64


def test_missing_settings_file_is_reported_first(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load({}, [tmp_path / "passerelle.toml"])
    first, *others = refused.value.faults
    assert first.startswith("No settings file found (looked in ")
    assert "PASSERELLE_ISSUER: is required" in "\n".join(others)
