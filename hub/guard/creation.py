"""The bodies that the guard admits: a lab, a container of the volume service, and a volume of a shared folder.

Unknown fields are rejected at every level. Names are compared exactly; the engine itself ignores upper and lower case,
so `privileged` is an unknown field here and not a second `Privileged`.
"""

import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from hub.guard.rules import RefusedError, Rules, lab_labels
from hub.storage import SHARED_GID
from hub.storage.volumes import LABEL

Port = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,5}/tcp$")]
Size = Annotated[str, StringConstraints(pattern=r"^([1-9]|10)m$")]
Count = Annotated[str, StringConstraints(pattern=r"^[1-5]$")]
_TARGET = re.compile(r"(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)+")
_CPU_PERIOD = 100_000  # microseconds
_TOOL_MEMORY = 256 * 1024**2
_SHARE = ["python", "-m", "hub.storage.chown_helper"]
_MEASURE = ["timeout", "--signal=KILL", "SECONDS", "du", "-sx", "--block-size=1", "/volume"]


class Body(BaseModel):
    """An object of a body, with Docker's names."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LogSize(Body):
    """Options of the log; the names are keys of a map."""

    size: Size = Field(alias="max-size")
    files: Count = Field("1", alias="max-file")


class LogConfig(Body):
    """The log of a container, with a limited size."""

    Type: Literal["json-file"]
    Config: LogSize


class DeviceRequest(Body):
    """GPUs by their ids."""

    Driver: Literal[""]
    Count: Literal[0]
    DeviceIDs: list[str]
    Capabilities: list[list[Literal["gpu"]]]
    Options: dict[str, str] = Field(max_length=0)


class Isolated(Body):
    """Host configuration that all containers must have."""

    CapDrop: list[Literal["ALL"]] = Field(min_length=1)
    SecurityOpt: list[Literal["no-new-privileges:true"]] = Field(min_length=1)
    Memory: int = Field(gt=0)
    PidsLimit: int = Field(gt=0)
    CpuShares: int = Field(64, ge=2, le=1024)
    LogConfig: LogConfig
    NetworkMode: str
    Binds: list[str]


class LabHost(Isolated):
    """Host configuration of a lab."""

    MemorySwap: int
    CpuPeriod: Literal[100_000]
    CpuQuota: int = Field(gt=0)
    ShmSize: int = Field(gt=0)
    Tmpfs: dict[str, str]
    Runtime: str = ""
    GroupAdd: list[str] = []
    Init: bool = True
    ReadonlyRootfs: bool = False
    Links: list[str] = Field([], max_length=0)
    Mounts: list[str] = Field([], max_length=0)
    DeviceRequests: list[DeviceRequest] = []
    Dns: list[Literal["127.0.0.1"]] = []  # NO_RESOLVER of the labs' network


class ToolHost(Isolated):
    """Host configuration of a container of the volume service."""

    ReadonlyRootfs: Literal[True]
    CapAdd: list[Literal["CHOWN", "FOWNER", "FSETID", "DAC_READ_SEARCH"]]


class Container(Body):
    """Fields that both kinds of containers have."""

    Image: str
    Labels: dict[str, str]
    Cmd: list[str]
    Volumes: dict[str, dict[str, str]] = {}
    Tty: Literal[False] = False
    OpenStdin: Literal[False] = False
    StdinOnce: Literal[False] = False
    AttachStdin: Literal[False] = False
    AttachStdout: Literal[True] = True
    AttachStderr: Literal[True] = True
    NetworkDisabled: Literal[False] = False


class LabContainer(Container):
    """A lab. Its command and environment are free: they act inside the container, as the image's user."""

    Env: list[str]
    ExposedPorts: dict[Port, None] = {}
    HostConfig: LabHost


class ToolContainer(Container):
    """A container of the volume service, which runs one of two commands."""

    Cmd: list[str] = Field(max_length=0)
    Entrypoint: list[str]
    User: str
    HostConfig: ToolHost


class SharedVolume(Body):
    """A volume without driver options: with them, the local driver mounts any folder or device."""

    Name: str
    Labels: dict[str, str]


B = TypeVar("B", bound=Body)


def check_container(body: Any, name: str, rules: Rules) -> Container:
    """Return the container to create.

    Raises:
        RefusedError: It is neither a lab nor a container of the volume service.
    """
    labels = body.get("Labels") if isinstance(body, dict) else None
    if labels == {LABEL: rules.project}:
        tool = _parse(ToolContainer, body)
        _check_tool(tool, name, rules)
        return tool
    lab = _parse(LabContainer, body)
    _check_lab(lab, name, rules)
    return lab


