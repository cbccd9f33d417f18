"""django-oauth-toolkit, of PyPI."""

from benchmarks.contenders.django_oauth_toolkit.contender import DjangoOAuthToolkit

CONTENDER = DjangoOAuthToolkit()
