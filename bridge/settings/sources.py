"""Where settings come from, and how their faults are merge_spellings into one list."""

from __future__ import annotations

import codecs
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridge.errors import ConfigurationError
from bridge.settings.config_files import (
    CONFIG_NAME,
    config_file_in_use,
    describe_read_error,
    find_config_file,
    insecure_file_error,
)
from bridge.settings.model import Settings

PREFIX = "PASSERELLE_"
ENCODING = "utf-8-sig"  # UTF-8, without the mark that editors of Windows put before it
# Loaded now: `init` reads its settings as the bridge's user, who may not be able to read Python's own files.
codecs.lookup(ENCODING)
# Read by the test suite, which starts the bridge with its own environment.
NOT_OURS = frozenset({"PASSERELLE_REQUIRE_DOCKER"})
SECRETS = frozenset({"secret_key", "database_url", "metrics_token", "cas_proxy"})
JSON_VALUES = frozenset({"clients", "attributes", "group_map", "cas_login_parameters", "cas_validate_parameters"})

# What pydantic says of a value of another kind, as somebody who writes TOML would say it.
_KINDS = {
    **dict.fromkeys(("tuple_type", "list_type"), "must be a list"),
    **dict.fromkeys(("mapping_type", "dict_type", "model_type", "model_attributes_type"), "must be a table"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("string_type", "path_type"), "must be text, in quotation marks"),
}


def load(environ: Mapping[str, str], places: Sequence[Path] = ()) -> Settings:
    """Read and check everything.

    :param environ: the process environment
    :param places: where a settings file may be that the environment does not name; the first one counts
    :raises ConfigurationError: with every fault found, each naming the setting and the remedy
    """
    faults: list[str] = []
    values = dict(_from_toml(_file_named(environ, places, faults), faults))
    given = dict(_from_environment(environ, faults))
    _read_twins(values, given, faults)
    for name, value in given.items():
        values[name] = _joined(values.get(name), value) if name == "clients" else value
    values["clients"] = with_client_secrets(values.get("clients", ()), faults)
    settings = None
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        faults.extend(_sentence(fault) for fault in found)
        if any(fault["type"] == "missing" for fault in found):
            faults[:0] = _no_file(environ, places)  # why they are missing, before what is
    if faults or settings is None:
        raise ConfigurationError(faults)
    return settings


def _no_file(environ: Mapping[str, str], places: Sequence[Path]) -> Iterator[str]:
    """Said when something is missing: whoever stands in the wrong folder has to learn which would be the right one."""
    if places and not environ.get(CONFIG_NAME) and find_config_file(places) is None:
        looked = " and ".join(str(place) for place in places)
        yield f"{CONFIG_NAME}: names no file, and there is none at {looked}; `passerelle init` makes one"


def files_with_secrets(environ: Mapping[str, str], places: Sequence[Path]) -> tuple[Path, ...]:
    """Where `load` found the secrets that it took from files, the settings file itself among them."""
    named = config_file_in_use(environ, places)
    said = _from_toml(named, [])
    found = {}
    for twin in sorted(SECRETS):
        variable = PREFIX + twin.upper()
        if file := environ.get(f"{variable}_FILE") or (not environ.get(variable) and said.get(f"{twin}_file")):
            found[Path(str(file))] = twin
        elif twin in said and twin != "database_url" and named:
            found[Path(named)] = twin
    return tuple(found)


def setting_fault(name: str, value: Any) -> str | None:
    """What is wrong with one setting, whatever the others are; None if nothing is."""
    sound = {"issuer": "https://auth.example.org", "cas_url": "https://sso.example.org/cas", "secret_key": "0" * 64}
    try:
        Settings.model_validate({**sound, name: value})
    except ValidationError as error:
        return _sentence(error.errors(include_url=False, include_input=False)[0])
    return None


def _file_named(environ: Mapping[str, str], places: Sequence[Path], faults: list[str]) -> str | None:
    if named := environ.get(CONFIG_NAME):
        return named
    found = find_config_file(places)
    if found is None:
        return None
    if fault := insecure_file_error(found):
        faults.append(f"{CONFIG_NAME}: {fault}")
        return None
    return str(found)


