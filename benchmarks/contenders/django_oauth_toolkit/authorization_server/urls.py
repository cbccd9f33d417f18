"""The endpoints for machine clients."""

from django.urls import path
from oauth2_provider import views

urlpatterns = [
    path("o/token/", views.TokenView.as_view()),
    path("o/introspect/", views.IntrospectTokenView.as_view()),
    path("o/revoke_token/", views.RevokeTokenView.as_view()),
]
