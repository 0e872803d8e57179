"""A native program without a secret, which listens for one callback on a loopback address (RFC 8252).

It prints the URL to open, then the userinfo as JSON, and then runs the command in each line of standard input.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from secrets import token_urlsafe

from authlib.integrations.requests_client import OAuth2Session


class Listener(BaseHTTPRequestHandler):
    """Receives the callback."""

    def do_GET(self):
        self.server.callback = f"http://127.0.0.1:{self.server.server_port}{self.path}"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"You can close this window.")

    def log_message(self, *_):
        pass


def report(**fields):
    print(json.dumps(fields), flush=True)


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
report(open=address)
server.handle_request()
campus.fetch_token(
    metadata["token_endpoint"], authorization_response=server.callback, code_verifier=verifier, state=state
)
report(userinfo=campus.get(metadata["userinfo_endpoint"]).json())
for line in sys.stdin:
    before = dict(campus.token)
    if line == "refresh\n":
        campus.refresh_token(metadata["token_endpoint"])
        report(
            userinfo=campus.get(metadata["userinfo_endpoint"]).json(),
            new_access_token=campus.token["access_token"] != before["access_token"],
            new_refresh_token=campus.token["refresh_token"] != before["refresh_token"],
        )
    else:
        campus.revoke_token(
            metadata["revocation_endpoint"], token=before["refresh_token"], token_type_hint="refresh_token"
        )
        report(status=campus.get(metadata["userinfo_endpoint"]).status_code)
