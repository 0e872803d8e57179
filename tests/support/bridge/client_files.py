"""Files for `passerelle clients apply`, and the clients that they register."""

from __future__ import annotations

import json
from typing import Any

from click.testing import Result

from tests.support.bridge.client_command import ClientCommand

WIKI = """
[[clients]]
client_id = "wiki"
client_name = "The Wiki"
client_secret_hash = "generate"
redirect_uris = ["https://wiki.example.org/cb"]
"""
PAGE = """
[[clients]]
client_id = "page"
redirect_uris = ["https://page.example.org/cb"]
allowed_attributes = { uid = ["a", "b"] }
"""


def write_file(command: ClientCommand, text: str) -> str:
    file = command.database.with_name("clients.toml")
    file.write_text(text, encoding="utf-8")
    return str(file)


def apply(command: ClientCommand, text: str, *words: str, typed: str = "") -> Result:
    return command.run("apply", write_file(command, text), *words, typed=typed)


def apply_json(command: ClientCommand, text: str, *words: str) -> dict[str, Any]:
    result = apply(command, text, "--yes", "--json", *words)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def documents(command: ClientCommand) -> dict[str, dict[str, Any]]:
    store = command.store()
    found = {client.client_id: json.loads(client.document) for client in store.clients.all()}
    store.close()
    return found
