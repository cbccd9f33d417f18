"""A Django project with only django-oauth-toolkit."""
