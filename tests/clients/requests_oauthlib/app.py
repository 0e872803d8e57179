"""A web application that signs in with requests-oauthlib, as in its documentation of the web application flow."""

import os
from secrets import token_urlsafe
from urllib.parse import urlencode

from flask import Flask, jsonify, redirect, request, session, url_for
from requests_oauthlib import OAuth2Session

ISSUER, CLIENT_ID, CLIENT_SECRET = (os.environ[name] for name in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET"))
SCOPE = ["openid", "profile", "email", "groups", "offline_access"]
app = Flask(__name__)
app.config["SECRET_KEY"] = token_urlsafe()
pending, tokens = {}, {}


def campus(**options):
    """Return a session for one browser; the object holds the PKCE verifier."""
    return OAuth2Session(
        CLIENT_ID, redirect_uri=url_for("callback", _external=True), scope=SCOPE, pkce="S256", **options
    )


@app.route("/")
def home():
    return jsonify(user=session.get("user"))


@app.route("/login")
def login():
    flow = campus()
    address, session["state"] = flow.authorization_url(f"{ISSUER}/authorize")
    pending[session["state"]] = flow
    return redirect(address)


@app.route("/callback")
def callback():
    flow = pending.pop(session.pop("state"))
    token = flow.fetch_token(f"{ISSUER}/token", client_secret=CLIENT_SECRET, authorization_response=request.url)
    session["user"] = flow.get(f"{ISSUER}/userinfo").json()["sub"]
    tokens[session["user"]] = token
    return redirect(url_for("me"))


@app.route("/me")
def me():
    return jsonify(campus(token=tokens[session["user"]]).get(f"{ISSUER}/userinfo").json())


@app.route("/refresh")
def refresh():
    before = tokens[session["user"]]
    mine = campus(token=before)
    after = mine.refresh_token(f"{ISSUER}/token", client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    tokens[session["user"]] = after
    return jsonify(
        userinfo=mine.get(f"{ISSUER}/userinfo").json(),
        new_access_token=after["access_token"] != before["access_token"],
        new_refresh_token=after["refresh_token"] != before["refresh_token"],
    )


@app.route("/logout")
def logout():
    hint = tokens.pop(session.pop("user"))["id_token"]
    back = url_for("home", _external=True)
    return redirect(f"{ISSUER}/logout?{urlencode({'id_token_hint': hint, 'post_logout_redirect_uri': back})}")
