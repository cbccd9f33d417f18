"""Configuration of gunicorn: WORKERS processes with four threads each, on PORT."""

import os

wsgi_app = "authorization_server.wsgi:application"
bind = f"127.0.0.1:{os.environ['PORT']}"
workers = int(os.environ["WORKERS"])
worker_class = "gthread"
threads = 4
preload_app = True
# Longer than the idle timeout of a proxy, so that the proxy closes connections first.
keepalive = 75
accesslog = None
loglevel = "warning"
control_socket_disable = True
