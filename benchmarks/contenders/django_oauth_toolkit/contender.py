"""django-oauth-toolkit: a Django application that gunicorn serves from its own virtual environment."""

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
from benchmarks.contenders.form_contender import FormContender
from benchmarks.contenders.installation import install_once
from benchmarks.contenders.processes import run_command, running_process

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
COMPONENTS = ("django-oauth-toolkit", "Django", "oauthlib", "psycopg", "gunicorn")
INSTALL_SECONDS = 600.0
COMMAND_SECONDS = 120.0
CLIENTS = ((CLIENT_ID, CLIENT_SECRET), (RESOURCE_SERVER_ID, RESOURCE_SERVER_SECRET))


class DjangoOAuthToolkit:
    """A Django project with only the toolkit."""

    name = "django-oauth-toolkit"
    notes = (
        "A Django project with three endpoints, `DEBUG` off, in gunicorn's `gthread` workers with four threads, which "
        "keep client connections open. Each thread keeps its connection to PostgreSQL and prepares statements. Client "
        "secrets are stored in plain text (`--no-hash-client-secret`), so requests spend no time on PBKDF2; tokens "
        "are stored as hashes, as recommended. Logs are at `WARNING`. gunicorn parses HTTP in Python, because its C "
        "parser has no wheels for all Python versions."
    )

    def set_up(self, folder: Path) -> Mapping[str, str]:
        folder.mkdir(parents=True, exist_ok=True)
        python = _python(folder)
        with install_once(folder, REQUIREMENTS) as needed:
            if needed:
                run_command([sys.executable, "-m", "venv", "--clear", str(python.parents[1])], seconds=INSTALL_SECONDS)
                pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
                pinned = ["--require-hashes", "--only-binary", ":all:", "-r", str(REQUIREMENTS)]
                run_command([*pip, *pinned], seconds=INSTALL_SECONDS)
        program = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
        versions = run_command([str(python), "-c", program, *COMPONENTS], seconds=COMMAND_SECONDS).split()
        interpreter = run_command([str(python), "--version"], seconds=COMMAND_SECONDS).split()[-1]
        return {**dict(zip(COMPONENTS, versions, strict=True)), "Python": interpreter}

    @contextmanager
    def serve(self, folder: Path, database: Database, *, port: int, processes: int) -> Iterator[FormContender]:
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
        run_command([*manage, "migrate", "--verbosity", "0"], environment=environment, seconds=COMMAND_SECONDS)
        application = ["createapplication", "confidential", "client-credentials", "--no-hash-client-secret"]
        for identifier, secret in CLIENTS:
            command = [*manage, *application, "--client-id", identifier, "--client-secret", secret]
            run_command(command, environment=environment, seconds=COMMAND_SECONDS)
        address = f"http://127.0.0.1:{port}/o"
        ready, log = f"{address}/introspect/", folder / "gunicorn.log"
        serve = [python, "-m", "gunicorn", "--config", str(HERE / "gunicorn_config.py")]
        with running_process(serve, ready, log=log, environment=environment, folder=folder) as pid:
            yield FormContender(
                pid,
                token_url=f"{address}/token/",
                introspection_url=f"{address}/introspect/",
                revocation_url=f"{address}/revoke_token/",
            )


def _python(folder: Path) -> Path:
    return folder / "venv/bin/python"
