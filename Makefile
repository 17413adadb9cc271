# Plimsoll: `make demo` shows it, `make test` proves it. `make` alone lists what there is.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup programs built demo demo-down test test-thorough verify format lock test-cluster test-scale test-statistics test-gpu bench bench-gpu bench-rollouts images

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what is pinned in requirements.lock into .venv (nothing to do: under a second)
	@$(PYTHON) bootstrap.py

demo: setup ## From nothing to a classified long text on a real control plane, scaling included
	@$(BIN)/python -m plimsoll_sandbox.demo

demo-down: setup ## Stop the demo's sandbox and everything it started
	@$(BIN)/plimsoll-sandbox down --name demo

# What is built once is built first, where its progress shows and no test's time-out runs.
programs: setup
	@$(BIN)/plimsoll-sandbox tools

built: programs
	@$(BIN)/plimsoll-server train-demo --cached

# Two workers: the tests of a cluster mostly wait, the others mostly compute. Each worker has a sandbox of its own and takes
# whole files, in this order: none comes back to a folder whose operator it has taken down.
test: built ## All tests: unit, contract, and cluster on a real control plane
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'not thorough' tests/cluster tests/unit tests/contract

test-cluster: built ## Only the tests on the real control plane
	@$(BIN)/pytest -m cluster

test-thorough: built ## The long tests without a cluster: whole shapes, 32K tokens, overload, fuzzing (half an hour)
	@$(BIN)/pytest -m thorough tests/unit tests/contract

verify: setup ## Format, lint, types, layers, and generated files that must be current
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python charts/sync_crd.py --check
	@$(BIN)/python charts/sync_profiles.py --check
	@$(BIN)/python charts/values_table.py --check
	@$(BIN)/python crds/render_reference.py --check
	@$(BIN)/python benchmarks/table.py --check

format: setup ## Format and mend what can be mended by itself
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: setup ## Resolve the dependencies anew and write the hash-locked requirement files
	@$(BIN)/python lock.py

test-scale: programs ## The operator with OBJECTS objects (200) under simulated nodes, watched for MINUTES (30)
	@$(BIN)/pytest -s tests/scale --objects $(or $(OBJECTS),200) --minutes $(or $(MINUTES),30)

bench-rollouts: built ## What rollouts take, from the first bad response on: each is played TIMES times (5)
	@$(BIN)/pytest -s tests/cluster/rollouts --times $(or $(TIMES),5)

images: setup ## Both images as OCI archives in dist/images, with digests and what is in them (IMAGES="operator server")
	@$(BIN)/python -m images $(IMAGES) $(if $(PYTHON_IMAGE),--python-image $(PYTHON_IMAGE))

test-statistics: setup ## False alarms and detection of rollouts, by simulation: ROLLOUTS (10000) of each scenario
	@$(BIN)/pytest -s tests/simulation --rollouts $(or $(ROLLOUTS),10000)

test-gpu: setup ## The checks that need a GPU
	@$(BIN)/python benchmarks/bench_gpu.py require
	@$(BIN)/pytest tests/gpu

bench: setup ## The server beside its alternatives, in 45 minutes (QUICK=1: 3): figures, tables and a chart
	@$(BIN)/python benchmarks/bench.py all $(if $(QUICK),--quick)

bench-gpu: setup ## The server on a GPU (QUICK=1: fewer rounds): figures and tables
	@$(BIN)/python benchmarks/bench_gpu.py run $(if $(QUICK),--quick)
