"""The pages of the site: the start page with a button to sign in or out, and what the site knows of its user."""

from campus import urls
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.urls import path, reverse

FORM = '<form method="post" action="{}"><input type="hidden" name="csrfmiddlewaretoken" value="{}"></form>'


def home(request):
    knows_them = request.user.is_authenticated
    said = f"{request.user} is signed in." if knows_them else "Nobody is signed in."
    address = reverse(urls.SIGN_OUT) if knows_them else settings.LOGIN_URL
    return HttpResponse(said + FORM.format(address, get_token(request)))


@login_required
def me(request):
    user = request.user
    groups = sorted(user.groups.values_list("name", flat=True))
    return JsonResponse({"user": user.get_username(), "email": user.email, "groups": groups})


urlpatterns = [path("", home, name="home"), path("me", me), *urls.urlpatterns]
