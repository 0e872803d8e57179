"""Pages of the site itself: a start page, buttons, and a view that refreshes tokens."""

import requests
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LogoutView
from django.http import HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import path

FORM = '<form method="post" action="/{}"><input type="hidden" name="csrfmiddlewaretoken" value="{}"></form>'


def home(request):
    """Return the Django user, and the groups that the library stores."""
    user = request.user
    if not user.is_authenticated:
        return JsonResponse({"user": None})
    known = {
        "user": user.get_username(),
        "email": user.email,
        "name": user.get_full_name(),
        "groups": sorted(user.groups.values_list("name", flat=True)),
    }
    if hasattr(user, "socialaccount_set"):
        known["stored_groups"] = user.socialaccount_set.get().get_provider_account().get_user_data()["groups"]
    if hasattr(user, "social_auth"):
        known["stored_groups"] = user.social_auth.get().extra_data["groups"]
    return JsonResponse(known)


def button(request, to):
    """Return a page with a form that has a CSRF token."""
    return HttpResponse(FORM.format(to, get_token(request)))


def buttons(request):
    """Render the template of the recipe."""
    return render(request, "buttons.html")


@login_required
def refresh(request):
    """Refresh the tokens with social-auth."""
    from social_django.utils import load_strategy

    account = request.user.social_auth.get()
    before = dict(account.extra_data)
    strategy = load_strategy(request)
    account.refresh_token(strategy)
    after = request.user.social_auth.get().extra_data
    endpoint = account.get_backend_instance(strategy).userinfo_url()
    response = requests.get(endpoint, headers={"Authorization": f"Bearer {after['access_token']}"}, timeout=10)
    new = {f"new_{name}": after[name] != before[name] for name in ("access_token", "refresh_token")}
    return JsonResponse({"user": response.json()["sub"]} | new)


pages = [
    path("", home),
    path("button/<path:to>", button),
    path("buttons", buttons),
    path("refresh", refresh),
    path("sign-out", LogoutView.as_view()),
]
