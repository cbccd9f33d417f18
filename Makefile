# Development tasks. They need python3 (3.11 or later), pip and make.

PYTHON ?= python3
PORT ?= 8085
UV ?= uv

VENV := .venv
INSTALLED := $(VENV)/.installed
BENCH_INSTALLED := $(VENV)/.bench-installed
# Results of a short run stay out of the documentation.
MEASURED := $(if $(findstring --short,$(ARGS)),build/benchmarks,docs/benchmarks)
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --only-binary :all: \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

# Defines a shell function `pip` that installs into $(VENV), which may have no pip of its own.
PIP = if $(VENV)/bin/python -m pip --version >/dev/null 2>&1; \
		then pip() { $(VENV)/bin/python -m pip "$$@"; }; \
		else pip() { $(PYTHON) -m pip --python $(VENV)/bin/python "$$@"; }; fi; \
	export PIP_DISABLE_PIP_VERSION_CHECK=1

.PHONY: help setup run test test-unit test-benchmarks check docs bench bench-peers bench-report bench-audit bench-rebuild \
	bench-growth bench-soak bench-archive profile format lock clean
.DEFAULT_GOAL := help

help:
	@echo 'make run              start the demo on http://localhost:$(PORT)/ms-auth-server (PORT=8086 selects another port)'
	@echo 'make test             run the tests of the service (ARGS="-k revoke" selects some)'
	@echo 'make test-unit        run the tests that need no database, in less than a minute'
	@echo 'make test-benchmarks  run the tests of the benchmark tools'
	@echo 'make check            lint, check formatting and types, and check the import contracts'
	@echo 'make docs             generate the reference pages from the code (commands, settings, errors, metrics, events)'
	@echo 'make format           apply the formatter and the fixes of the linter'
	@echo 'make setup            install the pinned requirements into $(VENV); the other targets do this when needed'
	@echo 'make lock             update the lock files after a change of pyproject.toml; needs uv (UPGRADE=1 upgrades pins)'
	@echo 'make clean            remove $(VENV) and all build and cache files; the demo data in .data is kept'
	@echo
	@echo 'Benchmarks need wrk. ARGS=--short gives a quick run whose numbers mean little.'
	@echo 'make bench            measure the service and its ceilings, and write the report to docs/benchmarks'
	@echo 'make bench-peers PEER=hydra   measure another server against the service (PEER=all measures every one)'
	@echo 'make bench-report     write the report again from the last results'
	@echo 'make bench-audit      measure audit queries at 10,000 and 1,000,000 tokens (ARGS="--tokens 2000 20000" is short)'
	@echo 'make bench-rebuild    measure how fast projections rebuild and how much that slows requests'
	@echo 'make bench-archive    measure how fast history is archived and how much that slows requests'
	@echo 'make bench-soak       run 45 minutes of constant load while tokens expire (ARGS=--write updates docs/benchmarks)'
	@echo 'make bench-growth     compare logs of 10 thousand, 1 million and 10 million tokens (ARGS="--tokens 2000 20000 --seconds 1" is short)'
	@echo 'make profile          profile introspection and issuance, with flame graphs'

setup: $(INSTALLED)

# The marker file is written last, so an interrupted set-up is repeated.
$(INSTALLED): requirements/build.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Python 3.11 or later is required. Select one: make PYTHON=python3.13 …' >&2; exit 1; }
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
	@$(VENV)/bin/python -m pytest -n 2 --ignore=tests/benchmarks $(ARGS)

test-unit: setup
	@$(VENV)/bin/python -m pytest -n 2 tests/unit tests/golden $(ARGS)

test-benchmarks: setup
	@$(VENV)/bin/python -m pytest -n 2 tests/benchmarks $(ARGS)

check: setup
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

docs: setup
	@$(VENV)/bin/python -m docs.generator

bench: $(BENCH_INSTALLED)
	@$(VENV)/bin/python -m benchmarks.service --folder $(MEASURED) $(ARGS)
	@$(VENV)/bin/python -m benchmarks.report --folder $(MEASURED)

bench-peers: $(BENCH_INSTALLED)
	@test -n "$(PEER)" || { echo 'PEER is missing. Run: make bench-peers PEER=hydra, or PEER=all' >&2; exit 1; }
	@$(VENV)/bin/python -m benchmarks.peers $(PEER) --folder $(MEASURED) $(ARGS); measured=$$?; \
		test ! -e $(MEASURED)/results/service.json || $(VENV)/bin/python -m benchmarks.report --folder $(MEASURED); \
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
