"""A server's side of TLS, from the files of `certificates.write_certificate`."""

import ssl
from pathlib import Path


def server_context(folder: Path) -> ssl.SSLContext:
    """What a server with server.crt and server.key of this folder speaks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    return context
