"""A Django project with nothing but django-oauth-toolkit."""
