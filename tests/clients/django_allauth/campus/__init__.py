"""A Django site that signs in with django-allauth, after its documentation."""
