# The project's commands; `make` alone lists them. Everything happens in .venv, made on first use.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Small networks on busy cores lose time with more than one thread a process.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

FIGURES = --scale $(or $(SCALE),cpu) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(JOBS),--jobs $(JOBS)) \
	$(if $(DEVICE),--device $(DEVICE)) $(ARGS)
# Studies train one stack after another; what they cannot obey is refused, not passed over.
STUDY = $(if $(JOBS)$(DEVICE),$(error JOBS and DEVICE are for make figures alone)) \
	--scale $(or $(SCALE),cpu) $(if $(SEEDS),--seeds $(SEEDS)) $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all coverage lint format bench classifiers clean \
	study-anatomizing study-modes zoo figures figures-list docs site

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' Makefile
	@printf '\nARGS="..." is handed on: make demo ARGS="training.steps=500", make test ARGS="-k srgan".\n'
	@printf 'PYTHON=... makes .venv with another Python (3.11, 3.12 or 3.13).\n'

install: $(INSTALLED) ## make .venv and install the package there, editable, with its tools

demo: $(INSTALLED) ## train SRGAN on points in space: a table of results, pictures
	$(BIN)/gan-run model=srgan dataset=gauss3d $(ARGS)

test: $(INSTALLED) ## the tests, without the slow ones
	$(PYTEST) -m "not slow" $(ARGS)

test-all: $(INSTALLED) ## all tests
	$(PYTEST) $(ARGS)

coverage: $(INSTALLED) ## all tests, and the lines that none reaches; fails under 90 %
	$(PYTEST) --cov --cov-report=term-missing:skip-covered --cov-fail-under=90 $(ARGS)

lint: $(INSTALLED) ## style, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED) ## put the code into the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED) ## a training step's speed against loops written by hand, as ratios; start-up
	$(BIN)/python benchmarks/step.py $(ARGS)
	$(BIN)/python benchmarks/stack.py
	$(BIN)/python benchmarks/images.py
	$(BIN)/python benchmarks/photographs.py
	$(BIN)/python benchmarks/startup.py

study-anatomizing: $(INSTALLED) ## does SRGAN beat the MLP? 32 paired seeds; SEEDS=n SCALE=smoke|cpu|full
	$(BIN)/python -m gan_runner.studies.anatomizing $(STUDY)

study-modes: $(INSTALLED) ## modes found on a ring and a lattice, by loss and packing; SEEDS, SCALE
	$(BIN)/python -m gan_runner.studies.modes $(STUDY)

zoo: $(INSTALLED) ## models x losses x penalties on digits, MNIST's experiments: a table; SEEDS, SCALE
	$(BIN)/python -m gan_runner.studies.zoo $(STUDY)

figures: $(INSTALLED) ## all papers' figures and claims; SCALE=smoke|cpu|full SEEDS JOBS DEVICE
	$(BIN)/python -m gan_runner.figures $(FIGURES)

figures-list: $(INSTALLED) ## the figures: what each shows, its time; make figures-PAPER, figure-ID
	@$(BIN)/python -m gan_runner.figures --list

figures-%: $(INSTALLED)
	$(BIN)/python -m gan_runner.figures $* $(FIGURES)

figure-%: $(INSTALLED)
	$(BIN)/python -m gan_runner.figures $* $(FIGURES)

docs: $(INSTALLED) ## write docs/configuration.md and the made parts of docs/models anew
	$(BIN)/python -m gan_runner.reference

site: $(INSTALLED) ## build the documentation as a site, into site/
	$(BIN)/python -m mkdocs build --strict

classifiers: $(INSTALLED) ## train the shipped classifiers anew; ARGS="mnist" for one: half an hour
	OMP_NUM_THREADS=1 $(BIN)/python -m gan_runner.classifiers.training $(ARGS)

clean: ## remove caches and built files; keeps outputs/ and .venv
	rm -rf build dist site .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache
	find gan_runner tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# --- .venv ---------------------------------------------------------------------------------------

$(INSTALLED): pyproject.toml | $(BIN)/python
	@echo "Installing gan_runner and what it needs into $(VENV): minutes, the first time."
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[dev]'
	@touch $@

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))

$(BIN)/python:
	@for python in "$(PYTHON)" python3.13 python3.12 python3.11; do \
		if "$$python" -c '$(SUPPORTED)' >/dev/null 2>&1; then \
			echo "Making $(VENV) with $$python ($$("$$python" --version))"; \
			"$$python" -m venv $(VENV) && exit 0; \
			rm -rf $(VENV); \
			echo "$$python cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; \
			exit 1; \
		fi; \
	done; \
	found=$$("$(PYTHON)" --version 2>&1) || found="no such command"; \
	echo "Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is: $$found." >&2; \
	echo "Name another one with: make PYTHON=/path/to/python3.12" >&2; \
	exit 1
