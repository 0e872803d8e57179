"""Generator of docs/clients from the recipes (`make docs`). A test compares the pages with its output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bridge.oauth.clients import validate_client
from bridge.recipes.configuration import client_facts, fill_recipe
from bridge.recipes.model import Recipe, all_recipes

FOLDER = Path(__file__).parents[1] / "clients"
OVERVIEW = "README.md"
ISSUER = "https://auth.example.org"
CLIENT_ID, CLIENT_SECRET, RANDOM = "CLIENT_ID", "CLIENT_SECRET", "32_RANDOM_CHARACTERS"
FENCES = {"form": "text", "env": "ini", "shell": "sh"}
KINDS = {
    "application": "Applications",
    "proxy": "In front of an application without a sign-in",
    "library": "Your own applications",
    "program": "Programs on users' machines",
}
INTRODUCTION = """\
# Connecting an application

Written by `make docs` from `bridge/recipes`; change the recipes there instead.

A recipe contains the registration of an application and its configuration:

```sh
passerelle clients add Dashboards --recipe grafana --url https://grafana.example.org
```

This registers the application. It prints the client_id, the secret and the configuration, ready to paste. The secret is
shown only once. In the bundle, prefix the command with `docker compose exec bridge`. `--json` prints the same as
fields. Explicit options override the recipe (`passerelle clients add --help`). You can also pass your own recipe file:
`--recipe ./mine.toml`.

Each page says how its recipe was tested. *Run* means that an automated test signs in with it after every change
([all tested clients](tested.md)). *Tried* means a manual test, once, on the given day. *Derived* means that the recipe
follows the application's documentation and parses, but has not been tested. Please report errors.

If an application's URL changes, update it with one command, using its original recipe:

```sh
passerelle clients edit dashboards-1f --recipe grafana --url https://dashboards.example.net
```

The command moves every address below the old URL and prints the changes. It also prints the lines of the application's
configuration that contain its URL. The secret stays the same.

An application without a recipe reads `https://auth.example.org/.well-known/openid-configuration`. Register it with
`passerelle clients add NAME --redirect-uri URI`. Configure it to send PKCE (S256), to request the scopes `openid
profile email groups`, and to read the claims from the userinfo endpoint. The ID token contains only the subject, unless
you register the client with `--claim`.

Users see NAME on the pages of this service, so choose the name that they know. Applications that identify users by
e-mail address reject users without one; `email_template` of [the settings](../settings.md) generates addresses.

## Access and accounts

- **Groups.** Group names in a recipe, such as `staff`, `grafana-admins` or `wiki-admins`, are examples. A member of a
  group of that name in CAS gets its rights. Use groups that users cannot create themselves.
- **Names.** If an application finds users by `preferred_username`, the CAS user `admin` gets the application's account
  `admin`. Rename local accounts first, or exclude names with `username_pattern`.
- **Addresses.** If an application finds accounts by `email`, set `email_verified = false` if users can change their
  address in CAS.

## Behind a private certificate authority

If a private authority issued the certificate of this service, every application must trust it, because applications
also connect to the service directly. The bridge must trust the certificates of applications for back-channel logout.

| client of the connection | configuration |
|---|---|
| Apache mod_auth_openidc | `OIDCCABundlePath FILE` |
| Python with requests, as in all recipes for Python | `REQUESTS_CA_BUNDLE=FILE`, which replaces the built-in list |
| other Python, programs with OpenSSL, Go | `SSL_CERT_FILE=FILE`, which replaces the system's list |
| Node.js | `NODE_EXTRA_CA_CERTS=FILE`, in addition to the built-in list |
| PHP | `curl.cainfo=FILE` in php.ini, which replaces the built-in list |
| WordPress | the line of PHP on its page |
| the bridge, to a `backchannel_logout_uri` | `SSL_CERT_FILE=FILE`; to CAS, use `cas_ca_file` |

`update-ca-certificates` (Debian) adds an authority to the system's list. requests, Node.js and WordPress ignore that
list. `passerelle check` warns about applications that the bridge cannot reach or does not trust.
"""
BULK = """
## Many clients at once

```sh
passerelle clients export > clients.toml
passerelle clients apply clients.toml
```

