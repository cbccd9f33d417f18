"""The commands of the how-to for auditors, run as they are printed: over the database, and over HTTP."""

import os
import re
import shlex
import signal
import subprocess
import threading

import pytest
from service_process import COMMAND, RESOURCE_SERVER, ROOT, TIMEOUT_SECONDS, USER, clean_environment

HOW_TO = (ROOT / "docs/how-to/answer-an-auditor.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", HOW_TO, re.MULTILINE | re.DOTALL)
INSTANT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"

SET_UP = [text for language, text in BLOCKS if language == "sh" and not text.startswith("token-ledger audit")]
QUESTIONS = [text for language, text in BLOCKS if language == "sh" and text.startswith("token-ledger audit")]
FOLLOWING = [text for text in QUESTIONS if "--follow" in text]
ANSWERS = [text for language, text in BLOCKS if language == "text"]


@pytest.fixture(params=["database", "http"])
def shell(request, demo, database, tmp_path):
    """Starts a script where the how-to is read: its variables set, the found token in its file, the command at hand."""
    token = USER.request_token(demo, scope="customer.read customer.write")
    jti = RESOURCE_SERVER.introspect(demo, token)["jti"]
    USER.revoke(demo, token)
    (tmp_path / "found-token").write_text(token)
    (tmp_path / "demo.secret").write_text("auditor-secret")
    command = tmp_path / "bin/token-ledger"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    command.chmod(0o755)
    whom = {
        "database": {"TOKEN_LEDGER_DSN": database.service_dsn},
        "http": {
            "TOKEN_LEDGER_URL": demo.issuer,
            "TOKEN_LEDGER_AUDIT_CLIENT_ID": "auditor",
            "TOKEN_LEDGER_AUDIT_SECRET_FILE": "demo.secret",
        },
    }[request.param]
    env = clean_environment(whom | {"JTI": jti, "MOMENT": "1s"})
    env["PATH"] = f"{command.parent}:{env['PATH']}"
    return lambda script: subprocess.Popen(
        ["bash", "-eu", "-o", "pipefail", "-c", script],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_each_question_has_its_answer(shell, tmp_path):
    answers = []
    for script in QUESTIONS:
        if script in FOLLOWING:
            continue
        process = shell(script)
        answer, errors = process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode == 0, f"{script}\n{errors}"
        answers.append(answer)
    assert re.sub(INSTANT, "", answers[0]) == re.sub(INSTANT, "", ANSWERS[0])
    assert all("revoked by its client" in (tmp_path / name).read_text() for name in ("tokens.csv", "events.jsonl"))
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [int(re.search(r'"position": (\d+)', line)[1]) for line in lines] == list(range(1, len(lines) + 1))


def test_what_is_followed_goes_on_until_ctrl_c(shell, demo):
    (script,) = FOLLOWING
    process = shell(f"exec {script}")
    try:
        lines, came = [], threading.Event()
        reader = threading.Thread(target=lambda: (lines.append(process.stdout.readline()), came.set()), daemon=True)
        reader.start()
        while not came.wait(0.2):  # it begins with what is recorded after it has begun
            USER.revoke(demo, USER.request_token(demo))
        assert "token.revoked" in lines[0], process.stderr.read()
        assert "client:user-client-opaque" in lines[0]
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=TIMEOUT_SECONDS)[1] == ""
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_the_set_up_names_what_is_there():
    assert SET_UP
    assert all(re.match(r"export TOKEN_LEDGER_|token-ledger clients add ", text) for text in SET_UP)
