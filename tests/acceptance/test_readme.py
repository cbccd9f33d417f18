"""The transcript of the README, run as it is printed, against a service that is really started."""

import json
import re
import shlex
import shutil
import subprocess

import pytest
from service_process import COMMAND, ROOT, clean_environment

README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

TOKEN = r"[A-Za-z0-9_-]{128}"
INSTANT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
UUID7 = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
STARTS = "make run"


def transcript():
    """Each command with the answer printed after it. Its first command starts the service."""
    blocks = [(match["language"], match["text"]) for match in BLOCK.finditer(README)]
    assert blocks[0] == ("sh", f"{STARTS}\n")
    commands, answers = blocks[1::2], blocks[2::2]
    assert {language for language, _ in commands} == {"sh"}
    assert {language for language, _ in answers} == {"json", "text"}
    return [(command, answer) for (_, command), (_, answer) in zip(commands, answers, strict=True)]


def shape(answer):
    """What is the same every time it is run: all but the token, the jti, the port, and when."""
    try:
        return shape_of_json(json.loads(answer))
    except ValueError:
        return re.sub(INSTANT, "<instant>", answer.strip())


def shape_of_json(answer):
    masked = {"access_token": TOKEN, "jti": UUID7, "iss": r"http://localhost:\d+/ms-auth-server"}
    for name in masked.keys() & answer.keys():
        assert re.fullmatch(masked[name], answer[name]), name
        answer[name] = f"<{name}>"
    if "exp" in answer:
        answer["exp"], answer["iat"], answer["nbf"] = (
            answer["exp"] - answer["iat"],
            "<instant>",
            answer["nbf"] - answer["iat"],
        )
    if "expires_in" in answer:
        answer["expires_in"] += answer["expires_in"] == 14399  # what is left of 14400 s, in whole seconds
    return list(answer.items())


@pytest.fixture
def shell(start, demo_folder, tmp_path):
    """Runs a script as a terminal would, beside the service that `make run` starts, but for its port and folders."""
    assert shutil.which("curl"), "the README speaks through curl, which is not installed"
    service = start("--demo", "--embedded", str(demo_folder)).wait_until_ready()
    (tmp_path / ".data").mkdir()
    (tmp_path / ".data/postgres").symlink_to(demo_folder)
    command = tmp_path / ".venv/bin/token-ledger"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    command.chmod(0o755)

    def run(script):
        script = script.replace("localhost:8085", f"localhost:{service.port}")
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", script],
            cwd=tmp_path,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stderr}\n{service.output}"
        return done.stdout

    return run


def test_the_answers_are_as_printed(shell):
    """In one shell, as variables of one block are used in later ones."""
    steps = transcript()
    mark = "the next command"
    answers = shell(f"echo '{mark}'\n".join(command for command, _ in steps)).split(f"{mark}\n")
    assert [shape(answer) for answer in answers] == [shape(printed) for _, printed in steps]


def test_make_run_starts_what_the_transcript_needs():
    recipe = subprocess.run(
        ["make", "--dry-run", "--silent", "run"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "token-ledger serve --demo --embedded .data/postgres --port 8085" in recipe.stdout


def test_the_transcript_is_the_reference_exchange():
    endpoints = re.findall(r"/oauth2/(\w+)", "".join(command for command, _ in transcript()))
    assert endpoints == ["token", "introspect", "revoke", "introspect"]
