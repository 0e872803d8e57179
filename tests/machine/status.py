"""Report of the test requirements that this machine lacks: engine, images, browser, databases, servers.

It installs and starts nothing, in contrast to `prepare`. It uses the standard library only, because it runs before
anything is installed.
"""

import hashlib
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
SYSTEMD_ANALYZE = Path("/usr/bin/systemd-analyze")
POSTGRES = Path("/usr/lib/postgresql")
SLAPD = Path("/usr/sbin/slapd")
PROXIES = {
    name: Path(place) / name
    for name, place in (("nginx", "/usr/sbin"), ("apache2", "/usr/sbin"), ("caddy", "/usr/bin"))
}
LEMONLDAP = Path("/usr/share/perl5/Lemonldap/NG/Portal/Issuer/CAS.pm")
TOMCAT = Path("/usr/share/java/tomcat9-catalina.jar")
APACHE = Path("/usr/sbin/apache2")
APACHE_MODULES = Path("/usr/lib/apache2/modules")
ENABLE = {
    "engine": "tests/machine/prepare engine",
    "images": "tests/machine/prepare images",
    "prometheus": "tests/machine/prepare images",
    "browser": "tests/machine/prepare browser",
    "postgres": "tests/machine/prepare postgres",
    "ldap": "tests/machine/prepare ldap",
    "proxies": "tests/machine/prepare proxies",
    "mounts": "run the tests as root on a machine that allows mounts",
    "apache": "tests/machine/prepare apache",
    "apereo": "tests/machine/prepare cas",
    "jasig": "tests/machine/prepare jasig",
    "lemonldap": "tests/machine/prepare lemonldap",
    "synapse": "tests/machine/prepare synapse",
    "acme": "tests/machine/prepare acme",
    "restic": "tests/machine/prepare restic",
    "node": "install Node.js 20 or newer with npm, and let npm reach a registry",
}
PROMETHEUS_STAND_IN = "passerelle-stand-in/prometheus:trixie"
IMAGE_VARIABLES = {"python": "PYTHON_IMAGE", "traefik": "TRAEFIK_IMAGE", "lab": "LAB_BASE_IMAGE"}
ENGINE_SECONDS = 10
REGISTRY_SECONDS = 5
OLDEST_NODE = 20


class UnnamedImageError(Exception):
    """An image without a name, in the environment as well as in the file."""


def image_names(env_file: Path = REPOSITORY / ".env") -> dict[str, str]:
    """Return the base images by kind, as compose reads them: the environment overrides the file."""
    text = env_file.read_text(encoding="utf-8") if env_file.is_file() else ""
    in_file = dict(re.findall(r"^\s*(\w+)\s*=\s*[\"']?([^\s\"'#]+)", text, flags=re.MULTILINE))
    names = {}
    for kind, variable in IMAGE_VARIABLES.items():
        names[kind] = os.environ.get(variable) or in_file.get(variable, "")
        if not names[kind]:
            raise UnnamedImageError(
                f"{variable} is neither in the environment nor in {env_file}, so the {kind} image has no name: "
                f"restore that line (git checkout {env_file.name})."
            )
    return names


def missing_engine() -> str | None:
    """Return why containers cannot run, or None."""
    return _missing_docker() or _missing_compose()


def missing_images(names: Sequence[str]) -> str | None:
    """Return why an image is missing: it is neither here nor in a responding registry; or None."""
    for name in names:
        here = _answer(["docker", "image", "inspect", "--format", "{{.Id}}", name], ENGINE_SECONDS)
        if here is None and _answer(["docker", "manifest", "inspect", name], REGISTRY_SECONDS) is None:
            return f"the image {name} is not here, and its registry does not provide it"
    return None


