"""django-oauth-toolkit, a Django application, served by gunicorn from a virtual environment of its own."""

import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contenders.contender import (
    CLIENT_ID,
    CLIENT_SECRET,
    RESOURCE_SERVER_ID,
    RESOURCE_SERVER_SECRET,
    Database,
)
from benchmarks.contenders.installing import installing
from benchmarks.contenders.running_server import RunningServer
from benchmarks.contenders.starting import answering, run

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
COMPONENTS = ("django-oauth-toolkit", "Django", "oauthlib", "psycopg", "gunicorn")
INSTALL_SECONDS = 600.0
COMMAND_SECONDS = 120.0
CLIENTS = ((CLIENT_ID, CLIENT_SECRET), (RESOURCE_SERVER_ID, RESOURCE_SERVER_SECRET))


class DjangoOAuthToolkit:
    """A Django project with nothing else in it."""

    name = "django-oauth-toolkit"
    notes = (
        "A Django project of three endpoints, `DEBUG` off, in gunicorn's `gthread` workers of four threads, which "
        "keep connections of clients open. Each thread keeps its connection to PostgreSQL and prepares statements "
        "there. Secrets of clients are stored as they are (`--no-hash-client-secret`), so that no request spends time "
        "on PBKDF2; of tokens only a hash is stored, as it recommends. Logs are at `WARNING`. gunicorn parses HTTP in "
        "Python: its parser in C has no wheel for every version of Python."
    )

    def set_up(self, folder: Path) -> Mapping[str, str]:
        folder.mkdir(parents=True, exist_ok=True)
        python = _python(folder)
        with installing(folder, REQUIREMENTS) as needed:
            if needed:
                run([sys.executable, "-m", "venv", "--clear", str(python.parents[1])], seconds=INSTALL_SECONDS)
                pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
                pinned = ["--require-hashes", "--only-binary", ":all:", "-r", str(REQUIREMENTS)]
                run([*pip, *pinned], seconds=INSTALL_SECONDS)
        ask = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
        versions = run([str(python), "-c", ask, *COMPONENTS], seconds=COMMAND_SECONDS).split()
        interpreter = run([str(python), "--version"], seconds=COMMAND_SECONDS).split()[-1]
        return {**dict(zip(COMPONENTS, versions, strict=True)), "Python": interpreter}

    @contextmanager
    def running(self, folder: Path, database: Database, *, port: int, processes: int) -> Iterator[RunningServer]:
        python = str(_python(folder))
        environment = {
            "DJANGO_SETTINGS_MODULE": "authorization_server.settings",
            "PYTHONPATH": str(HERE),
            "SECRET_KEY": secrets.token_urlsafe(50),
            "PGHOST": database.host,
            "PGPORT": str(database.port),
            "PGDATABASE": database.name,
            "PGUSER": database.user,
            "PGPASSWORD": database.password,
            "PORT": str(port),
            "WORKERS": str(processes),
        }
        manage = [python, "-m", "django"]
        run([*manage, "migrate", "--verbosity", "0"], environment=environment, seconds=COMMAND_SECONDS)
        application = ["createapplication", "confidential", "client-credentials", "--no-hash-client-secret"]
        for identifier, secret in CLIENTS:
            command = [*manage, *application, "--client-id", identifier, "--client-secret", secret]
            run(command, environment=environment, seconds=COMMAND_SECONDS)
        address = f"http://127.0.0.1:{port}/o"
        ready, log = f"{address}/introspect/", folder / "gunicorn.log"
        serve = [python, "-m", "gunicorn", "--config", str(HERE / "serving.py")]
        with answering(serve, ready, log=log, environment=environment, folder=folder) as pid:
            yield RunningServer(
                pid,
                token_url=f"{address}/token/",
                introspection_url=f"{address}/introspect/",
                revocation_url=f"{address}/revoke_token/",
            )


def _python(folder: Path) -> Path:
    return folder / "venv/bin/python"
