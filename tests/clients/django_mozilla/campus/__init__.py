"""A Django site that signs in with mozilla-django-oidc, after its documentation."""
