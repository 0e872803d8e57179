"""Generator of docs/settings.md from the docstrings of the settings: `make docs`. A test compares the two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from bridge.settings import ClientSettings, Settings
from bridge.settings.rules import CLAIM_SOURCES

PAGE = Path(__file__).parents[1] / "settings.md"
INTRODUCTION = """\
# Settings of the bridge

Set each setting as an environment variable, or in a TOML file by its name in lower case without `PASSERELLE_`, as the
examples show. Environment variables override the file; an empty variable counts as absent. Unknown names and invalid
values stop the start, and all faults are listed at once.

Passerelle reads one TOML file: the one in `PASSERELLE_CONFIG`, else `passerelle.toml` in the working folder, else
`/etc/passerelle/passerelle.toml`. A file in the working folder counts only if you or root own it and no other user
can write to it. `passerelle init` creates it ([installing](install.md)). Relative file names in settings start at the
working folder.

`PASSERELLE_SECRET_KEY`, `PASSERELLE_DATABASE_URL`, `PASSERELLE_CAS_PROXY` and `PASSERELLE_METRICS_TOKEN` can be read
from a file: append `_FILE` to the variable (`_file` in TOML) and give the name of the file. In the environment,
`PASSERELLE_CLIENTS`, `PASSERELLE_ATTRIBUTES`, `PASSERELLE_GROUP_MAP`, `PASSERELLE_CAS_LOGIN_PARAMETERS` and
`PASSERELLE_CAS_VALIDATE_PARAMETERS` are JSON.

```toml
issuer = "https://auth.example.org"
cas_url = "https://sso.example.org/cas"

[attributes]
groups = ["memberOf", "eduPersonAffiliation"]

[[clients]]
client_id = "wiki"
client_secret_hash = "sha256:4e9c…"
redirect_uris = ["https://wiki.example.org/oauth/callback"]
```
"""
# Subject → setting → example value in TOML.
SUBJECTS: Mapping[str, Mapping[str, str]] = {
    "Issuer and CAS": {
        "issuer": '"https://auth.example.org"',
        "cas_url": '"https://sso.example.org/cas"',
        "cas_internal_url": '"http://cas:8080/cas"',
        "cas_ca_file": '"/etc/ssl/campus-ca.pem"',
        "cas_proxy": '"http://proxy.example.org:3128"',
        "cas_protocol": '"2.0"',
        "cas_format": '"json"',
        "cas_response_max_bytes": "4194304",
        "cas_login_url": '"https://sso.example.org/login"',
        "cas_validate_url": '"https://sso.example.org/validate"',
        "cas_login_parameters": '{ authn_method = "mfa-duo" }',
        "cas_validate_parameters": '{ assurance = "high" }',
    },
    "Sign-in and sessions": {
        "session_lifetime_seconds": "28800",
        "cas_service_state": '"cookie"',
        "cas_logout": '"return"',
        "cas_logout_url": '"https://sso.example.org/logout"',
        "cas_logout_ends_offline_access": "false",
    },
    "Attributes and claims": {
        "attributes": '{ email = ["mail"], groups = ["memberOf"] }',
        "email_verified": "false",
        "email_template": '"{username}@example.org"',
        "groups_base": '"ou=groups,dc=example,dc=org"',
        "groups_from_dn": '"cn"',
        "group_map": '{ "cn=x1,ou=groups,dc=example,dc=org" = "staff" }',
        "groups_from_affiliation": "true",
        "subject_attribute": '"eduPersonUniqueId"',
        "username_attribute": '"uid"',
        "username_case": '"lower"',
        "username_pattern": '"[a-z][a-z0-9]{2,30}"',
    },
    "Clients": {"clients": '[{ client_id = "wiki", redirect_uris = ["https://wiki.example.org/cb"] }]'},
    "Tokens and keys": {
        "access_token_lifetime_seconds": "3600",
        "refresh_token_lifetime_seconds": "1209600",
        "grant_lifetime_seconds": "7776000",
        "secret_key": '"6f0c2b…64 hexadecimal digits"',
        "signing_key_max_age_seconds": "7776000",
    },
    "Limits": {
        "client_failures_per_minute": "30",
        "address_failures_per_minute": "120",
        "bad_tokens_per_minute": "600",
        "bad_callbacks_per_minute": "120",
    },
    "Appearance": {
        "support_contact": '"helpdesk@example.org"',
        "logo_file": '"/etc/passerelle/logo.svg"',
        "accent_color": '"#1d4ed8"',
    },
    "Server": {
        "database_url": '"postgresql://bridge:…@db.example.org/bridge"',
        "bind": '"0.0.0.0:8000"',
        "workers": "4",
        "proxy_hops": "1",
        "metrics_token": '"a-long-random-token"',
        "log_level": '"debug"',
    },
}
CLIENT_SUBJECTS: Mapping[str, Mapping[str, str]] = {
    "Identity and authentication": {
        "client_id": '"wiki"',
        "client_name": '"Wiki"',
        "client_secret": '"kX9v…"',
        "client_secret_file": '"/run/secrets/wiki"',
        "client_secret_hash": f'"sha256:{"4e9c" * 16}"',
        "former_secret_hash": f'"sha256:{"81b2" * 16}"',
        "require_pkce": "false",
        "grant_types": '["authorization_code", "refresh_token"]',
    },
    "Redirects and logout": {
        "redirect_uris": '["https://wiki.example.org/cb"]',
        "post_logout_redirect_uris": '["https://wiki.example.org/"]',
        "backchannel_logout_uri": '"https://wiki.example.org/logout"',
    },
    "Access": {
        "scopes": '["openid", "groups"]',
        "consent": "true",
        "allowed_groups": '["staff"]',
        "allowed_attributes": '{ eduPersonAffiliation = ["staff", "faculty"] }',
    },
    "Claims and tokens": {
        "claims": '["eduperson_orcid"]',
        "access_token_lifetime_seconds": "600",
        "refresh_token_lifetime_seconds": "86400",
        "identity_max_age_seconds": "3600",
        "subject_type": '"pairwise"',
        "sector_identifier": '"example.org"',
        "id_token_signed_response_alg": '"ES256"',
    },
}
CLAIMS = """\
### Default claims

