# Every target works in a fresh clone: those that need the environment make it first.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
PACKAGES := agents edge evals graphs mcp_servers tools ui
WORKERS ?= 2
# Most of the quick tests wait for processes more than they compute.
QUICK_WORKERS ?= 3
PYTEST_ARGS ?=

# Small batches on few cores: one thread a process is faster than several that wait for each other.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false
export MLFLOW_DISABLE_TELEMETRY ?= true
export ORT_DISABLE_TELEMETRY ?= 1

.PHONY: help
help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## create .venv from the lock and fetch the model assets
	@scripts/bootstrap.sh

.PHONY: demo
demo: setup ## one sentence after another, from a dataset to a report, on real devices
	@$(BIN)/python -m scripts.demo

.PHONY: serve
serve: setup ## run the gateway on http://127.0.0.1:8080 until Ctrl-C
	@$(BIN)/pilothouse serve $(SERVE_ARGS)

.PHONY: test
test: setup ## run the test suite
	@$(BIN)/python -m pytest -n $(QUICK_WORKERS) --dist loadfile -m "not slow" $(PYTEST_ARGS)

.PHONY: coverage
coverage: setup ## run the test suite, half as fast, and print its coverage
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --cov -m "not slow" $(PYTEST_ARGS)

.PHONY: test-slow
test-slow: ## run only the tests that take minutes, those of the optional assets too
	@scripts/bootstrap.sh smollm2
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m slow $(PYTEST_ARGS)

.PHONY: test-all
test-all: ## run every test, those marked slow and those of the optional assets too
	@scripts/bootstrap.sh smollm2
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

.PHONY: lint
lint: setup ## check style, types and the layers between packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports

.PHONY: format
format: setup ## rewrite the sources in the project's style
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

.PHONY: lock
lock: ## resolve pyproject.toml and constraints.txt into requirements.lock
	@scripts/lock.sh

.PHONY: bench
bench: setup ## run the benchmarks
	@if compgen -G 'benchmarks/*.py' >/dev/null; then $(BIN)/python -m benchmarks $(BENCH_ARGS); \
	else echo 'There are no benchmarks yet.'; fi

.PHONY: clean
clean: ## remove what tools left behind; keeps .venv and the assets
	@rm -rf build dist .coverage .coverage.* htmlcov .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -not -path './.venv/*' -type d -prune -exec rm -rf {} +