def _read_twins(values: dict[str, Any], given: Mapping[str, Any], faults: list[str]) -> None:
    """In the file `secret_key_file` and the like name the file that holds the value, as in the environment."""
    for twin in sorted(SECRETS):
        if (named := values.pop(f"{twin}_file", None)) is None or twin in given:
            continue
        name = f"{PREFIX}{twin.upper()}_FILE"
        if twin in values:
            faults.append(f"{name}: the settings file has {twin} and {twin}_file: keep one")
        elif not isinstance(named, str):
            faults.append(f"{name}: must be the name of a file")
        elif (secret := _read_secret(name, Path(named), faults)) is not None:
            values[twin] = secret


def _joined(from_file: Any, from_environment: Any) -> Any:
    """The file's clients and the environment's; of two with one client_id, the environment's."""
    if not isinstance(from_file, list) or not isinstance(from_environment, list):
        return from_environment
    ours = [entry.get("client_id") for entry in from_environment if isinstance(entry, dict)]
    kept = [entry for entry in from_file if not (isinstance(entry, dict) and entry.get("client_id") in ours)]
    return [*kept, *from_environment]


def _from_toml(name: str | None, faults: list[str]) -> Mapping[str, Any]:
    if not name:
        return {}
    try:
        return tomllib.loads(Path(name).read_text(encoding=ENCODING))
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{CONFIG_NAME}: cannot read {name}: {describe_read_error(error)}")
    except tomllib.TOMLDecodeError as error:
        faults.append(f"{CONFIG_NAME}: {name} is not TOML: {error}")
    return {}


def _from_environment(environ: Mapping[str, str], faults: list[str]) -> Iterator[tuple[str, Any]]:
    ours = {name: text for name, text in environ.items() if name.startswith(PREFIX) and text}
    for name, text in sorted(ours.items()):
        if name == CONFIG_NAME or name in NOT_OURS:
            continue
        key = name.removeprefix(PREFIX).lower()
        twin = key.removesuffix("_file")
        if key in Settings.model_fields:
            if key in JSON_VALUES:
                try:
                    yield key, json.loads(text)
                except ValueError:
                    faults.append(f"{name}: is not JSON")
            else:
                yield key, text
        elif twin != key and twin in SECRETS:
            if PREFIX + twin.upper() in ours:
                faults.append(f"{name}: {PREFIX + twin.upper()} is given too: keep one")
            elif (secret := _read_secret(name, Path(text), faults)) is not None:
                yield twin, secret
        else:
            faults.append(f"{name}: there is no such setting{_nearest(key)}")


def _nearest(key: str) -> str:
    near = get_close_matches(key, Settings.model_fields, n=1)
    return f"; did you mean {PREFIX}{near[0].upper()}?" if near else ""


def _read_secret(name: str, path: Path, faults: list[str]) -> str | None:
    try:
        text = path.read_text(encoding=ENCODING).strip()
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{name}: cannot read {path}: {describe_read_error(error)}")
        return None
    if not text:
        faults.append(f"{name}: {path} is empty")
        return None
    return text


def with_client_secrets(clients: Any, faults: list[str]) -> Any:
    """Client entries with the secrets that their files hold; whatever else is wrong with them is told later."""
    if not isinstance(clients, list):
        return clients
    return [_with_secret(entry, faults) for entry in clients]


def _with_secret(entry: Any, faults: list[str]) -> Any:
    if not isinstance(entry, dict) or not isinstance(entry.get("client_secret_file"), str):
        return entry
    if entry.get("client_secret") is not None or entry.get("client_secret_hash") is not None:
        return entry  # too many: the entry's own check says so
    place = f"clients: {entry.get('client_id', '?')}: client_secret_file"
    secret = _read_secret(place, Path(entry["client_secret_file"]), faults)
    kept = {name: value for name, value in entry.items() if name != "client_secret_file"}
    return kept | {"client_secret": secret or "unreadable"}  # the fault is noted: this one starts nothing


def _sentence(fault: Any) -> str:
    """One line for one pydantic fault: the setting as an administrator would write it, then what is wrong."""
    location = [str(part) for part in fault["loc"]]
    name = PREFIX + location[0].upper() if location else "settings"
    place = ".".join([name, *location[1:]])
    if fault["type"] == "missing":
        return f"{place}: is required and absent"
    if fault["type"] == "extra_forbidden":
        near = _nearest(location[0]) if len(location) == 1 else ""
        return f"{place}: there is no such setting{near}"
    if fault["type"] == "too_short" and location == ["secret_key"]:
        return f"{place}: is too short: `openssl rand -hex 32` prints a good one"
    return f"{place}: {_KINDS.get(fault['type']) or fault['msg'].removeprefix('Value error, ')}"