Default sources of each claim; the setting `attributes` overrides them. An attribute name also matches its other
spellings: any case, `urn:oid:…`, `urn:mace:dir:attribute-def:…`, `sn` and `surname`, `eppn`. The scope `eduperson`
releases the claims that start with `eduperson`, `schac` and `supann`. A custom claim has a URI as its name and a list
as its value; clients receive it if their setting `claims` names it. `passerelle claims try` shows the claims of a user.

| claim | attributes | value |
|---|---|---|"""
FOOTER = """
---
Generated by `make docs` from the docstrings in `bridge/settings/model.py` and `bridge/settings/client.py`.
"""


def page() -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    for subject, examples in SUBJECTS.items():
        parts += [f"## {subject}\n", *_table(Settings, "PASSERELLE_{}", examples), ""]
        if subject == "Attributes and claims":
            parts += [CLAIMS, *_claims(), ""]
        if subject == "Clients":
            parts.append("A `[[clients]]` table has these settings.\n")
            for client_subject, client_examples in CLIENT_SUBJECTS.items():
                parts += [f"### {client_subject}\n", *_table(ClientSettings, "{}", client_examples), ""]
    return "\n".join(parts).rstrip("\n") + "\n" + FOOTER


def _claims() -> Iterator[str]:
    for claim, source in CLAIM_SOURCES.items():
        attributes = " ".join(f"`{name}`" for name in source.attributes) or "-"
        yield f"| `{claim}` | {attributes} | {'list' if source.is_list else 'single'} |"


def _table(model: type[BaseModel], spelling: str, examples: Mapping[str, str]) -> Iterator[str]:
    yield from ("| name | default | meaning | example |", "|---|---|---|---|")
    for name, example in examples.items():
        field = model.model_fields[name]
        written = spelling.format(name.upper() if "PASSERELLE" in spelling else name)
        meaning = " ".join((field.description or "").split())
        default = _default(field.get_default(call_default_factory=True))
        yield f"| `{written}` | {default} | {meaning} | `{name} = {_shortened(example)}` |"


def _shortened(example: str) -> str:
    return f"{example[:12]}…{example[-1]}" if "sha256:" in example else example


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, dict):
        return "see [default claims](#default-claims)" if value else "-"
    if isinstance(value, tuple):
        value = " ".join(value)
    if isinstance(value, bool):
        value = str(value).lower()
    return f"`{value}`" if value not in (None, "") else "-"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