`apply` compares the file with the registered clients, prints each changed field, asks for confirmation, and applies all
changes or none. The file has `[[clients]]` tables with the fields of [the settings](../settings.md#clients), and three
additions:

- `client_secret_hash = "generate"` generates a secret for a new client and shows it once. An existing client keeps its
  secret.
- `disabled = true` disables a client.
- `public = true` makes a client public. Without it, no client loses its secret.

`--prune` removes clients that are not in the file. `--dry-run` exits with status 3 if there are changes.
`--secrets-file` writes new secrets to a file instead of the terminal.

`export` writes no secrets, because the bridge stores none. `--hashes` adds their hashes, which lets another
installation accept the same secrets. An attacker with such a file can guess weak secrets.
"""


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    recipes = all_recipes()
    return {OVERVIEW: _overview(recipes), **{f"{recipe.name}.md": _page(recipe) for recipe in recipes}}


def _overview(recipes: tuple[Recipe, ...]) -> str:
    parts = [INTRODUCTION]
    for kind, title in KINDS.items():
        rows = [
            f"| [{recipe.title}]({recipe.name}.md) | `{recipe.name}` | {recipe.describes} | {_tested(recipe)} |"
            for recipe in recipes
            if recipe.kind == kind
        ]
        parts.append(
            "\n".join(
                [
                    f"## {title}\n",
                    "| application | recipe | written for | tested with |",
                    "|---|---|---|---|",
                    *rows,
                    "",
                ]
            )
        )
    return "\n".join(parts) + BULK


def _tested(recipe: Recipe) -> str:
    if recipe.tried_with is not None:
        return f"by hand with {recipe.tried_with.version}, {recipe.tried_with.day}"
    return "not tested" if recipe.run_with is None else f"{recipe.run_with.version} (`{recipe.run_with.test}`)"


def _page(recipe: Recipe) -> str:
    filled = _fill(recipe)
    sources = "".join(f"- <{page}>\n" for page in recipe.derived_from)
    where = "" if recipe.example is None else f" --url {recipe.example}"
    means = f" `--url` is {recipe.address_is}." if recipe.address_is else ""
    blocks = "".join(
        f"Into {_place(block.into)}:\n\n```{FENCES.get(block.language, block.language)}\n{block.text}\n```\n\n"
        for block in filled.blocks
    )
    then = f"{filled.then}\n\n" if filled.then else ""
    return (
        f"# {recipe.title}\n\nWritten by `make docs` from `bridge/recipes/{recipe.name}.toml`.\n\n"
        f"{recipe.what}\n\n{_evidence(recipe)}\n\n{sources}\n"
        f"```sh\npasserelle clients add {_name(recipe)} --recipe {recipe.name}{where}\n```\n\n"
        "This registers the application and prints the following configuration with its client_id and secret."
        f"{means}\n\n{blocks}{then}"
        f"## Registration\n\n{_facts(recipe)}\n\n"
        "## Behaviour\n\n" + "".join(f"- **{name.capitalize()}.** {text}\n" for name, text in filled.tells)
    )


def _fill(recipe: Recipe) -> Recipe:
    secret: dict[str, Any] = {} if recipe.client.public else {"client_secret": CLIENT_SECRET}
    return fill_recipe(
        recipe,
        validate_client({"client_id": CLIENT_ID, **client_facts(recipe, recipe.example), **secret}),
        issuer=ISSUER,
        client_secret=None if recipe.client.public else CLIENT_SECRET,
        url=recipe.example,
        random=lambda: RANDOM,
    )


def _evidence(recipe: Recipe) -> str:
    if recipe.run_with is not None:
        return (
            f"**Run** against this bridge with {recipe.run_with.version} (`{recipe.run_with.test}`). "
            f"Written for {recipe.describes}, from:"
        )
    if recipe.tried_with is not None:
        tried = recipe.tried_with
        return (
            f"**Tried** by hand with {tried.version} on {tried.day}: {', '.join(tried.steps)}. There is no automated "
            f"test. Written for {recipe.describes}, from:"
        )
    return f"**Derived** from documentation and not tested. Written for {recipe.describes}, from:"


def _place(into: str) -> str:
    return into if " " in into else f"`{into}`"


def _name(recipe: Recipe) -> str:
    title = {"library": "Our site", "proxy": "Our site"}.get(recipe.kind, recipe.title)
    return f"'{title}'" if " " in title else title


def _facts(recipe: Recipe) -> str:
    facts = {"public": recipe.client.public, **client_facts(recipe, recipe.example)}
    rows = [
        f"| `{name}` | {_cell(value)} |"
        for name, value in sorted(facts.items())
        if value is not False or name != "public"
    ]
    return "\n".join(["| field | value |", "|---|---|", *rows])


def _cell(value: Any) -> str:
    if isinstance(value, tuple):
        return "<br>".join(f"`{each}`" for each in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def write() -> None:
    """Write all pages, and delete those of removed recipes."""
    FOLDER.mkdir(exist_ok=True)
    generated = pages()
    for page in FOLDER.glob("*.md"):
        is_generated = "Written by `make docs` from `bridge/recipes" in page.read_text(encoding="utf-8")
        if is_generated and page.name not in generated:
            page.unlink()
    for name, text in generated.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
