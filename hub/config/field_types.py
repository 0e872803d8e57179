"""Field types shared by the hub's settings and `hub.toml`."""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationError

YesOrNo = Literal["yes", "no"]
_VARIABLE = re.compile(r"[A-Z]+_[A-Z_]+ ")
_SIZE = re.compile(r"\d+(?:\.\d+)?[KMGT]", re.IGNORECASE)


class SettingsError(ValueError):
    """Invalid configuration; the message lists every fault and names the file to correct."""


class Settings(BaseModel):
    """A group of settings, read from environment variables by their validation aliases."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


def list_faults(error: ValidationError) -> list[str]:
    """Return a validation error as one sentence per fault, with each setting by its name.

    The values that it quotes are never secret: a variable of a secret holds the path of its file.
    """
    errors = error.errors(include_url=False)
    missing = dict.fromkeys(str(one["loc"][-1]) for one in errors if one["type"] == "missing")
    faults = [f"not set: {', '.join(missing)}"] if missing else []
    for one in errors:
        name, message = str(one["loc"][-1]), one["msg"].removeprefix("Value error, ")
        if one["type"] == "union_tag_invalid":
            faults.append(f"AUTH_METHOD is {one['ctx']['tag']!r} but must be one of: {one['ctx']['expected_tags']}")
        elif message.startswith(("Input should be", "must")):
            faults.append(f"{name} is {one['input']!r} but {message.replace('Input should be', 'must be')}")
        elif one["type"] != "missing":
            # A fault of a default value has no alias, so such messages begin with the variable themselves.
            faults.append(message if _VARIABLE.match(message) else f"{name} {message}")
    return list(dict.fromkeys(faults))


def parse_size(size: str) -> int:
    """Return a size such as `1.5G` in bytes; the units are powers of 1024."""
    return int(float(size[:-1]) * 1024 ** ("KMGT".index(size[-1].upper()) + 1))


def _check_size(size: str) -> str:
    if not _SIZE.fullmatch(size):
        raise ValueError("must be a number and K, M, G or T, such as 10G")
    return size.upper()


def _check_url(url: str) -> str:
    url = url.rstrip("/")
    parts = split_url(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https URL")
    return url


def split_url(url: str) -> SplitResult:
    """Split a URL; raise ValueError with a reason if it is none, or if its port is not a number below 65536."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  urlsplit checks it at the first use only
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}") from None
    return parts


def _read_secret(path: object) -> str:
    try:
        secret = Path(str(path)).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"names {path}, which cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"names {path}, which cannot be read (not text)") from None
    if not secret:
        raise ValueError(f"names {path}, which is empty")
    return secret


def _split_groups(names: str | frozenset[str]) -> frozenset[str]:
    # Separated by ";", because the names of LDAP groups contain commas.
    return frozenset(name.strip() for name in names.split(";") if name.strip()) if isinstance(names, str) else names


Size = Annotated[str, AfterValidator(_check_size)]
"""An amount of memory or disk space, with its unit in upper case."""
Url = Annotated[str, AfterValidator(_check_url)]
"""An http or https URL without a trailing slash."""
SecretFile = Annotated[SecretStr, BeforeValidator(_read_secret)]
"""The content of the file that the variable names."""
GroupNames = Annotated[frozenset[str], BeforeValidator(_split_groups)]
