# `make` alone lists what can be done. Everything runs in .venv and writes under var/.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3 2>/dev/null) python3)
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE ?= 1

.PHONY: help setup up demo test test-fast torture lint fix bench migrations docs check doctor vendor

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z-]*:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready ## install everything into .venv (Python 3.11 or newer)

.venv/.ready: pyproject.toml constraints.txt docker/install.sh
	@PYTHON="$(PYTHON)" bash docker/install.sh .venv
	@touch $@

up: setup ## start everything on this machine; Ctrl-C stops it
	@$(BIN)/python manage.py up

demo: setup ## run the whole loop once, for real: capture, curate, train, compare, promote, serve
	@$(BIN)/python manage.py demo

# Tests run beside each other, each worker with a database of its own; more than four gain little.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n > 4 ? 4 : n)))
SIDE_BY_SIDE := -n $(WORKERS) --dist worksteal

test: setup ## all tests: database, HTTP servers, browser and tiny models are real
	@$(BIN)/python -m pytest -q $(SIDE_BY_SIDE)

test-fast: setup ## the tests without the slow ones (rebuilds, kills, browser)
	@$(BIN)/python -m pytest -q -m "not slow" $(SIDE_BY_SIDE)

CYCLES ?= 20
torture: setup ## kill everything CYCLES times (SEED=n repeats a run) and count what was lost
	@$(BIN)/python -m tests.durability --cycles $(CYCLES) $(if $(SEED),--seed $(SEED))

lint: setup ## ruff, mypy, import contracts, layout guards, pending migrations
	@$(BIN)/ruff check . && $(BIN)/ruff format --check -q .
	@$(BIN)/mypy .
	@PYTHONPATH=.:platform:platform/sdk/src $(BIN)/lint-imports
	@$(BIN)/python manage.py check
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python -m pytest -q tests/architecture

fix: setup ## format and repair what ruff can
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .

bench: setup ## every benchmark; ratios against a baseline of the same run, tables and var/bench/*.json
	@set -e; for file in tests/benchmarks/bench_*.py; do $(BIN)/python -m tests.benchmarks.$$(basename $$file .py); done

bench-%: setup
	@$(BIN)/python -m tests.benchmarks.bench_$*

migrations: setup ## write migrations for changed models; name them: make migrations APP=core NAME=what_it_does
	@$(BIN)/python manage.py makemigrations $(APP) $(if $(NAME),--name $(NAME))

docs: setup ## write the generated parts of docs/ (API schema, command help)
	@$(BIN)/python manage.py spectacular --format openapi-json --file docs/openapi.json

vendor: ## fetch the vendored browser files again and check their hashes
	@bash platform/workbench/core/static/core/vendor/refresh.sh

doctor: setup ## say what is wrong with this installation
	@$(BIN)/python manage.py doctor

check: lint test ## what CI runs
