# `make demo` and `make test` set everything up by themselves: Python 3.11 to 3.13, git and make suffice.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test newest platforms check lint repro serve constraints clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# The first interpreter that fits TensorFlow and can make virtual environments.
FITS := import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for candidate in python3 python3.12 python3.11 python3.13 python; do \
	$$candidate -c '$(FITS)' >/dev/null 2>&1 && echo $$candidate && break; done)

# The GPU build of TensorFlow where there is a GPU.
DEVICE ?= $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)

# What else is installed: `dev` holds all extras; `all` leaves out what only developing needs.
EXTRAS ?= dev

export PATH := $(CURDIR)/$(BIN):$(PATH)
export DO_NOT_TRACK := 1

# A variable as it was typed, one word for the shell whatever it holds: spaces, quotes, $ ...
typed = '$(subst ','\'',$(value $(1)))'

help: ## Say what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## Build .venv, once, with the tested versions; UV= takes pip, EXTRAS=all leaves out tools

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 to 3.13 with venv found (Debian: apt install" \
		"python3-venv); name one with 'make setup PYTHON=path/to/python'" >&2; exit 1; }
	@.ci/install $(VENV) "$(PYTHON)" --editable '.[$(DEVICE),$(EXTRAS)]'
	@touch $@

demo: setup ## Run the whole line on a drawn archive, in a workspace of its own
	@ferflow demo

test: setup ## Run the tests; FERFLOW_ARCHIVE=path/to/archive.zip adds those on the real faces
	@python -m pytest --numprocesses auto --maxprocesses 4

newest: ## Run a short line on the newest supported Python of this machine
	@.ci/newest

check: ## Run what a release must pass: lint, demo, tests, newest Python, light install, platforms
	@.ci/check

platforms: setup ## Resolve the dependencies for each platform and Python, without installing them
	@.ci/platforms

lint: setup ## Check style, which package imports which, and types
	@ruff check . && ruff format --check . && lint-imports && pyright

repro: setup ## Rebuild; ARCHIVE=path/to/archive.zip adds an archive, PRESET=name settings, WEIGHTS="model file" weights
	$(if $(filter command,$(origin PROFILE)),$(error PROFILE is now PRESET))
	@$(if $(value ARCHIVE),ferflow add $(call typed,ARCHIVE),true)
	@$(if $(value PRESET),ferflow preset $(call typed,PRESET),true)
	@$(if $(value WEIGHTS),read -r model file <<< $(call typed,WEIGHTS) && \
		ferflow set-weights "$$model" "$${file/#~\//$$HOME/}",true)
	@dvc repro

serve: setup ## Serve the flow: Prefect's server, schedule and worker on this machine; PORT=4200
	@exec ferflow serve $(if $(value PORT),--port $(call typed,PORT))

constraints: setup ## Resolve the dependencies anew into constraints.txt
	@uv pip compile --universal --fork-strategy fewest --python-version 3.11 --all-extras --quiet \
		--upgrade --no-header --no-annotate --no-emit-index-url pyproject.toml \
		| sed 's/ *;.*//' | sort > constraints.txt.new
	@mv constraints.txt.new constraints.txt

clean: ## Remove the virtual environment and what tools have cached
	@rm -rf $(VENV) .pytest_cache .ruff_cache
