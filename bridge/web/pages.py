"""What all pages share: the reader's language, the look, and how an error is told to a person.

The language is the browser's, or that of `ui_locales` where an application named one (OIDC Core §3.1.2.1). Templates
mark their texts by `{% trans %}`, errors theirs by `gettext_noop`; programs get English, whatever their user reads.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from babel.core import Locale
from babel.dates import format_datetime, format_timedelta
from babel.support import NullTranslations, Translations
from flask import Blueprint, Flask, Response, g, has_request_context, request
from markupsafe import Markup
from werkzeug.exceptions import HTTPException, NotFound

from bridge.errors import BridgeError, OAuthError, UnknownClient
from bridge.web.context import AppContext, current_context
from passerelle_common.i18n import LOCALE_DIR, gettext_noop

SOURCE_LANGUAGE = "en"
LANGUAGES = (SOURCE_LANGUAGE, "fr")
CATALOGUES = LOCALE_DIR
# An SVG picture is a document with scripts of its own when somebody opens it instead of looking at it in a page.
PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
MOMENT_SECONDS = 45
JUST_NOW = gettext_noop("just now")
PROGRAM_AT_FAULT = gettext_noop(
    "The application that sent you here asked for something that cannot be done. Tell the people who run it:"
)

_translations: dict[str, NullTranslations] = {
    language: NullTranslations() if language == SOURCE_LANGUAGE else Translations.load(CATALOGUES, [language])
    for language in LANGUAGES
}
blueprint = Blueprint("pages", __name__)


def dress(app: Flask, path: str, context: AppContext) -> None:
    """Give the templates what they share.

    :param path: of the issuer; addresses are made of it and not by url_for, which a broken Host header can stop
    """
    app.jinja_env.add_extension("jinja2.ext.i18n")
    # Installed by the extension, which is why its type does not know of it.
    app.jinja_env.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.globals["at"] = f"{path}{{}}".format
    app.jinja_env.filters |= {"ago": ago, "site": site_of}
    shared = {"look": context.appearance, "site_name": urlsplit(context.issuer).netloc, "language": language}
    app.context_processor(lambda: shared)
    app.register_blueprint(blueprint, url_prefix=path)
    app.after_request(name_language)


def prefer_languages(ui_locales: str | None) -> None:
    """From here on this request is answered in the first of these languages that there is."""
    if known := _first_known(ui_locales):
        g.language = known


def language() -> str:
    """The language of this page, as a tag for `lang`."""
    if not has_request_context():
        return SOURCE_LANGUAGE
    if "language" not in g:
        asked = _first_known(_asked_ui_locales())
        g.language = asked or request.accept_languages.best_match(LANGUAGES) or SOURCE_LANGUAGE
    return str(g.language)


def gettext(sentence: str) -> str:
    """The sentence in the reader's language, or as it is."""
    return str(_translations[language()].gettext(sentence)) if sentence else ""


def ngettext(singular: str, plural: str, number: int) -> str:
    """Likewise, by number."""
    return str(_translations[language()].ngettext(singular, plural, number))


def told(error: BridgeError) -> str:
    """What an error says to the person in front of the browser.

    A sentence that no catalogue knows is about a request that a program made: it stays English, and says so.
    """
    sentence = gettext(error.msgid)
    text = sentence % error.facts if error.facts else sentence
    if language() != SOURCE_LANGUAGE and sentence == error.msgid:
        text = Markup('<span lang="{}">{}</span>').format(SOURCE_LANGUAGE, text)
    if isinstance(error, OAuthError) and not isinstance(error, UnknownClient):
        return Markup("{} {}").format(gettext(PROGRAM_AT_FAULT), text)
    return text


def ago(moment: int) -> Markup:
    """A time as people say it, which needs no time zone: "2 hours ago", "in 14 days"; exactly, on pointing at it."""
    locale = Locale.parse(language())
    then = datetime.fromtimestamp(moment, UTC)
    away = moment - current_context().now()
    if abs(away) < MOMENT_SECONDS:
        words = gettext(JUST_NOW)
    else:
        words = format_timedelta(timedelta(seconds=away), add_direction=True, threshold=1.2, locale=locale)
    exact = format_datetime(then, "medium", tzinfo=UTC, locale=locale)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(then.isoformat(), exact, words)


def site_of(uri: str) -> str:
    """Where an address leads, as far as a person wants to know; empty for a program on the person's own device."""
    return urlsplit(uri).netloc


@blueprint.get("/static/theme.css")
def theme() -> Response:
    """The colours of this institution."""
    return _kept_by_browsers(Response(current_context().appearance.theme, content_type="text/css; charset=utf-8"))


@blueprint.get("/static/logo")
def logo() -> Response:
    """The picture of this institution."""
    picture = current_context().appearance.logo
    if picture is None:
        raise NotFound
    response = Response(picture.content, content_type=picture.media_type)
    response.headers["Content-Security-Policy"] = PICTURE_POLICY
    return _kept_by_browsers(response)


def name_language(response: Response) -> Response:
    """Say in which language the page is."""
    if response.mimetype == "text/html":
        response.headers["Content-Language"] = language()
    return response


def _kept_by_browsers(response: Response) -> Response:
    """They ask each time whether it is still the same."""
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


def _asked_ui_locales() -> str | None:
    """Of an authorization or logout request, in the address or in a form; a request may be too broken to tell."""
    with suppress(HTTPException, UnicodeError):
        return request.args.get("ui_locales") or request.form.get("ui_locales")
    return None


def _first_known(ui_locales: str | None) -> str | None:
    """Of language tags in the order of preference; `fr-CA` is served by `fr` (BCP 47)."""
    tags = [tag.lower().partition("-")[0] for tag in (ui_locales or "").split()]
    return next((tag for tag in tags if tag in LANGUAGES), None)