def check_volume(body: Any, rules: Rules) -> SharedVolume:
    """Return the volume to create.

    Raises:
        RefusedError: It is not the volume of a shared folder.
    """
    volume = _parse(SharedVolume, body)
    _require(volume.Name in rules.shared_volumes, "Name", "is no shared folder of this deployment")
    _require(volume.Labels == rules.shared_labels(), "Labels", "are not those of a shared folder")
    return volume


def _parse(model: type[B], body: Any) -> B:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        faults.sort(key=lambda fault: fault["type"] != "extra_forbidden")
        names = [f"{'.'.join(map(str, fault['loc']))[:80]}: {fault['msg']}" for fault in faults[:5]]
        raise RefusedError("; ".join(names)) from None


def _require(holds: bool, field: str, fault: str) -> None:
    if not holds:
        raise RefusedError(f"{field} {fault}")


def _check_lab(lab: LabContainer, name: str, rules: Rules) -> None:
    host = lab.HostConfig
    _require(rules.owns_lab_name(name), "name", "is not that of a lab")
    _require(lab.Labels == lab_labels(rules.project), "Labels", "are not those of a lab")
    _require(lab.Image in rules.lab_images, "Image", "is not one of the settings")
    _require(host.NetworkMode in rules.networks, "NetworkMode", "is not the network of the labs")
    _require(host.Memory <= rules.memory, "Memory", "is above the highest limit of the settings")
    _require(host.MemorySwap == host.Memory, "MemorySwap", "allows swap")
    _require(host.CpuQuota <= rules.cpus * _CPU_PERIOD, "CpuQuota", "is above the highest limit of the settings")
    _require(host.PidsLimit <= rules.processes, "PidsLimit", "is above the highest limit of the settings")
    _require(host.ShmSize <= rules.shm_size, "ShmSize", "is above the limit of the settings")
    _require(host.Tmpfs == rules.tmpfs, "Tmpfs", "is not that of the settings")
    _require(host.Runtime == rules.runtime, "Runtime", "is not that of the settings")
    _require(set(host.GroupAdd) <= {str(SHARED_GID)}, "GroupAdd", "has another group than that of shared folders")
    gpus = {gpu for request in host.DeviceRequests for gpu in request.DeviceIDs}
    _require(all(one.DeviceIDs for one in host.DeviceRequests), "DeviceRequests", "has no ids")
    _require(gpus <= rules.gpus, "DeviceRequests", "has a device that is not in the settings")
    targets = set()
    for bind in host.Binds:
        source, target = _split_bind(bind, ("rw", "ro"))
        owned = rules.owns_volume(source) or source in rules.lab_folders
        _require(owned, "Binds", "has a volume or folder that is not one of the settings")
        targets.add(target)
    _check_targets(lab, targets)


def _check_tool(tool: ToolContainer, name: str, rules: Rules) -> None:
    host = tool.HostConfig
    _require(name == "", "name", "is given to a container of the volume service")
    _require(tool.Image == rules.tool_image, "Image", "is not that of the hub")
    _require(tool.User == f"0:{SHARED_GID}", "User", "is not that of the volume service")
    _require(host.NetworkMode == "none", "NetworkMode", "is not none")
    _require(host.Memory <= _TOOL_MEMORY, "Memory", "is above the limit of the volume service")
    _require(host.PidsLimit <= 16, "PidsLimit", "is above the limit of the volume service")
    measures = ["SECONDS" if re.fullmatch("[0-9]{1,4}", one) else one for one in tool.Entrypoint] == _MEASURE
    targets = []
    for bind in host.Binds:
        source, target = _split_bind(bind, ("ro",) if measures else ("rw",))
        owned = rules.is_home(source) if measures else source in rules.shared_volumes
        _require(owned, "Binds", "has a volume that is not one of the settings")
        _require(target == ("/volume" if measures else f"/volumes/{source}"), "Binds", "has another target")
        targets.append(target)
    capabilities = {"DAC_READ_SEARCH"} if measures else {"CHOWN", "FOWNER", "FSETID", "DAC_READ_SEARCH"}
    _require(set(host.CapAdd) <= capabilities, "CapAdd", "has more than the command needs")
    _require(measures or tool.Entrypoint == [*_SHARE, *targets], "Entrypoint", "is not one of the volume service")
    _check_targets(tool, set(targets))


def _split_bind(bind: str, modes: tuple[str, ...]) -> tuple[str, str]:
    source, target, mode = parts if len(parts := bind.split(":")) == 3 else ("", "", "")
    _require(mode in modes, "Binds", "has another form than source:target:mode, or another mode")
    _require(bool(_TARGET.fullmatch(target)), "Binds", "has a target that is not a plain path")
    return source, target


def _check_targets(container: Container, targets: set[str]) -> None:
    """Require that no anonymous volume is created."""
    unbound = container.Volumes.keys() - targets
    _require(not unbound and not any(container.Volumes.values()), "Volumes", "has an entry that is not mounted")
