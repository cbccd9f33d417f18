"""Every shell block of the README, the tutorial, the how-to pages and the audit API, run as printed in a new clone."""

import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from pages import Shell, blocks_of, free_port, lay_out_clone, shape
from service_process import ROOT

from api.embedded_postgres import EmbeddedPostgres

README = ROOT / "README.md"
AUDITOR = ROOT / "docs/how-to/answer-an-auditor.md"
PAGES = [
    README,
    *sorted((ROOT / "docs/tutorial").glob("*.md")),
    *sorted((ROOT / "docs/how-to").glob("*.md")),
    ROOT / "docs/reference/audit-api.md",
]
DEMO = "make run\n"


def name(page):
    return page.stem


@pytest.fixture
def clone():
    """A folder with a short path, because it holds the sockets of its databases."""
    with tempfile.TemporaryDirectory(prefix="clone-") as folder:
        lay_out_clone(Path(folder))
        yield Path(folder)
        for database in (Path(folder) / ".data").glob("*"):
            with EmbeddedPostgres(database):  # the last user stops a server that a killed process left
                pass


def run_page(page, clone, start, *, leave_out=None):
    """Run all blocks in turn, and compare what they print with the page."""
    ports = {"8086": free_port(), "9085": free_port()}
    blocks = blocks_of(page)
    if any(block.command == DEMO for block in blocks):
        service = start("--demo", "--embedded", str(clone / ".data/postgres")).wait_until_ready()
        ports["8085"] = service.port
    with Shell(clone, ports) as shell:
        for block in blocks:
            if block.only_parsed or block.command == DEMO or (leave_out and leave_out in block.command):
                continue
            if block.until is not None:
                shell.run_until(block.command, block.until)
                continue
            printed = shell.run(block.command)
            if block.printed is not None:
                assert shape(printed) == shape(block.printed), block.command


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_of_page_work_as_printed(page, clone, start):
    run_page(page, clone, start)


def test_commands_of_auditor_work_over_the_database_too(clone, start):
    run_page(AUDITOR, clone, start, leave_out="TOKEN_LEDGER_URL")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=name)
def test_shell_blocks_of_page_can_be_parsed(page):
    for block in blocks_of(page):
        parsed = subprocess.run(["bash", "-n", "-c", block.command], capture_output=True, text=True, check=False)
        assert parsed.returncode == 0, f"{block.command}\n{parsed.stderr}"


@pytest.mark.parametrize(
    "block", ["<!-- run: sometimes -->\n```sh\ntrue\n```\n", "```bash\ntrue\n```\n", "```\ntrue\n```\n"]
)
def test_page_is_refused_when_a_block_has_an_unknown_mark_or_language(block, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(block)
    with pytest.raises(ValueError, match="is unknown, before true"):
        blocks_of(page)


def test_make_run_starts_the_demo_that_pages_need():
    recipe = subprocess.run(
        ["make", "--dry-run", "--silent", "run"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "token-ledger serve --demo --embedded .data/postgres --port 8085" in recipe.stdout


def test_readme_starts_with_the_four_requests_of_the_reference_exchange():
    commands = "".join(block.command for block in blocks_of(README))
    assert re.findall(r"/oauth2/(\w+)", commands) == ["token", "introspect", "revoke", "introspect"]
