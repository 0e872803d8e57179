"""Settings of the hub: environment variables and secret files, read once at start and passed on.

A variable with an empty value counts as unset, because compose passes an empty string for what `.env` lacks.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator

from hub.config.auth_settings import AuthSettings
from hub.config.field_types import (
    GroupNames,
    SecretFile,
    Settings,
    SettingsError,
    Size,
    Url,
    YesOrNo,
    list_faults,
    parse_size,
)
from hub.config.hub_toml import HubToml, read_hub_toml
from hub.config.lab_hosts import LabHosts, check_lab_host
from hub.config.network_settings import NetworkSettings

RESTORE_MARK = ".restore-under-way"
"""File in each service's volume during a restore, in the hub's first and last; `deployment/edge/prepare.py` checks it.

Users can write to all other volumes, so their marks are in the hub's: in the folder `RESTORE_MARKS`, as `home/bob`.
"""
RESTORE_MARKS = f"{RESTORE_MARK}.d"
PUBLIC_VOLUME = "volume"
# Docker accepts these characters in `source:target:mode`; the spawner would expand braces.
_FOLDER = re.compile(r"/[^:{}\x00-\x1f]+")


def _load_hub_toml(path: object) -> HubToml:
    try:
        return read_hub_toml(Path(str(path)))
    except SettingsError as fault:
        raise ValueError(f"names a file that cannot be used: {fault}") from None


class ServerSettings(Settings):
    """URLs, stored data and options of the JupyterHub process."""

    public_url: Url = Field(validation_alias="HUB_PUBLIC_URL")
    lab_host: str = Field("", validation_alias="LAB_HOST")
    bind_url: Url = Field("http://0.0.0.0:8081", validation_alias="HUB_BIND_URL")
    api_connect_url: Url = Field(validation_alias="HUB_API_CONNECT_URL")
    data_dir: Path = Field(validation_alias="HUB_DATA_DIR")
    conf_dir: Path | None = Field(None, validation_alias="HUB_CONF_DIR")
    named_server_limit: int = Field(0, ge=0, validation_alias="HUB_NAMED_SERVER_LIMIT")
    metrics_token: SecretFile | None = Field(None, validation_alias="METRICS_TOKEN_FILE")
    stops_labs_on_sign_out: YesOrNo = Field("no", validation_alias="LAB_STOP_ON_SIGN_OUT")

    @field_validator("lab_host")
    @classmethod
    def _check_lab_host(cls, host: str, info: ValidationInfo) -> str:
        return check_lab_host(host, urlsplit(info.data.get("public_url", "")).hostname or "")

    @property
    def lab_hosts(self) -> LabHosts:
        """Return the hosts of the labs."""
        return LabHosts(self.lab_host, self.public_url)


class TraefikSettings(Settings):
    """Access to Traefik, the proxy in front of the hub and the labs."""

    dynamic_file: str = Field(validation_alias="TRAEFIK_DYNAMIC_FILE")
    api_url: Url = Field(validation_alias="TRAEFIK_API_URL")
    api_user: str = Field("hub", validation_alias="TRAEFIK_API_USER")
    api_password: SecretFile = Field(validation_alias="TRAEFIK_API_PASSWORD_FILE")


class CullSettings(Settings):
    """Default culling limits in seconds; 0 disables a limit."""

    idle_timeout: int = Field(3600, ge=0, validation_alias="CULL_IDLE_TIMEOUT_SECONDS")
    max_age: int = Field(0, ge=0, validation_alias="CULL_MAX_AGE_SECONDS")
    warning: int = Field(600, ge=0, validation_alias="CULL_WARNING_SECONDS")


class NoticeSettings(Settings):
    """Announcement, terms of use and support contact."""

    # A mounted folder shows edits at once; a single mounted file would keep the content it had at start.
    folder: Path | None = Field(None, validation_alias="NOTICES_DIR")
    announcement: str = Field("", validation_alias="HUB_ANNOUNCEMENT")
    terms_file: str = Field("", validation_alias="HUB_TERMS_FILE")
    support_contact: str = Field("", validation_alias="HUB_SUPPORT_CONTACT")

    @field_validator("terms_file")
    @classmethod
    def _check_terms_file(cls, name: str, info: ValidationInfo) -> str:
        if name and (Path(name).name != name or Path(name).suffix not in (".md", ".txt")):
            raise ValueError("must be the name of a .md or .txt file in deployment/notices/")
        if name and info.data.get("folder") is None:
            raise ValueError("is set but NOTICES_DIR, its folder, is not")
        return name


class LabSettings(Settings):
    """Defaults of lab containers."""

    project: str = Field(validation_alias="PROJECT_NAME")
    image: str = Field(validation_alias="LAB_IMAGE")
    network_name: str = Field(validation_alias="LAB_NETWORK_NAME")
    mem_limit: Size = Field("2G", validation_alias="LAB_MEM_LIMIT")
    cpu_limit: float = Field(1.0, ge=0.01, allow_inf_nan=False, validation_alias="LAB_CPU_LIMIT")
    pids_limit: int = Field(512, ge=32, validation_alias="LAB_PIDS_LIMIT")
    shm_size: Size = Field("64M", validation_alias="LAB_SHM_SIZE")
    tmp_size: Size = Field("1G", validation_alias="LAB_TMP_SIZE")
    runtime: str = Field("", pattern=r"^[a-zA-Z0-9_.-]*$", validation_alias="LAB_RUNTIME")

    @property
    def tmpfs(self) -> dict[str, str]:
        """Return the lab's file systems in memory; installers run programs in /tmp."""
        return {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={parse_size(self.tmp_size)}"}  # noqa: S108  in the lab


class StorageSettings(Settings):
    """Volumes, shared folders and quotas."""

    project: str = Field(validation_alias="PROJECT_NAME")
    data_dir: Path = Field(validation_alias="HUB_DATA_DIR")
    tool_image: str = Field("", validation_alias="TOOL_IMAGE", validate_default=True)
    home_quota: Size | None = Field(None, validation_alias="LAB_HOME_QUOTA")
    public_folder: str = Field("", validation_alias="LAB_PUBLIC_FOLDER")
    admin_groups: GroupNames = Field(frozenset(), validation_alias="AUTH_ADMIN_GROUPS")

    @field_validator("tool_image")
    @classmethod
    def _default_tool_image(cls, image: str, info: ValidationInfo) -> str:
        return image or f"{info.data.get('project')}-hub"

    @field_validator("public_folder")
    @classmethod
    def _check_public_folder(cls, folder: str, info: ValidationInfo) -> str:
        if folder == PUBLIC_VOLUME:
            return f"{info.data.get('project')}-public"
        if folder and (not _FOLDER.fullmatch(folder) or ".." in Path(folder).parts):
            raise ValueError(
                f"must be {PUBLIC_VOLUME!r} or the absolute path of a folder on this machine, without '..', ':', '{{' "
                "or '}'"
            )
        return folder


class ConfigFileSettings(Settings):
    """The file `hub.toml`: images, group rules and courses."""

    path: Path | None = Field(None, validation_alias="HUB_CONFIG_FILE")
    content: Annotated[HubToml, BeforeValidator(_load_hub_toml)] = Field(HubToml(), validation_alias="HUB_CONFIG_FILE")


class HubSettings(Settings):
    """Settings of every hub, wherever its labs run."""

    server: ServerSettings
    auth: AuthSettings
    traefik: TraefikSettings
    cull: CullSettings
    notices: NoticeSettings
    config_file: ConfigFileSettings


class DeploymentSettings(HubSettings):
    """Settings of a hub whose labs are containers."""

    lab: LabSettings
    network: NetworkSettings
    storage: StorageSettings


class FirewallSettings(Settings):
    """Settings of the service that isolates the labs' network."""

    network: NetworkSettings


class VolumeServiceSettings(Settings):
    """Settings of the service that prepares and measures volumes."""

    storage: StorageSettings
    config_file: ConfigFileSettings


S = TypeVar("S", bound=Settings)


def load_settings(environ: Mapping[str, str], model: type[S]) -> S:
    """Read settings from environment variables and the files that they name.

    Each field of the model is a group of variables.

    Raises:
        SettingsError: A setting is missing or invalid; the message names all faults.
    """
    values = {"AUTH_METHOD": "bridge"} | {name: text.strip() for name, text in environ.items() if text.strip()}
    try:
        return model.model_validate(dict.fromkeys(model.model_fields, values))
    except ValidationError as error:
        raise SettingsError(
            f"the hub cannot start: {'; '.join(list_faults(error))} (see .env and the service `hub` in compose.yml)."
        ) from None
