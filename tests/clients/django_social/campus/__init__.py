"""A Django site that signs in with social-auth-app-django, after its documentation."""
