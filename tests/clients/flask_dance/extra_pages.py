"""The application of the recipe, and a page that expires its token."""

from app import app, cas
from flask import jsonify, session


@app.get("/an-hour-later")
def an_hour_later():
    cas.token = cas.token | {"expires_in": -1}
    return home_and_tokens()


@app.get("/tokens")
def home_and_tokens():
    names = ("access_token", "refresh_token", "expires_in")
    return jsonify({name: cas.token[name] for name in names} if cas.token else {"session": dict(session)})
