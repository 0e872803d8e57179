"""A Flask application that signs in with Authlib, as in its documentation, and keeps tokens on the server."""

import os
from secrets import token_urlsafe

from authlib.integrations.flask_client import OAuth
from flask import Flask, jsonify, redirect, session, url_for

app = Flask(__name__)
app.config["SECRET_KEY"] = token_urlsafe()
app.config["CAMPUS_CLIENT_ID"] = os.environ["CLIENT_ID"]
app.config["CAMPUS_CLIENT_SECRET"] = os.environ["CLIENT_SECRET"]
tokens = {}
refreshed = []


def update_token(name, token, refresh_token=None, access_token=None):
    """Store a token that Authlib refreshed."""
    tokens[session["user"]] |= token
    refreshed.append(name)


oauth = OAuth(app, fetch_token=lambda name: tokens.get(session.get("user")), update_token=update_token)
campus = oauth.register(
    "campus",
    server_metadata_url=f"{os.environ['ISSUER']}/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email groups offline_access", "code_challenge_method": "S256"},
)


@app.route("/")
def home():
    return jsonify(user=session.get("user"))


@app.route("/login")
def login():
    return campus.authorize_redirect(url_for("callback", _external=True))


@app.route("/callback")
def callback():
    token = campus.authorize_access_token()
    session["user"] = token["userinfo"]["sub"]
    tokens[session["user"]] = token
    return redirect(url_for("me"))


@app.route("/me")
def me():
    """Return the userinfo; Authlib refreshes an access token that is about to expire."""
    return jsonify(
        id_token=tokens[session["user"]]["userinfo"], userinfo=dict(campus.userinfo()), refreshed=len(refreshed)
    )


@app.route("/logout")
def logout():
    token = tokens.pop(session.pop("user"))
    return campus.logout_redirect(url_for("signed_out", _external=True), id_token_hint=token["id_token"])


@app.route("/signed-out")
def signed_out():
    campus.validate_logout_response()
    return "You are signed out."
