"""A Flask application that signs in with Flask-Dance, after its documentation of custom providers."""

import os
from secrets import token_urlsafe
from urllib.parse import urlencode

from flask import Flask, jsonify, redirect, session, url_for
from flask_dance.consumer import OAuth2ConsumerBlueprint, oauth_authorized
from flask_dance.consumer.storage import BaseStorage

ISSUER, CLIENT_ID, CLIENT_SECRET = (os.environ[name] for name in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET"))
app = Flask(__name__)
app.config["SECRET_KEY"] = token_urlsafe()


class OnTheServer(BaseStorage):
    """Tokens by the browser's session: too long for its cookie, and not the browser's business."""

    def __init__(self):
        self.tokens = {}

    def get(self, blueprint):
        return self.tokens.get(session.get("id"))

    def set(self, blueprint, token):
        self.tokens[session.setdefault("id", token_urlsafe())] = token

    def delete(self, blueprint):
        self.tokens.pop(session.pop("id", None), None)


campus = OAuth2ConsumerBlueprint(
    "campus",
    __name__,
    client_id=CLIENT_ID,
    client_secret=CLIENT_SECRET,
    scope="openid profile email groups offline_access",
    authorization_url=f"{ISSUER}/authorize",
    token_url=f"{ISSUER}/token",
    auto_refresh_url=f"{ISSUER}/token",
    # No auto_refresh_kwargs: Flask-Dance sends the secret in the header, and one in the body as well is refused.
    use_pkce=True,
    redirect_to="me",
    storage=OnTheServer(),
)
app.register_blueprint(campus, url_prefix="/login")


@oauth_authorized.connect_via(campus)
def signed_in(blueprint, token):
    session["user"] = blueprint.session.get(f"{ISSUER}/userinfo").json()["sub"]


@app.route("/")
def home():
    return jsonify(user=session.get("user"))


@app.route("/me")
def me():
    return jsonify(campus.session.get(f"{ISSUER}/userinfo").json())


@app.route("/an-hour-later")
def an_hour_later():
    """As if the access token's time were over."""
    before = campus.token
    campus.token = before | {"expires_in": -1}
    answer = campus.session.get(f"{ISSUER}/userinfo")
    return jsonify(
        userinfo=answer.json(),
        new_access_token=campus.token["access_token"] != before["access_token"],
        new_refresh_token=campus.token["refresh_token"] != before["refresh_token"],
    )


@app.route("/logout")
def logout():
    hint = campus.token["id_token"]
    del campus.token
    session.clear()
    back = url_for("home", _external=True)
    return redirect(f"{ISSUER}/logout?{urlencode({'id_token_hint': hint, 'post_logout_redirect_uri': back})}")
