"""The addresses of social-auth-app-django; and what it leaves to a site: renewing on demand, and signing out."""

from urllib.parse import urlencode

import requests
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpResponseRedirect, JsonResponse
from django.urls import include, path, reverse
from django.views.decorators.http import require_POST
from social_django.utils import load_strategy

SIGN_OUT = "sign_out"


@login_required
def refresh(request):
    account = request.user.social_auth.get(provider="oidc")
    before = dict(account.extra_data)
    account.refresh_token(load_strategy(request))
    after = request.user.social_auth.get(provider="oidc").extra_data
    answer = requests.get(
        f"{settings.ISSUER}/userinfo", headers={"Authorization": f"Bearer {after['access_token']}"}, timeout=10
    )
    new = {f"new_{name}": after[name] != before[name] for name in ("access_token", "refresh_token")}
    return JsonResponse({"user": answer.json()["sub"]} | new)


@require_POST
def sign_out(request):
    hint = request.user.social_auth.get(provider="oidc").extra_data["id_token"]
    logout(request)
    back = request.build_absolute_uri(reverse("home"))
    query = urlencode({"id_token_hint": hint, "post_logout_redirect_uri": back})
    return HttpResponseRedirect(f"{settings.ISSUER}/logout?{query}")


urlpatterns = [
    path("", include("social_django.urls", namespace="social")),
    path("refresh", refresh),
    path("sign-out", sign_out, name=SIGN_OUT),
]
