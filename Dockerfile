# The service image: Python, a virtual environment pinned by requirements/runtime.txt, and no build tools.
# The embedded PostgreSQL is left out on purpose: a container connects to a database and does not run one.

ARG PYTHON_VERSION=3.13

FROM python:${PYTHON_VERSION}-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# The runtime environment has no pip of its own; the pip of this stage installs into it.
RUN python -m venv --without-pip /opt/token-ledger

# Dependencies have their own layers, because they change less often than the code.
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN python -m pip --python /opt/token-ledger/bin/python install \
        --require-hashes --only-binary :all: --requirement requirements/runtime.txt
RUN python -m venv /opt/build \
    && /opt/build/bin/python -m pip install --require-hashes --only-binary :all: --requirement requirements/build.txt

COPY pyproject.toml README.md LICENSE ./
COPY ledger ledger
COPY projections projections
COPY api api
COPY migrations migrations
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python -m pip --python /opt/token-ledger/bin/python install --no-deps /wheels/*.whl


FROM python:${PYTHON_VERSION}-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="token-ledger" \
      org.opencontainers.image.description="OAuth 2.0 token service on an append-only ledger" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# The user has a name because the command line records it as the actor; orchestrators check the number. pip is removed:
# nothing is installed after this point.
RUN groupadd --system --gid 10001 token-ledger \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin token-ledger \
    && python -m pip uninstall --yes --quiet --root-user-action ignore pip

COPY --from=build /opt/token-ledger /opt/token-ledger

# Bytecode was compiled at install time; the file system may be read-only at run time.
ENV PATH=/opt/token-ledger/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TOKEN_LEDGER_HOST=0.0.0.0 \
    TOKEN_LEDGER_PORT=8085 \
    TOKEN_LEDGER_LOG_FORMAT=json

USER 10001:10001
EXPOSE 8085
STOPSIGNAL SIGTERM

# This checks liveness, not readiness: an unhealthy container is replaced, and replacing it while its database is down
# does not help, because the service recovers on its own. Point load balancers at /readyz. To change the port, set
# TOKEN_LEDGER_PORT instead of --port, so that this check uses the same one.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-I", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['TOKEN_LEDGER_PORT']), timeout=2); c.request('GET', '/livez'); sys.exit(c.getresponse().status != 200)"]

ENTRYPOINT ["token-ledger"]
CMD ["serve"]
