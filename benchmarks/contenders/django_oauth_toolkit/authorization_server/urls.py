"""The endpoints of OAuth 2.0, and none for people."""

from django.urls import include, path
from oauth2_provider.urls import app_name, base_urlpatterns

urlpatterns = [path("o/", include((base_urlpatterns, app_name)))]
