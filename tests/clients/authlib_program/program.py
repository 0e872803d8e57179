"""A program on somebody's own machine: no secret, a browser beside it, and a listener for the one answer (RFC 8252).

Prints the address to open; then a line of JSON; then, for each line that it reads, does what the line says.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from secrets import token_urlsafe

from authlib.integrations.requests_client import OAuth2Session


class Listener(BaseHTTPRequestHandler):
    """Takes the answer and tells the person to go back to the program."""

    def do_GET(self):
        self.server.answer = f"http://127.0.0.1:{self.server.server_port}{self.path}"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"You can close this window.")

    def log_message(self, *_):
        pass


def tell(**what):
    print(json.dumps(what), flush=True)


server = HTTPServer(("127.0.0.1", 0), Listener)
campus = OAuth2Session(
    os.environ["CLIENT_ID"],
    scope="openid profile email groups offline_access",
    redirect_uri=f"http://127.0.0.1:{server.server_port}/callback",
    code_challenge_method="S256",
    token_endpoint_auth_method="none",
    revocation_endpoint_auth_method="none",
)
metadata = campus.get(f"{os.environ['ISSUER']}/.well-known/openid-configuration", withhold_token=True).json()
verifier = token_urlsafe(48)
address, state = campus.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
tell(open=address)
server.handle_request()
campus.fetch_token(
    metadata["token_endpoint"], authorization_response=server.answer, code_verifier=verifier, state=state
)
tell(userinfo=campus.get(metadata["userinfo_endpoint"]).json())
for line in sys.stdin:
    before = dict(campus.token)
    if line == "refresh\n":
        campus.refresh_token(metadata["token_endpoint"])
        tell(
            userinfo=campus.get(metadata["userinfo_endpoint"]).json(),
            new_access_token=campus.token["access_token"] != before["access_token"],
            new_refresh_token=campus.token["refresh_token"] != before["refresh_token"],
        )
    else:
        campus.revoke_token(
            metadata["revocation_endpoint"], token=before["refresh_token"], token_type_hint="refresh_token"
        )
        tell(status=campus.get(metadata["userinfo_endpoint"]).status_code)
