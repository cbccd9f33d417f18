"""The HTTP API: the application, requests and responses, and the endpoints."""
