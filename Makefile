# `make demo` and `make test` do all the set-up on a fresh machine, then run. Others: make help.

PYTHON ?=
VENV := .venv
INSTALLED := $(VENV)/.installed
RUN := $(VENV)/bin/python -m
WORKERS ?= logical
PYTEST_FLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup driver demo test slow lint format types check clean

help: ## Say what each target does
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(INSTALLED) ## Make .venv and install the pinned packages into it

demo: setup driver ## Watch an arm and a car driven by one network
	$(VENV)/bin/octoverse demo

# One thread per worker: several processes that each take all cores are slower than one.
test: setup driver ## Run the fast tests
	OMP_NUM_THREADS=1 $(RUN) pytest -n $(WORKERS) --maxprocesses 8 -rfEs $(PYTEST_FLAGS)

slow: setup driver ## Run the slow tests too
	OMP_NUM_THREADS=1 $(RUN) pytest -m "not gpu" -n $(WORKERS) --maxprocesses 8 -rfEs $(PYTEST_FLAGS)

lint: setup ## Check style and layout of the code
	$(RUN) ruff check .
	$(RUN) ruff format --check .

format: setup ## Write the code in its layout
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

types: setup ## Check the types
	$(RUN) mypy

check: test lint types ## Everything that has to pass

clean: ## Remove the environment and everything that was built
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

driver: $(INSTALLED)
	@$(VENV)/bin/python requirements/check_gl.py

# A virtual environment that was cut off half-way is made again; the stamp comes last.
$(INSTALLED): pyproject.toml $(wildcard requirements/*.txt)
	@$(VENV)/bin/python -m pip --version >/dev/null 2>&1 || sh requirements/make_venv.sh $(VENV) $(PYTHON)
	$(RUN) pip install "pip>=23"
	$(RUN) pip install -c requirements/constraints.txt -e ".[dev]"
	$(RUN) pip install -c requirements/constraints.txt --no-deps -r requirements/language.txt -r requirements/openpi.txt
	@touch $@
