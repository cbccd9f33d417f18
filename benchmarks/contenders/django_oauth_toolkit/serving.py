"""How gunicorn serves it: WORKERS processes of a few threads each, on PORT."""

import os

wsgi_app = "authorization_server.wsgi:application"
bind = f"127.0.0.1:{os.environ['PORT']}"
workers = int(os.environ["WORKERS"])
worker_class = "gthread"
threads = 4
preload_app = True
# Longer than a proxy in front keeps an idle connection, so that it is the proxy which closes.
keepalive = 75
accesslog = None
loglevel = "warning"
control_socket_disable = True
