# What a working day needs. Only python3 (3.11 or later), pip and make have to be there before.

PYTHON ?= python3
PORT ?= 8085
UV ?= uv

VENV := .venv
INSTALLED := $(VENV)/.installed
BENCH_INSTALLED := $(VENV)/.bench-installed
# What a look finds does not go into the documentation.
MEASURED := $(if $(findstring --short,$(ARGS)),build/benchmarks,docs/benchmarks)
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --only-binary :all: \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

# A function `pip` that installs into $(VENV), which may have no pip of its own.
PIP = if $(VENV)/bin/python -m pip --version >/dev/null 2>&1; \
		then pip() { $(VENV)/bin/python -m pip "$$@"; }; \
		else pip() { $(PYTHON) -m pip --python $(VENV)/bin/python "$$@"; }; fi; \
	export PIP_DISABLE_PIP_VERSION_CHECK=1

.PHONY: help setup run test check docs bench bench-peers bench-report bench-audit bench-rebuild bench-growth bench-soak bench-archive profile format lock clean
.DEFAULT_GOAL := help

help:
	@echo 'make run      start the demo on http://localhost:$(PORT)/ms-auth-server (PORT=8086 for another port)'
	@echo 'make test     run all tests (ARGS="-k revoke" for some of them)'
	@echo 'make check    lint, formatting, types and the layers of the architecture'
	@echo 'make docs     generate the reference pages (commands, settings, errors, metrics, events) from the code'
	@echo 'make bench    measure the service and its ceilings, and report in docs/benchmarks; needs wrk (ARGS=--short)'
	@echo 'make bench-peers PEER=hydra   measure another server beside it (PEER=all for each there is; ARGS=--short)'
	@echo 'make bench-report   write the report anew from the last measurements'
	@echo 'make bench-audit  audit questions at 10,000 and 1,000,000 tokens; needs wrk (ARGS="--tokens 2000 20000" is short)'
	@echo 'make bench-rebuild   how fast projections are rebuilt, and what requests notice (ARGS="--short"); needs wrk'
	@echo 'make bench-archive   how fast history is archived, and what requests notice (ARGS="--short"); needs wrk'
	@echo 'make bench-soak   45 minutes of constant load while tokens expire (ARGS="--short"; ARGS="--write" into docs/benchmarks)'
	@echo 'make profile  where the time of an introspection and an issuance goes, with flame graphs; needs wrk (ARGS=--short)'
	@echo 'make bench-growth  a log of 10 thousand, 1 and 10 million tokens (ARGS="--tokens 2000 20000 --seconds 1"); needs wrk'
	@echo 'make format   let the formatter have its way'
	@echo 'make setup    install into $(VENV) what is pinned in requirements; the others do it by themselves'
	@echo 'make lock     pin anew after a change of pyproject.toml; needs uv (UPGRADE=1 for newer releases)'
	@echo 'make clean    remove $(VENV) and what the tools left; the data of the demo, in .data, stays'

setup: $(INSTALLED)

# The mark is set last, so a set-up that was interrupted is done again.
$(INSTALLED): requirements/build.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Python 3.11 or later is needed. Name one: make PYTHON=python3.13 …' >&2; exit 1; }
	@echo 'Installing into $(VENV) …'
	@rm -f $@
	@test "$$($(VENV)/bin/python -V 2>&1)" = "$$($(PYTHON) -V)" || $(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1 \
		|| $(PYTHON) -m venv --clear --without-pip $(VENV)
	@set -e; \
	$(PIP); \
	pip install --quiet --require-hashes --only-binary :all: -r requirements/build.txt -r requirements/dev.txt; \
	pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(BENCH_INSTALLED): $(INSTALLED) requirements/bench.txt
	@set -e; $(PIP); pip install --quiet --require-hashes --only-binary :all: -r requirements/bench.txt
	@touch $@

run: setup
	@exec $(VENV)/bin/token-ledger serve --demo --embedded .data/postgres --port $(PORT)

test: setup
	@$(VENV)/bin/python -m pytest -n 2 $(ARGS)

check: setup
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

docs: setup
	@$(VENV)/bin/python -m docs.generator

bench: $(BENCH_INSTALLED)
	@$(VENV)/bin/python -m benchmarks.ours --folder $(MEASURED) $(ARGS)
	@$(VENV)/bin/python -m benchmarks.report --folder $(MEASURED)

bench-peers: $(BENCH_INSTALLED)
	@test -n "$(PEER)" || { echo 'Name one: make bench-peers PEER=hydra, or PEER=all' >&2; exit 1; }
	@$(VENV)/bin/python -m benchmarks.against $(PEER) --folder $(MEASURED) $(ARGS); measured=$$?; \
		test ! -e $(MEASURED)/results/ours.json || $(VENV)/bin/python -m benchmarks.report --folder $(MEASURED); \
		exit $$measured

bench-report: $(BENCH_INSTALLED)
	@$(VENV)/bin/python -m benchmarks.report --folder $(MEASURED)

bench-audit: setup
	@$(VENV)/bin/python -m benchmarks.audit $(ARGS)

bench-rebuild: setup
	@$(VENV)/bin/python -m benchmarks.rebuild $(ARGS)

bench-archive: setup
	@$(VENV)/bin/python -m benchmarks.archive $(ARGS)

bench-soak: setup
	@$(VENV)/bin/python -m benchmarks.soak $(ARGS)

bench-growth: setup
	@$(VENV)/bin/python -m benchmarks.growth $(ARGS)

profile: $(BENCH_INSTALLED)
	@$(VENV)/bin/python -m benchmarks.profile --folder $(MEASURED) $(ARGS)

format: setup
	$(VENV)/bin/ruff check --fix-only --quiet
	$(VENV)/bin/ruff format

lock:
	$(LOCK) requirements/build.in -o requirements/build.txt
	$(LOCK) pyproject.toml -c requirements/build.txt -o requirements/runtime.txt
	$(LOCK) pyproject.toml --extra embedded --group dev -c requirements/runtime.txt -o requirements/dev.txt
	$(LOCK) --group bench -c requirements/dev.txt -o requirements/bench.txt

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './.data/*' -prune -exec rm -rf {} +
