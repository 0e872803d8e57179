"""A Flask application that signs in with idpyoidc and accepts back-channel logout."""

import os
from copy import deepcopy
from secrets import token_urlsafe

from cryptojwt import KeyJar
from flask import Flask, jsonify, redirect, request, session
from idpyoidc.client.defaults import DEFAULT_OIDC_SERVICES
from idpyoidc.client.oauth2.stand_alone_client import backchannel_logout
from idpyoidc.client.rp_handler import RPHandler
from idpyoidc.exception import MessageException

ISSUER, HOME = os.environ["ISSUER"], os.environ["HOME_URL"]
METHOD = "client_secret_basic"
SCOPES = ["openid", "profile", "email", "groups", "offline_access"]


def services():
    """Return the default services, with the secret in the header, and the service for logout."""
    found = deepcopy(DEFAULT_OIDC_SERVICES)
    for name in ("access_token", "refresh_access_token"):
        found[name]["kwargs"] = {"client_authn_methods": [METHOD]}
    return found | {"end_session": {"class": "idpyoidc.client.oidc.end_session.EndSession"}}


handler = RPHandler(
    base_url=HOME,
    client_configs={
        ISSUER: {
            "issuer": ISSUER,
            "client_type": "oidc",
            "client_id": os.environ["CLIENT_ID"],
            "client_secret": os.environ["CLIENT_SECRET"],
            "redirect_uris": [f"{HOME}callback"],
            "post_logout_redirect_uris": [HOME],
            "response_types": ["code"],
            "scope": SCOPES,
            "scopes_supported": SCOPES,
            "token_endpoint_auth_method": METHOD,
            "token_endpoint_auth_methods_supported": [METHOD],
            "allow": {},
            "add_ons": {
                "pkce": {
                    "function": "idpyoidc.client.oauth2.add_on.pkce.add_support",
                    "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"},
                }
            },
        }
    },
    services=services(),
    keyjar=KeyJar(),
    httpc_params={"verify": os.environ["REQUESTS_CA_BUNDLE"], "timeout": 15},
)
client = handler.client_setup(ISSUER)
app = Flask(__name__)
app.config["SECRET_KEY"] = token_urlsafe()
users = {}


@app.route("/")
def home():
    return jsonify(user=users.get(session.get("state")))


@app.route("/login")
def login():
    return redirect(client.init_authorization())


@app.route("/callback")
def callback():
    found = client.finalize(request.args.to_dict())
    session["state"] = found["state"]
    users[found["state"]] = found["userinfo"]["sub"]
    return jsonify(id_token=found["id_token"].to_dict(), userinfo=found["userinfo"].to_dict())


@app.route("/refresh")
def refresh():
    """Refresh the tokens; idpyoidc compares the new ID token with the old one."""
    names = ["access_token", "refresh_token"]
    before = client.get_context().cstate.get_set(session["state"], claim=names)
    client.refresh_access_token(session["state"])
    after = client.get_context().cstate.get_set(session["state"], claim=names)
    userinfo = client.get_user_info(session["state"]).to_dict()
    return jsonify({"userinfo": userinfo} | {f"new_{name}": after[name] != before[name] for name in names})


@app.route("/logout")
def logout():
    """Redirect to the bridge, which ends the session by back-channel logout."""
    return redirect(client.logout(session["state"])["url"])


@app.post("/backchannel-logout")
def receive_logout():
    try:
        state = backchannel_logout(client, request=request.get_data(as_text=True))
    except MessageException as error:
        return str(error), 400
    users.pop(state, None)
    client.clear_session(state)
    return "", 200
