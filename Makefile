# SPDX-License-Identifier: MIT
# make demo   two Emacsen and a bot share a canvas, on this machine
# make test   every check and every test
# make lint   the checks alone; make bench, make docs, make setup, make clean
# make package   dist/: the wheel, and the package file for Emacs
BIN := .venv/bin
# Two at a time: one runs what starts real peers, the other one all the rest.
PYTEST_ARGS ?= -n 2

.PHONY: demo test lint unit bench docs package setup clean
.NOTPARALLEL:

demo:
	@.ci/setup demo
	@$(BIN)/meta-log-peer-sync demo $(DEMO_ARGS)

test: lint unit

setup:
	@.ci/setup test

lint: setup
	@echo "==> ruff"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --diff --quiet .; exit 1; }
	@echo "==> import-linter"
	@$(BIN)/lint-imports >.venv/lint-imports.log 2>&1 || { cat .venv/lint-imports.log; exit 1; }
	@echo "==> mypy"
	@$(BIN)/mypy --no-error-summary
	@echo "==> pyright"
	@$(BIN)/pyright --pythonpath $(BIN)/python >.venv/pyright.log 2>&1 || { cat .venv/pyright.log; exit 1; }

unit: setup
	@echo "==> pytest"
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

bench: setup
	@$(BIN)/python -m tests.bench

docs: setup
	@$(BIN)/python -m docs.generate

package: setup
	@$(BIN)/python -m hatchling build -t wheel -d dist
	@$(BIN)/python .ci/package

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find federation tests -name __pycache__ -type d -prune -exec rm -rf {} +
	find elisp tests -name '*.elc' -delete