def prometheus_image(env_file: Path = REPOSITORY / ".env") -> str:
    """Return the image of .env if it is here, else the stand-in."""
    (named,) = re.findall(r"^PROMETHEUS_IMAGE=(\S+)", env_file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    here = _answer(["docker", "image", "inspect", "--format", "{{.Id}}", named], ENGINE_SECONDS)
    return PROMETHEUS_STAND_IN if here is None else str(named)


def missing_prometheus() -> str | None:
    """Return why Prometheus cannot run in a container, or None."""
    return missing_images([prometheus_image()])


def missing_browser() -> str | None:
    """Return why no browser can run, or None."""
    return None if os.access(CHROMIUM, os.X_OK) else f"{CHROMIUM} is missing"


def missing_postgres() -> str | None:
    """Return why no PostgreSQL server can run, or None."""
    if postgres_binaries() is None:
        return f"no PostgreSQL server in {POSTGRES} or on the PATH"
    if os.geteuid() == 0 and "postgres" not in {user.pw_name for user in pwd.getpwall()}:
        return "PostgreSQL does not run as root, and there is no user postgres"
    return None


def missing_ldap() -> str | None:
    """Return why no LDAP server can run, or None."""
    if not os.access(SLAPD, os.X_OK):
        return f"{SLAPD} is missing"
    return None if shutil.which("ldapadd") else "ldapadd is missing"


def missing_proxies() -> str | None:
    """Return which program of docs/install.md is missing, or None."""
    absent = [str(program) for program in (*PROXIES.values(), SYSTEMD_ANALYZE) if not os.access(program, os.X_OK)]
    return f"{', '.join(absent)} is missing" if absent else None


def missing_mounts() -> str | None:
    """Return why a process cannot have private mounts, or None."""
    tried = _answer(["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "none", "/mnt"], 5)
    return "this user may not mount" if os.geteuid() or tried is None else None


def missing_apache() -> str | None:
    """Return why no Apache with mod_auth_openidc can run, or None."""
    if not os.access(APACHE, os.X_OK):
        return f"{APACHE} is missing"
    module = APACHE_MODULES / "mod_auth_openidc.so"
    return None if module.exists() else f"{module} is missing"


def missing_node() -> str | None:
    """Return why no Node.js package can be installed, or None."""
    version = _answer(["node", "--version"], REGISTRY_SECONDS)
    if version is None or int(version.lstrip("v").partition(".")[0]) < OLDEST_NODE:
        return f"Node.js {OLDEST_NODE} or newer is missing"
    if _answer(["npm", "view", "openid-client", "name"], 3 * REGISTRY_SECONDS) is None:
        return "npm reaches no registry"
    return None


def missing_apereo() -> str | None:
    """Return why no Apereo CAS can run, or None."""
    return None if apereo_home() else f"no Apereo CAS is in {state_folder()}"


def apereo_home() -> Path | None:
    """Return the newest installation of Apereo CAS and its Java, or None."""
    found = sorted(state_folder().glob("apereo-*/ready"), key=lambda ready: ready.stat().st_mtime)
    return found[-1].parent if found else None


def missing_jasig() -> str | None:
    """Return why no Jasig CAS can run, or None."""
    if not TOMCAT.exists():
        return f"{TOMCAT} is missing"
    return None if jasig_webapp() else f"no Jasig CAS is in {state_folder()}"


def jasig_webapp() -> Path | None:
    """Return the newest unpacked web application of Jasig CAS, or None."""
    found = sorted(state_folder().glob("jasig-*/ready"), key=lambda ready: ready.stat().st_mtime)
    return found[-1].with_name("webapp") if found else None


def missing_lemonldap() -> str | None:
    """Return why no LemonLDAP::NG can run, or None."""
    modules = (LEMONLDAP, *(Path("/usr/share/perl5") / name for name in ("IO/String.pm", "XML/Simple.pm")))
    absent = [str(module) for module in modules if not module.exists()]
    if shutil.which("plackup") is None:
        absent.append("plackup")
    return f"{', '.join(absent)} is missing" if absent else None


def missing_synapse() -> str | None:
    """Return why no Matrix server can run, or None."""
    return None if synapse_python() else f"no Synapse of this lock is in {state_folder()}"


def synapse_python() -> Path | None:
    """Return the Python of the Synapse installation for the current lock, or None."""
    lock = (REPOSITORY / "requirements" / "synapse.txt").read_bytes()
    place = state_folder() / f"synapse-{hashlib.sha256(lock).hexdigest()[:12]}"
    return place / "bin" / "python" if (place / "ready").exists() else None


def missing_acme() -> str | None:
    """Return why no ACME authority can run, or None."""
    return None if pebble_program() else f"no ACME authority (Pebble) is in {state_folder()}"


def pebble_program() -> Path | None:
    """Return the newest Pebble, or None."""
    found = sorted(state_folder().glob("pebble-*/pebble"), key=lambda program: program.stat().st_mtime)
    return found[-1] if found else None


def missing_restic() -> str | None:
    """Return why backups cannot be tested, or None if the program of the hub's image is there."""
    return None if restic_program() else f"restic is not in {state_folder()}"


def restic_program() -> Path | None:
    """Return the program that `prepare restic` built, the newest if there are several."""
    found = sorted(state_folder().glob("restic-*/restic"), key=lambda program: program.stat().st_mtime)
    return found[-1] if found else None


def installed_package(name: str) -> str | None:
    """Return the version of an installed Debian package, or None."""
    return _answer(["dpkg-query", "--show", "--showformat", "${Version}", name], ENGINE_SECONDS) or None


def state_folder() -> Path:
    """Return the state directory of `prepare`."""
    return Path(os.environ.get("XDG_STATE_HOME") or "/var/lib") / "passerelle-test"


def postgres_binaries() -> Path | None:
    """Return the directory of initdb and postgres; Debian has one for each version, outside of PATH."""
    on_path = shutil.which("initdb")
    versions = [(int(place.name), place / "bin") for place in POSTGRES.glob("[1-9]*") if place.name.isdigit()]
    places = [place for _, place in sorted(versions, reverse=True)] + ([Path(on_path).parent] if on_path else [])
    return next((place for place in places if all((place / name).exists() for name in ("initdb", "postgres"))), None)


def _missing_docker() -> str | None:
    if shutil.which("docker") is None:
        return "the docker command is missing"
    if _answer(["docker", "version", "--format", "{{.Server.Version}}"], ENGINE_SECONDS) is None:
        return "no Docker engine responds"
    return None


def _missing_compose() -> str | None:
    if shutil.which("docker") is None or _answer(["docker", "compose", "version"], ENGINE_SECONDS) is None:
        return "docker has no compose v2 plugin"
    return None


def _answer(command: Sequence[str], seconds: float) -> str | None:
    """Return the output of a command, or None after a failure or a timeout."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _stand_ins(names: Sequence[str]) -> int:
    label = '{{index .Config.Labels "org.passerelle.stand-in"}}'
    return sum(_answer(["docker", "image", "inspect", "--format", label, name], 10) == "true" for name in names)


def _report() -> int:
    try:
        names: list[str] = list(image_names().values())
        images = _missing_docker() or missing_images(names)
    except UnnamedImageError as unnamed:
        names, images = [], str(unnamed)
    stand_ins = 0 if images else _stand_ins(names)
    found_images = ", ".join(names) + (f" ({stand_ins} of {len(names)} are stand-ins)" if stand_ins else "")
    lines = [
        ("engine", _missing_docker(), "running", ENABLE["engine"]),
        ("compose", _missing_compose(), "v2 plugin found", ENABLE["engine"]),
        ("images", images, found_images, ENABLE["images"]),
        ("browser", missing_browser(), str(CHROMIUM), ENABLE["browser"]),
        ("postgres", missing_postgres(), str(postgres_binaries()), ENABLE["postgres"]),
        ("ldap", missing_ldap(), str(SLAPD), ENABLE["ldap"]),
        ("proxies", missing_proxies(), ", ".join(PROXIES), ENABLE["proxies"]),
        ("mounts", missing_mounts(), "allowed", ENABLE["mounts"]),
        ("apache", missing_apache(), str(APACHE), ENABLE["apache"]),
        ("apereo", missing_apereo(), str(apereo_home()), ENABLE["apereo"]),
        ("jasig", missing_jasig(), str(jasig_webapp()), ENABLE["jasig"]),
        ("lemonldap", missing_lemonldap(), str(LEMONLDAP), ENABLE["lemonldap"]),
        ("synapse", missing_synapse(), str(synapse_python()), ENABLE["synapse"]),
        ("acme", missing_acme(), str(pebble_program()), ENABLE["acme"]),
        ("restic", missing_restic(), str(restic_program()), ENABLE["restic"]),
        ("node", missing_node(), "npm reaches a registry", ENABLE["node"]),
    ]
    for part, reason, found, remedy in lines:
        print(f"{part:<9} " + (f"MISSING  {reason}; to fix it: {remedy}" if reason else f"ok       {found}"))
    return 1 if any(reason for _, reason, _, _ in lines) else 0


def _print_image_names() -> int:
    try:
        names = image_names()
    except UnnamedImageError as unnamed:
        print(unnamed, file=sys.stderr)
        return 1
    for kind, name in names.items():
        print(f"{kind}={name}")
    return 0


if __name__ == "__main__":
    sys.exit(_print_image_names() if sys.argv[1:] == ["--images"] else _report())
