"""Users by their name at CAS instead of their address, and their groups: what the library leaves to a site."""

from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import Group
from django.urls import reverse
from mozilla_django_oidc.auth import OIDCAuthenticationBackend


class CampusUsers(OIDCAuthenticationBackend):
    """Each sign-in, and each renewal, brings the groups of now."""

    def filter_users_by_claims(self, claims):
        return self.UserModel.objects.filter(username=claims["preferred_username"])

    def get_username(self, claims):
        return claims["preferred_username"]

    def create_user(self, claims):
        return self.update_user(super().create_user(claims), claims)

    def update_user(self, user, claims):
        user.groups.set([Group.objects.get_or_create(name=name)[0] for name in claims.get("groups", [])])
        return user


def logout_url(request):
    """Where the library sends the browser after it signed out here."""
    back = request.build_absolute_uri(reverse("home"))
    query = {"id_token_hint": request.session["oidc_id_token"], "post_logout_redirect_uri": back}
    return f"{settings.ISSUER}/logout?{urlencode(query)}"
