"""How people sign in at the hub: one setting (AUTH_METHOD) chooses, the others fill in what that choice needs.

The bridge is the default. Whatever the choice, groups decide who may enter, who administers and what they get, and
they are asked for again while somebody is signed in (`hub/auth/refresh.py`). What JupyterHub is told is in
`hub/auth/configure.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from hub.auth.oidc_discovery import LOOPBACK
from hub.config.settings import EVERYONE, Reader

BRIDGE, OIDC, GITLAB, GITHUB, LDAP, PAM = KINDS = ("bridge", "oidc", "gitlab", "github", "ldap", "pam")
WITH_SECRET = (OIDC, GITLAB, GITHUB)
USUAL_URLS = {GITLAB: "https://gitlab.com", GITHUB: "https://github.com"}
USUAL_LABELS = {BRIDGE: "CAS", OIDC: "your account", GITLAB: "GitLab", GITHUB: "GitHub"}
OPEN_TO_THE_WORLD = ("github.com", "gitlab.com", "accounts.google.com")
"""Where anybody can make an account."""
LDAP_PORTS = {"ldap": 389, "ldaps": 636}


@dataclass(frozen=True)
class Directory:
    """What LDAP needs."""

    user_dn: str
    user_base: str
    user_attribute: str
    search_user: str
    search_password: str = field(repr=False)
    group_base: str
    group_filter: str


@dataclass(frozen=True)
class SignIn:
    """The choice, and what belongs to it; empty what does not."""

    kind: str
    label: str
    max_age: int
    strict: bool
    crypt_keys: tuple[str, ...] = field(repr=False)
    url: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    ca_file: Path | None = None
    scopes: tuple[str, ...] = ()
    username_claim: str = ""
    groups_claim: str = ""
    directory: Directory | None = None


def read_sign_in(read: Reader) -> SignIn:
    """The settings of the chosen kind; faults are told by `Reader.check`."""
    kind = read.choice("AUTH_METHOD", BRIDGE, KINDS)
    ca_file = read.text("AUTH_CA_FILE", "")
    return SignIn(
        kind=kind,
        label=read.text("AUTH_LABEL", USUAL_LABELS.get(kind, "")),
        max_age=int(read.number("AUTH_REFRESH_SECONDS", "3600", least=10)),
        strict=read.choice("AUTH_REFRESH_STRICT", "no", ("yes", "no")) == "yes",
        crypt_keys=tuple(key for key in read.secret("HUB_CRYPT_KEY_FILE").split(";") if key.strip()),
        url=_url(read, kind),
        client_id=read.text("AUTH_CLIENT_ID") if kind in WITH_SECRET else "",
        client_secret=read.secret("AUTH_SECRET_FILE") if kind in WITH_SECRET else "",
        ca_file=Path(ca_file) if ca_file else None,
        scopes=tuple(read.text("AUTH_OIDC_SCOPES", "openid profile email").split()),
        username_claim=read.text("AUTH_OIDC_USERNAME_CLAIM", "preferred_username"),
        groups_claim=read.text("AUTH_OIDC_GROUPS_CLAIM", "groups"),
        directory=_directory(read) if kind == LDAP else None,
    )


def _url(read: Reader, kind: str) -> str:
    if kind in (BRIDGE, PAM):
        return ""
    if kind == LDAP:
        url = read.text("AUTH_URL").rstrip("/")
        parts = urlsplit(url)
        if url and not (parts.scheme in LDAP_PORTS and parts.hostname and not parts.path):
            read.refuse("AUTH_URL is no address of a directory, such as ldaps://ldap.example.org")
        return url
    url = read.url("AUTH_URL", USUAL_URLS.get(kind))
    if url.startswith("http:") and urlsplit(url).hostname not in LOOPBACK:
        read.refuse("AUTH_URL is not https, and the secret of the hub would travel in the clear")
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    if host in OPEN_TO_THE_WORLD and EVERYONE in read.groups("AUTH_ALLOWED_GROUPS"):
        read.refuse(
            f"AUTH_ALLOWED_GROUPS is * but anybody in the world can have an account at {host}: name those who may enter"
        )
    return url


def _directory(read: Reader) -> Directory:
    user_dn, user_base = read.text("AUTH_LDAP_USER_DN", ""), read.text("AUTH_LDAP_USER_BASE", "")
    search_user = read.text("AUTH_LDAP_SEARCH_USER", "")
    if bool(user_dn) == bool(user_base):
        read.refuse("one of AUTH_LDAP_USER_DN and AUTH_LDAP_USER_BASE has to be set, and not both")
    if user_dn and "{username}" not in user_dn:
        read.refuse("AUTH_LDAP_USER_DN has no {username} in it")
    return Directory(
        user_dn=user_dn,
        user_base=user_base,
        user_attribute=read.text("AUTH_LDAP_USER_ATTRIBUTE", "uid"),
        search_user=search_user,
        search_password=read.secret("AUTH_SECRET_FILE") if search_user else "",
        group_base=read.text("AUTH_LDAP_GROUP_BASE", ""),
        group_filter=read.text(
            "AUTH_LDAP_GROUP_FILTER", "(|(member={userdn})(uniqueMember={userdn})(memberUid={uid}))"
        ),
    )
