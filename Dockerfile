# The service in an image: Python, a virtual environment with what requirements/runtime.txt pins, and nothing to build with.
# The embedded PostgreSQL is left out on purpose: a container connects to a database, it does not hold one.

ARG PYTHON_VERSION=3.13

FROM python:${PYTHON_VERSION}-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# The environment gets no pip of its own; the pip of this stage installs into it.
RUN python -m venv --without-pip /opt/token-ledger

# The dependencies are a layer of their own: they change less often than the code.
COPY requirements/runtime.txt requirements/
RUN python -m pip --python /opt/token-ledger/bin/python install \
        --require-hashes --only-binary :all: --requirement requirements/runtime.txt

COPY pyproject.toml README.md ./
COPY ledger ledger
COPY projections projections
COPY api api
COPY migrations migrations
RUN python -m venv /opt/build \
    && /opt/build/bin/python -m pip install --require-hashes --only-binary :all: --requirement requirements/build.txt \
    && /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python -m pip --python /opt/token-ledger/bin/python install --no-deps /wheels/*.whl


FROM python:${PYTHON_VERSION}-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="token-ledger" \
      org.opencontainers.image.description="OAuth 2.0 token service on an append-only ledger" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# The user has a name because the command line records who ran it; orchestrators check the number. pip goes: nothing
# installs anything from here on.
RUN groupadd --system --gid 10001 token-ledger \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin token-ledger \
    && python -m pip uninstall --yes --quiet --root-user-action ignore pip

COPY --from=build /opt/token-ledger /opt/token-ledger

# Bytecode was written at install; at run time the file system may be read-only.
ENV PATH=/opt/token-ledger/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TOKEN_LEDGER_HOST=0.0.0.0 \
    TOKEN_LEDGER_PORT=8085 \
    TOKEN_LEDGER_LOG_FORMAT=json

USER 10001:10001
EXPOSE 8085
STOPSIGNAL SIGTERM

# Alive, not ready: a container is replaced when this fails, and replacing one because its database is away helps
# nobody; the service comes back by itself. Point load balancers at /readyz. To listen elsewhere set TOKEN_LEDGER_PORT
# rather than --port, so that this follows.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-I", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['TOKEN_LEDGER_PORT']), timeout=2); c.request('GET', '/livez'); sys.exit(c.getresponse().status != 200)"]

ENTRYPOINT ["token-ledger"]
CMD ["serve"]
