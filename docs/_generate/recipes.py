"""Writes docs/clients from the recipes: `make docs`. A test compares the two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bridge.oauth.clients import validate_client
from bridge.recipes import Configuration, Recipe, all_recipes, client_facts, configuration

FOLDER = Path(__file__).parents[1] / "clients"
OVERVIEW = "README.md"
ISSUER = "https://auth.example.org"
CLIENT_ID, CLIENT_SECRET, RANDOM = "CLIENT_ID", "CLIENT_SECRET", "32_RANDOM_CHARACTERS"
FENCES = {"form": "text", "env": "ini", "shell": "sh"}
KINDS = {
    "application": "Applications",
    "proxy": "In front of an application that cannot sign anybody in",
    "library": "Applications of your own",
    "program": "Programs on people's own machines",
}
INTRODUCTION = """\
# Connecting an application

Written by `make docs` from `bridge/recipes`; change the recipes there instead.

A recipe knows what an application has to be registered with here, and what its own configuration then says:

```sh
passerelle clients add Dashboards --recipe grafana --url https://grafana.example.org
```

registers it, and prints its id, its secret and its configuration, ready to paste. The secret is shown this once. In the
bundle, `docker compose exec bridge` goes before it. `--json` gives the same in fields; every other option is stronger
than the recipe (`passerelle clients add --help`). The file of a recipe of your own is taken as well: `--recipe
./mine.toml`.

What a recipe says was *run* against this bridge by a test of ours, at every change of it
([all clients that were](tested.md)); or *tried*: followed by hand from its page, once, on the day that is named; or
*derived*: written from the application's own documentation and parsed, but not yet seen to work. Where it is wrong, we
want to hear of it.

An application that moved is told so in one command, with the recipe that it was made with:

```sh
passerelle clients edit dashboards-1f --recipe grafana --url https://dashboards.example.net
```

takes along every address below the old one, shows what that changed, and prints the lines of the application's own
configuration that have its address. Its secret stays.

An application without a recipe finds everything at `https://auth.example.org/.well-known/openid-configuration`, and is
registered by `passerelle clients add NAME --redirect-uri URI`. It should send PKCE (S256), ask for `openid profile
email groups`, and read the user from the userinfo endpoint: the ID token only says who it is, unless the client is
registered with `--claim`.

NAME is what people read on the pages of this service: call the application as they do. One that knows people by their
e-mail address refuses those for whom CAS releases none; `email_template` of [the settings](../settings.md) makes them
one.

## Who becomes whom there

- **Groups.** Names like `staff`, `grafana-admins` or `wiki-admins` in a recipe are examples: whoever is in a group of
  that name at CAS gets what it gives. Write groups there that nobody can make for themselves.
- **Names.** Where users are found by `preferred_username`, who is called `admin` at CAS is the application's `admin`:
  rename local accounts first. `username_pattern` keeps names out that nobody should have.
- **Addresses.** Where accounts are found by `email`, set `email_verified = false` if people change theirs at CAS.

## Behind a private authority

Where the certificate of this service comes from an authority of your own, every application has to be told of it, for
it asks here by itself as well; and this service, where it tells applications of sign-outs:

| who asks | is told by |
|---|---|
| Apache mod_auth_openidc | `OIDCCABundlePath FILE` |
| Python with requests, like all our recipes for it | `REQUESTS_CA_BUNDLE=FILE`, which replaces those that it knows |
| other Python, programs with OpenSSL, Go | `SSL_CERT_FILE=FILE`, which replaces the system's |
| Node.js | `NODE_EXTRA_CA_CERTS=FILE`, beside those that it knows |
| PHP | `curl.cainfo=FILE` in php.ini, in place of those that it knows |
| WordPress | a line of PHP, which its page has |
| the bridge, towards a `backchannel_logout_uri` | `SSL_CERT_FILE=FILE`; towards CAS it is `cas_ca_file` |

On the machine itself, `update-ca-certificates` (Debian) makes an authority known to all programs that go by the
system's, which requests, Node.js and WordPress do not. `passerelle check` warns of each application whose certificate
the bridge does not trust, or that it cannot reach.
"""
MANY = """
## Many at once

```sh
passerelle clients export > clients.toml
passerelle clients apply clients.toml
```

`apply` makes the registered clients be what the file says: it shows what that changes, field by field, asks, and does
all of it or nothing. The file has `[[clients]]` with the fields of [the settings](../settings.md#clients), and three
words of its own: `client_secret_hash = "generate"` gives a new client a secret, told once, and lets one that exists
keep what it has; `disabled = true`; and `public = true`, without which no client loses its secret. `--prune`
removes who is not in the file, `--dry-run` ends with status 3 when there would be changes, `--secrets-file` keeps new
secrets off the screen.

`export` writes no secret, because none is kept, and hashes only with `--hashes`: they move clients to another
installation without new secrets, and let somebody who has the file try out secrets that a person thought up.
"""


def pages() -> dict[str, str]:
    """Every page by the name of its file."""
    recipes = all_recipes()
    return {OVERVIEW: _overview(recipes), **{f"{recipe.name}.md": _page(recipe) for recipe in recipes}}


def _overview(recipes: tuple[Recipe, ...]) -> str:
    parts = [INTRODUCTION]
    for kind, title in KINDS.items():
        rows = [
            f"| [{recipe.title}]({recipe.name}.md) | `{recipe.name}` | {recipe.describes} | {_run_with(recipe)} |"
            for recipe in recipes
            if recipe.kind == kind
        ]
        parts.append(
            "\n".join(
                [f"## {title}\n", "| application | recipe | written for | run with |", "|---|---|---|---|", *rows, ""]
            )
        )
    return "\n".join(parts) + MANY


def _run_with(recipe: Recipe) -> str:
    if recipe.tried_with is not None:
        return f"not yet; tried by hand with {recipe.tried_with.version}, {recipe.tried_with.day}"
    return "not yet" if recipe.run_with is None else f"{recipe.run_with.version} (`{recipe.run_with.test}`)"


def _page(recipe: Recipe) -> str:
    filled = _filled(recipe)
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
        "registers it under the name that people will read, and prints what follows, with its own id and secret in it."
        f"{means}\n\n{blocks}{then}"
        f"## What it is registered with\n\n{_facts(recipe)}\n\n"
        "## What to expect\n\n" + "".join(f"- **{name.capitalize()}.** {said}\n" for name, said in filled.tells.items())
    )


def _filled(recipe: Recipe) -> Configuration:
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
            f"**Tried** by hand, once, with {tried.version} on {tried.day}: {', '.join(tried.steps)}. No test runs it "
            f"yet. Written for {recipe.describes}, from:"
        )
    return f"**Derived**, not run yet: written for {recipe.describes}, from:"


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
    """Write all pages, and remove those of recipes that are gone."""
    FOLDER.mkdir(exist_ok=True)
    written = pages()
    for page in FOLDER.glob("*.md"):
        is_ours = "Written by `make docs` from `bridge/recipes" in page.read_text(encoding="utf-8")
        if is_ours and page.name not in written:
            page.unlink()
    for name, text in written.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
