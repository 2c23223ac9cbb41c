# Every target makes the virtual environment it needs: nothing is assumed but git, make, Python >= 3.11 and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
WORKERS ?= auto

.PHONY: help demo test test-faults check bench bench-docs lock clean

help:
	@echo "make demo         two wallets pay each other on a mock chain and survive a reorg"
	@echo "make test         all tests (external vectors: BSV_WALLET_TEST_DATA=DIR)"
	@echo "make test-faults  the long fault programme: 1000 random kills, many more seeds of everything random"
	@echo "make check        lint, format, types, layering"
	@echo "make bench        timings of the main operations, beside the npm toolbox when node is there (BIG=1: also a million coins)"
	@echo "make bench-docs   the same, and the table of docs/reference/benchmarks.md renewed"
	@echo "make lock         renew requirements/*.lock (needs uv)"

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: requirements/core.lock pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements/core.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements/dev.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.core

demo: $(VENV)/.core
	$(BIN)/python examples/two_wallets.py

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) tests

test-faults: $(VENV)/.dev
	BSV_WALLET_RANDOM_KILLS=1000 BSV_WALLET_FAULT_RUNS=20 BSV_WALLET_STATE_RUNS=10000 \
		$(BIN)/python -m pytest -n $(WORKERS) --timeout=0 tests/fault tests/property

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

bench-docs: $(VENV)/.dev
	$(BIN)/python -m benchmarks --renew docs/reference/benchmarks.md

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --extra dev pyproject.toml -o requirements/dev.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --extra build pyproject.toml -c requirements/dev.lock -o requirements/core.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache interop/node_modules
