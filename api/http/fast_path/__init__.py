"""The HTTP server, with a fast path through aiohttp for small forms. `server.create_runner` is the entry point.

Which requests take the fast path: a POST over HTTP/1.1 for exactly the path of a form endpoint, without a query string,
whose body of at most 16 KiB has arrived whole, while no other request waits on the connection. `Expect`, `Upgrade`,
`Connection: close` and `Content-Encoding` exclude a request. All others take aiohttp's way and get the same responses.

What it skips: waking aiohttp's reading task, and creating a `StreamWriter`, a `web.Request` and a task for it to await.
aiohttp still parses the request, holds the requests that arrive meanwhile, and closes idle connections.

What it needs of aiohttp: the private attributes in `connection.REQUIRED`, and that the reading task waits for the
future `_waiter` only while no request is being handled. `create_runner` checks at start that the attributes exist. If
one is missing, it logs `fast path unavailable` and leaves all requests to aiohttp. Two things are then lost: responses
to clients that have shut down their sending side, and request bodies that arrive while the server stops.
"""
