"""Collection of the settings from all sources, with one list of faults."""

import codecs
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridge.errors import ConfigurationError
from bridge.settings.config_files import CONFIG_NAME, config_file_in_use, describe_read_error, insecure_file_error
from bridge.settings.model import Settings

PREFIX = "PASSERELLE_"
ENCODING = "utf-8-sig"  # UTF-8, without the byte order mark that Windows editors write
# Loaded on import, because `init` reads settings as a user who may not have access to Python's own files.
codecs.lookup(ENCODING)
# Variables of the test suite, which starts the bridge with its own environment.
IGNORED = frozenset({"PASSERELLE_REQUIRE_DOCKER"})
SECRETS = frozenset({"secret_key", "database_url", "metrics_token", "cas_proxy"})
JSON_VALUES = frozenset({"clients", "attributes", "group_map", "cas_login_parameters", "cas_validate_parameters"})

# Type errors of pydantic, in the terms of TOML.
_TYPE_FAULTS = {
    **dict.fromkeys(("tuple_type", "list_type"), "must be a list"),
    **dict.fromkeys(("mapping_type", "dict_type", "model_type", "model_attributes_type"), "must be a table"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("string_type", "path_type"), "must be a string in quotation marks"),
}


def load(environ: Mapping[str, str], files: Sequence[Path] = ()) -> Settings:
    """Load and validate the settings; `files` are searched if the environment names none.

    Raises:
        ConfigurationError: With every fault found, each with the setting and the remedy.
    """
    faults: list[str] = []
    file = config_file_in_use(environ, files)
    if file and not environ.get(CONFIG_NAME) and (insecure := insecure_file_error(Path(file))):
        faults.append(f"{CONFIG_NAME}: {insecure}")
        values = {}
    else:
        values = dict(_from_toml(file, faults))
    given = dict(_from_environment(environ, faults))
    _read_secret_files(values, given, faults)
    for name, value in given.items():
        values[name] = _merge_clients(values.get(name), value) if name == "clients" else value
    values["clients"] = with_client_secrets(values.get("clients", ()), faults)
    settings = None
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        faults.extend(_describe_fault(fault) for fault in found)
        if files and file is None and any(fault["type"] == "missing" for fault in found):
            searched = " and ".join(map(str, files))
            cause = f"No settings file found (looked in {searched}). Run `passerelle init` or set {CONFIG_NAME}."
            faults.insert(0, cause)
    if faults or settings is None:
        raise ConfigurationError(faults)
    return settings


def files_with_secrets(environ: Mapping[str, str], files: Sequence[Path]) -> tuple[Path, ...]:
    """Return the files from which `load` read secrets, including the settings file."""
    named = config_file_in_use(environ, files)
    values = _from_toml(named, [])
    found = {}
    for setting in sorted(SECRETS):
        variable = PREFIX + setting.upper()
        if file := environ.get(f"{variable}_FILE") or (not environ.get(variable) and values.get(f"{setting}_file")):
            found[Path(str(file))] = setting
        elif setting in values and setting != "database_url" and named:
            found[Path(named)] = setting
    return tuple(found)


def setting_fault(name: str, value: Any) -> str | None:
    """Return what is wrong with the value of one setting, or None."""
    valid = {"issuer": "https://auth.example.org", "cas_url": "https://sso.example.org/cas", "secret_key": "0" * 64}
    try:
        Settings.model_validate({**valid, name: value})
    except ValidationError as error:
        return _describe_fault(error.errors(include_url=False, include_input=False)[0])
    return None


def _read_secret_files(values: dict[str, Any], given: Mapping[str, Any], faults: list[str]) -> None:
    """Replace `secret_key_file` and the like in the TOML file with the content of the file they name."""
    for setting in sorted(SECRETS):
        if (named := values.pop(f"{setting}_file", None)) is None or setting in given:
            continue
        name = f"{PREFIX}{setting.upper()}_FILE"
        if setting in values:
            faults.append(f"{name}: the settings file has {setting} and {setting}_file: keep one")
        elif not isinstance(named, str):
            faults.append(f"{name}: must be a file name")
        elif (secret := _read_secret(name, Path(named), faults)) is not None:
            values[setting] = secret


def _merge_clients(from_file: Any, from_environment: Any) -> Any:
    """Merge the clients of the file and the environment; the environment overrides by client_id."""
    if not isinstance(from_file, list) or not isinstance(from_environment, list):
        return from_environment
    overridden = [entry.get("client_id") for entry in from_environment if isinstance(entry, dict)]
    kept = [entry for entry in from_file if not (isinstance(entry, dict) and entry.get("client_id") in overridden)]
    return [*kept, *from_environment]


def _from_toml(name: str | None, faults: list[str]) -> Mapping[str, Any]:
    if not name:
        return {}
    try:
        return tomllib.loads(Path(name).read_text(encoding=ENCODING))
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{CONFIG_NAME}: cannot read {name}: {describe_read_error(error)}")
    except tomllib.TOMLDecodeError as error:
        faults.append(f"{CONFIG_NAME}: {name} is not valid TOML: {error}")
    return {}


def _from_environment(environ: Mapping[str, str], faults: list[str]) -> Iterator[tuple[str, Any]]:
    ours = {name: text for name, text in environ.items() if name.startswith(PREFIX) and text}
    for name, text in sorted(ours.items()):
        if name == CONFIG_NAME or name in IGNORED:
            continue
        key = name.removeprefix(PREFIX).lower()
        setting = key.removesuffix("_file")
        if key in Settings.model_fields:
            if key in JSON_VALUES:
                try:
                    yield key, json.loads(text)
                except ValueError:
                    faults.append(f"{name}: is not valid JSON")
            else:
                yield key, text
        elif setting != key and setting in SECRETS:
            if PREFIX + setting.upper() in ours:
                faults.append(f"{name}: {PREFIX + setting.upper()} is set as well: keep one")
            elif (secret := _read_secret(name, Path(text), faults)) is not None:
                yield setting, secret
        else:
            faults.append(f"{name}: unknown setting{_nearest(key)}")


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
    """Read the secret files of client entries; other faults of an entry are left to its validation."""
    if not isinstance(clients, list):
        return clients
    return [_with_secret(entry, faults) for entry in clients]


def _with_secret(entry: Any, faults: list[str]) -> Any:
    if not isinstance(entry, dict) or not isinstance(entry.get("client_secret_file"), str):
        return entry
    if entry.get("client_secret") is not None or entry.get("client_secret_hash") is not None:
        return entry  # validation of the entry reports the conflict
    place = f"clients: {entry.get('client_id', '?')}: client_secret_file"
    secret = _read_secret(place, Path(entry["client_secret_file"]), faults)
    kept = {name: value for name, value in entry.items() if name != "client_secret_file"}
    return kept | {"client_secret": secret or "unreadable"}  # the recorded fault prevents the start


def _describe_fault(fault: Any) -> str:
    """Describe a pydantic error with the name of the setting as administrators write it."""
    location = [str(part) for part in fault["loc"]]
    name = PREFIX + location[0].upper() if location else "settings"
    place = ".".join([name, *location[1:]])
    if fault["type"] == "missing":
        return f"{place}: is required"
    if fault["type"] == "extra_forbidden":
        near = _nearest(location[0]) if len(location) == 1 else ""
        return f"{place}: unknown setting{near}"
    if fault["type"] == "too_short" and location == ["secret_key"]:
        return f"{place}: is too short: generate one with `openssl rand -hex 32`"
    return f"{place}: {_TYPE_FAULTS.get(fault['type']) or fault['msg'].removeprefix('Value error, ')}"
