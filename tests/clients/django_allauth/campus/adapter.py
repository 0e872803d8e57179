"""Groups, which the library leaves to a site: those of each sign-in."""

from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.signals import social_account_added, social_account_updated
from django.contrib.auth.models import Group


class CampusAdapter(DefaultSocialAccountAdapter):
    """Called for a new user."""

    def save_user(self, request, sociallogin, form=None):
        user = super().save_user(request, sociallogin, form)
        take_groups(sociallogin)
        return user


def take_groups(sociallogin, **_):
    claims = sociallogin.account.get_provider_account().get_user_data()
    sociallogin.user.groups.set([Group.objects.get_or_create(name=name)[0] for name in claims.get("groups", [])])


social_account_added.connect(take_groups)
social_account_updated.connect(take_groups)
