"""The pages of the bridge: language, appearance and error descriptions.

The language comes from `ui_locales` of the application (OIDC Core §3.1.2.1), else from the browser. Programs always
get English.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from babel.core import Locale
from babel.dates import format_datetime, format_timedelta
from flask import Blueprint, Flask, Response, g, has_request_context, request
from markupsafe import Markup
from werkzeug.exceptions import HTTPException, NotFound

from bridge.errors import BridgeError
from bridge.errors.oauth import OAuthError, UnknownClient
from bridge.web.context import AppContext, current_context
from passerelle_common.i18n import (
    SOURCE_LANGUAGE,
    gettext_noop,
    is_translated,
    negotiate_language,
    translate,
    translations,
)

# An SVG file can contain scripts, which would run if it were opened as a document.
LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
JUST_NOW_SECONDS = 45
JUST_NOW = gettext_noop("just now")
INVALID_CLIENT_REQUEST = gettext_noop(
    "The application that sent you here made an invalid request. Contact the support of that application:"
)

blueprint = Blueprint("pages", __name__)


def init_templates(app: Flask, path: str, context: AppContext) -> None:
    """Add translations, filters and shared values to the templates.

    URLs are built from the path of the issuer, because url_for fails for an invalid Host header.
    """
    app.jinja_env.add_extension("jinja2.ext.i18n")
    # A method of the extension, which mypy does not see.
    app.jinja_env.install_gettext_callables(gettext, _ngettext, newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.globals |= {"path": f"{path}{{}}".format, "asset": f"{path}/static/{{}}".format}
    app.jinja_env.filters |= {"ago": relative_time, "host": host_of}
    shared = {
        "appearance": context.appearance,
        "site_name": urlsplit(context.provider.issuer).netloc,
        "language": current_language,
    }
    app.context_processor(lambda: shared)
    app.register_blueprint(blueprint, url_prefix=path)
    app.after_request(_add_content_language)


def current_language() -> str:
    """Return the language of this page, as a tag for `lang`."""
    if not has_request_context():
        return SOURCE_LANGUAGE
    if "language" not in g:
        set_ui_locales(_requested_ui_locales())
    return str(g.language)


def set_ui_locales(ui_locales: str | None) -> None:
    """Choose the language of this response: the first supported one of `ui_locales`, else that of the browser."""
    preferences = [*(ui_locales or "").split(), request.headers.get("Accept-Language", "")]
    g.language = negotiate_language(",".join(preferences))


def gettext(message: str) -> str:
    """Translate a message to the language of this page."""
    return translate(message, current_language())


def _ngettext(singular: str, plural: str, number: int) -> str:
    return translations(current_language()).ngettext(singular, plural, number)


def localized_description(error: BridgeError) -> str:
    """Return the description of an error in the language of this page.

    Errors of programs have no translation: they are marked as English and introduced by a sentence for the user.
    """
    text = gettext(error.msgid)
    text = text % error.facts if error.facts else text
    if not is_translated(error.msgid, current_language()):
        text = Markup('<span lang="{}">{}</span>').format(SOURCE_LANGUAGE, text)
    if isinstance(error, OAuthError) and not isinstance(error, UnknownClient):
        return Markup("{} {}").format(gettext(INVALID_CLIENT_REQUEST), text)
    return text


def relative_time(moment: int) -> Markup:
    """Format Unix seconds without a time zone, as "2 hours ago"; the exact time is in the title."""
    locale = Locale.parse(current_language())
    then = datetime.fromtimestamp(moment, UTC)
    offset = moment - current_context().provider.now()
    if abs(offset) < JUST_NOW_SECONDS:
        words = gettext(JUST_NOW)
    else:
        words = format_timedelta(timedelta(seconds=offset), add_direction=True, threshold=1.2, locale=locale)
    exact = format_datetime(then, "medium", tzinfo=UTC, locale=locale)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(then.isoformat(), exact, words)


def host_of(uri: str) -> str:
    """Return the host of a URI for display; empty for an application on the user's device."""
    return urlsplit(uri).netloc


@blueprint.get("/static/theme.css")
def theme() -> Response:
    """Return the stylesheet with the configured colour."""
    return _revalidated(Response(current_context().appearance.theme, content_type="text/css; charset=utf-8"))


@blueprint.get("/static/logo")
def logo() -> Response:
    """Return the configured logo."""
    picture = current_context().appearance.logo
    if picture is None:
        raise NotFound
    response = Response(picture[0], content_type=picture[1])
    response.headers["Content-Security-Policy"] = LOGO_POLICY
    return _revalidated(response)


def _add_content_language(response: Response) -> Response:
    if response.mimetype == "text/html":
        response.headers["Content-Language"] = current_language()
    return response


def _revalidated(response: Response) -> Response:
    """Let browsers cache a response and revalidate it with an ETag."""
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


def _requested_ui_locales() -> str | None:
    """Return `ui_locales` of an authorization or logout request; a malformed request has none."""
    with suppress(HTTPException, UnicodeError):
        return request.args.get("ui_locales") or request.form.get("ui_locales")
    return None
