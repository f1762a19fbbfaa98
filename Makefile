# `make run` and `make test` do all set-up themselves; the rest is for those who work on authreset.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8080
export AUTHRESET_DATA_DIR ?= $(CURDIR)/data

.PHONY: help run test check bench silence drill clients lock clean

help:  ## Show the verbs
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: $(VENV)/.run  ## Set up, fill a demo tenant tree, and serve
	@$(BIN)/authreset demo --host $(HOST) --port $(PORT)
	@AUTHRESET_LOG_FORMAT=$${AUTHRESET_LOG_FORMAT:-console} $(BIN)/authreset serve --host $(HOST) --port $(PORT)

test: $(VENV)/.dev system  ## Set up and run every test
	$(BIN)/pytest $(ARGS)

check: $(VENV)/.dev  ## Types, lint, import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev system  ## Measure against the yardsticks
	$(BIN)/python -m bench $(ARGS)

silence: $(VENV)/.dev system  ## Measure what a caller can learn
	$(BIN)/python -m silence $(ARGS)

drill: $(VENV)/.dev system  ## Kill and cut things under load, then audit
	$(BIN)/python -m drill $(ARGS)

clients: $(VENV)/.dev  ## Run the eight example clients against a fresh server
	@tools/install-system-packages clients
	$(BIN)/python examples/run_clients.py $(ARGS)

lock: $(VENV)/.uv  ## Write the lock files anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --no-header -q -o requirements/run.txt
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url --no-header -q -c requirements/run.txt -o requirements/dev.txt

clean:  ## Remove what set-up and tests made; keeps data/
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# On Debian, root gets what is missing from there; elsewhere it must be there already.
.PHONY: system
system:
	@tools/install-system-packages tests

$(VENV)/.uv:
	$(PYTHON) -c 'import sys; sys.exit("authreset needs Python 3.11 or later" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv==0.13.9
	@touch $@

$(VENV)/.run: $(VENV)/.uv requirements/run.txt pyproject.toml
	@test -e $(VENV)/.dev || $(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements/run.txt
	$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.uv requirements/dev.txt pyproject.toml
	$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements/dev.txt
	$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --editable .
	@touch $@ $(VENV)/.run
