"""What can be known of the image without building it."""

import json
import re
import shlex
import subprocess
import sys
import tomllib

import pytest
from documents import ROOT

COMPOSE = (ROOT / "compose.yaml").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
RUNTIME = (ROOT / "requirements/runtime.txt").read_text()


def instructions():
    """Instruction and arguments of each line of the Dockerfile, continuations joined, comments left out."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def final_stage():
    last = max(number for number, (name, _) in enumerate(instructions()) if name == "FROM")
    return instructions()[last:]


def of_final_stage(name):
    return [arguments for instruction, arguments in final_stage() if instruction == name]


def copied():
    return [
        arguments.split()[:-1] for name, arguments in instructions() if name == "COPY" and "--from" not in arguments
    ]


class TestTheFinalStage:
    def test_runs_as_a_user_by_number_that_is_not_root(self):
        (user,) = of_final_stage("USER")
        assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)

    def test_starts_the_command_itself_so_that_signals_reach_it(self):
        assert json.loads(of_final_stage("ENTRYPOINT")[0]) == ["token-ledger"]
        assert json.loads(of_final_stage("CMD")[0]) == ["serve"]
        assert of_final_stage("STOPSIGNAL") == ["SIGTERM"]

    def test_takes_from_the_build_only_the_environment(self):
        assert of_final_stage("COPY") == ["--from=build /opt/token-ledger /opt/token-ledger"]

    def test_installs_nothing(self):
        assert not [run for run in of_final_stage("RUN") if re.search(r"\b(install|apt-get|wheel)\b", run)]

    def test_has_a_health_check_that_tells_life_from_death(self, unused_tcp_port_factory, tmp_path):
        (check,) = of_final_stage("HEALTHCHECK")
        _, *command = json.loads(check.partition("CMD ")[2])
        port = unused_tcp_port_factory()
        environment = {"TOKEN_LEDGER_PORT": str(port)}

        def healthy():
            run = subprocess.run([sys.executable, *command], env=environment, capture_output=True, check=False)
            return run.returncode == 0

        assert not healthy()
        for answered, expected in (("200 OK", True), ("503 Service Unavailable", False)):
            with subprocess.Popen(
                [sys.executable, "-c", ONE_ANSWER, str(port), answered], stdout=subprocess.PIPE
            ) as server:
                server.stdout.readline()  # it listens now
                assert healthy() is expected


ONE_ANSWER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
connection, _ = listener.accept()
asked = connection.recv(4096)
found = asked.startswith(b"GET /livez ")
connection.sendall(f"HTTP/1.1 {sys.argv[2] if found else '404 Not Found'}\\r\\nContent-Length: 0\\r\\n\\r\\n".encode())
connection.close()
"""


class TestTheBuild:
    def test_installs_only_what_is_pinned_with_hashes_and_only_wheels(self):
        requirements = [run for name, run in instructions() if name == "RUN" and "--requirement" in run]
        assert requirements
        for run in requirements:
            for install in re.findall(r"pip .*?--requirement \S+", run):
                assert {"--require-hashes", "--only-binary"} <= set(shlex.split(install))

    def test_copies_files_that_are_there_and_not_ignored(self):
        allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
        for sources in copied():
            for source in sources:
                assert (ROOT / source).exists(), source
                assert source.split("/")[0] in allowed

    def test_copies_every_package_of_the_distribution(self):
        found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"][
            "include"
        ]
        sources = {source for sources in copied() for source in sources}
        assert {pattern.rstrip("*") for pattern in found} <= sources

    def test_leaves_the_embedded_postgresql_out(self):
        assert "pgserver" not in RUNTIME
        assert not [run for name, run in instructions() if name == "RUN" and "embedded" in run]

    def test_has_the_version_of_the_distribution(self):
        version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
        assert f"VERSION={version}" in of_final_stage("ARG")
        assert f"image: token-ledger:{version}" in COMPOSE


def test_the_command_starts_without_what_only_the_demo_and_the_tests_have():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["embedded"]
    names = [re.split(r"[^A-Za-z0-9_-]", requirement)[0].replace("-", "_") for requirement in extras]
    assert names
    program = f"import sys; sys.modules.update(dict.fromkeys({names!r})); from api.cli.main import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", program, "--version"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


class TestCompose:
    def test_every_value_it_asks_for_is_in_the_example(self):
        asked = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE))
        assert asked == set(re.findall(r"^([A-Z_]+)=", EXAMPLE, re.MULTILINE))

    def test_no_password_has_a_default(self):
        assert not re.findall(r"\$\{[A-Z_]*PASSWORD(?!:\?)", COMPOSE)
        assert re.findall(r"^\w*PASSWORD=.*$", EXAMPLE, re.MULTILINE) == [
            "POSTGRES_PASSWORD=",
            "OWNER_PASSWORD=",
            "SERVICE_PASSWORD=",
        ]

    def test_the_owner_password_reaches_the_database_and_the_migrations_only(self):
        services = dict(re.findall(r"^  ([a-z]+):\n((?:    .*\n|\n|  #.*\n)+)", COMPOSE, re.MULTILINE))
        assert {name for name, body in services.items() if "OWNER" in body} == {"postgres", "migrate"}

    def test_the_roles_are_those_it_connects_as(self):
        roles = (ROOT / "deploy/postgres/10-roles.sql").read_text()
        made = set(re.findall(r"CREATE ROLE (\w+)", roles))
        assert made == set(re.findall(r"postgresql://(\w+)@", COMPOSE))
        assert "./deploy/postgres/10-roles.sql:" in COMPOSE

    @pytest.mark.parametrize("line", ["read_only: true", "cap_drop: [ALL]", '"no-new-privileges:true"'])
    def test_what_runs_our_image_is_confined(self, line):
        ours = COMPOSE.partition("x-token-ledger: &token-ledger")[2].partition("\nservices:")[0]
        assert line in ours
        assert COMPOSE.count("<<: *token-ledger") == 3
