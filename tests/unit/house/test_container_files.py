"""Checks of the container files that need no container engine."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from itertools import pairwise

import pytest
from documents import ROOT

COMPOSE = (ROOT / "compose.yaml").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = {pattern.rstrip("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
PROJECT_FILES = {"pyproject.toml", PROJECT["project"]["readme"], *PROJECT["project"]["license-files"], *PACKAGES}


def stages(dockerfile=DOCKERFILE):
    """The instructions of each stage as (name, arguments), without comments and with continuations joined."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    found = []
    for line in filter(str.strip, "\n".join(lines).replace("\\\n", " ").splitlines()):
        name, arguments = line.split(maxsplit=1)
        if name == "FROM":
            found.append([])
        if found:
            found[-1].append((name, arguments))
    return found


def final(name):
    return [arguments for instruction, arguments in stages()[-1] if instruction == name]


def copied_sources(arguments):
    return [] if "--from" in arguments else arguments.split()[:-1]


def used_files(command):
    """The files of the repository that a RUN step reads. Building `.` reads the whole project."""
    words = shlex.split(command)
    used = {file for option, file in pairwise(words) if option in ("--requirement", "-r", "-c")}
    used |= {word for word in words if not word.startswith(("-", "/", ".")) and (ROOT / word).exists()}
    return used | (PROJECT_FILES if "." in words else set())


def files_not_copied(dockerfile):
    """Pairs of a RUN step and a file that it uses although no COPY before it in its stage brings the file."""
    missing = []
    for stage in stages(dockerfile):
        copied = set()
        for name, arguments in stage:
            if name == "COPY":
                copied |= set(copied_sources(arguments))
            if name == "RUN":
                missing += [(arguments, file) for file in used_files(arguments) if file not in copied]
    return missing


class TestBuildStages:
    def test_every_file_a_run_step_uses_is_copied_before(self):
        assert files_not_copied(DOCKERFILE) == []

    @pytest.mark.parametrize("file", ["requirements/build.txt", "LICENSE", "migrations migrations"])
    def test_missing_copy_is_found(self, file):
        without = DOCKERFILE.replace(f"COPY {file}", "").replace(f" {file} requirements/", " requirements/")
        without = without.replace(f" {file} ./", " ./")
        assert [missing for _, missing in files_not_copied(without)] == [file.split()[0]]

    def test_pip_installs_only_hashed_wheels(self):
        runs = [run for stage in stages() for name, run in stage if name == "RUN" and "--requirement" in run]
        installs = [install for run in runs for install in re.findall(r"pip .*?--requirement \S+", run)]
        assert len(installs) == 2
        assert all({"--require-hashes", "--only-binary"} <= set(shlex.split(install)) for install in installs)

    def test_copied_files_exist_and_are_not_ignored(self):
        allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
        copies = [arguments for stage in stages() for name, arguments in stage if name == "COPY"]
        for source in (source for copy in copies for source in copied_sources(copy)):
            assert (ROOT / source).exists(), source
            assert source.split("/")[0] in allowed

    def test_embedded_postgres_is_left_out(self):
        assert "pgserver" not in (ROOT / "requirements/runtime.txt").read_text()
        assert "embedded" not in "".join(run for stage in stages() for name, run in stage if name == "RUN")

    def test_image_has_the_version_of_the_distribution(self):
        version = PROJECT["project"]["version"]
        assert f"VERSION={version}" in final("ARG")
        assert f"image: token-ledger:{version}" in COMPOSE


class TestFinalStage:
    def test_user_is_numeric_and_not_root(self):
        (user,) = final("USER")
        assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)

    def test_command_is_process_1_so_that_signals_reach_it(self):
        assert json.loads(final("ENTRYPOINT")[0]) == ["token-ledger"]
        assert json.loads(final("CMD")[0]) == ["serve"]
        assert final("STOPSIGNAL") == ["SIGTERM"]

    def test_only_the_environment_is_copied_and_nothing_installed(self):
        assert final("COPY") == ["--from=build /opt/token-ledger /opt/token-ledger"]
        assert not [run for run in final("RUN") if re.search(r"\b(install|apt-get|wheel)\b", run)]

    def test_health_check_succeeds_only_when_livez_returns_200(self, unused_tcp_port_factory):
        (check,) = final("HEALTHCHECK")
        _, *command = json.loads(check.partition("CMD ")[2])
        port = str(unused_tcp_port_factory())

        def is_healthy():
            environment = {"TOKEN_LEDGER_PORT": port}
            run = subprocess.run([sys.executable, *command], env=environment, capture_output=True, check=False)
            return run.returncode == 0

        assert not is_healthy()
        for status, expected in (("200 OK", True), ("503 Service Unavailable", False)):
            server_command = [sys.executable, "-c", SINGLE_RESPONSE_SERVER, port, status]
            with subprocess.Popen(server_command, stdout=subprocess.PIPE) as server:
                server.stdout.readline()  # printed when it listens
                assert is_healthy() is expected


SINGLE_RESPONSE_SERVER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
connection, _ = listener.accept()
found = connection.recv(4096).startswith(b"GET /livez ")
connection.sendall(f"HTTP/1.1 {sys.argv[2] if found else '404 Not Found'}\\r\\nContent-Length: 0\\r\\n\\r\\n".encode())
connection.close()
"""


def test_command_starts_without_the_embedded_extra():
    extras = PROJECT["project"]["optional-dependencies"]["embedded"]
    names = [re.split(r"[^A-Za-z0-9_-]", requirement)[0].replace("-", "_") for requirement in extras]
    assert names
    program = f"import sys; sys.modules.update(dict.fromkeys({names!r})); from api.cli.main import main; main()"
    command = [sys.executable, "-c", program, "--version"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


class TestCompose:
    def test_env_example_lists_every_variable(self):
        used = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE))
        assert used == set(re.findall(r"^([A-Z_]+)=", EXAMPLE, re.MULTILINE))

    def test_passwords_have_no_default(self):
        assert not re.findall(r"\$\{[A-Z_]*PASSWORD(?!:\?)", COMPOSE)
        passwords = re.findall(r"^\w*PASSWORD=.*$", EXAMPLE, re.MULTILINE)
        assert passwords == ["POSTGRES_PASSWORD=", "OWNER_PASSWORD=", "SERVICE_PASSWORD=", "PROJECTOR_PASSWORD="]

    def test_only_database_and_migrations_get_the_owner_password(self):
        services = dict(re.findall(r"^  ([a-z]+):\n((?:    .*\n|\n|  #.*\n)+)", COMPOSE, re.MULTILINE))
        assert {name for name, body in services.items() if "OWNER" in body} == {"postgres", "migrate"}

    def test_created_roles_are_the_ones_that_connect(self):
        roles = (ROOT / "deploy/postgres/10-roles.sql").read_text()
        assert set(re.findall(r"CREATE ROLE (\w+)", roles)) == set(re.findall(r"postgresql://(\w+)[@:]", COMPOSE))
        assert "./deploy/postgres/10-roles.sql:" in COMPOSE

    @pytest.mark.parametrize("line", ["read_only: true", "cap_drop: [ALL]", '"no-new-privileges:true"'])
    def test_containers_of_our_image_are_confined(self, line):
        ours = COMPOSE.partition("x-token-ledger: &token-ledger")[2].partition("\nservices:")[0]
        assert line in ours
        assert COMPOSE.count("<<: *token-ledger") == 3
