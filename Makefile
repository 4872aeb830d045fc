# Everything from a bare machine with Python 3.11-3.13 and make; each target installs what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test test-slow test-oldest bench docs lint types format build-check audit sbom dev clean help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.installed ## run the main job: train on one modality, predict on the other
	$(BIN)/skxmodal reproduce --out reports/demo

test: $(VENV)/.installed-dev ## run the default tests
	$(BIN)/python -m pytest

test-slow: $(VENV)/.installed-dev ## run the slow tests
	$(BIN)/python -m pytest -m "slow and not network"

# Where PyPI's torch is too large, point PIP_EXTRA_INDEX_URL at its CPU builds; where those of the
# oldest version are out of reach, name another: make test-oldest OLDEST_TORCH=2.13.0
OLDEST_TORCH ?= $(shell sed -n 's/^torch==//p' constraints-oldest.txt)
test-oldest: ## install the oldest supported versions in .venv-oldest and run the default tests
	$(PYTHON) -m venv $(VENV)-oldest
	sed 's/^torch==.*/torch==$(OLDEST_TORCH)/' constraints-oldest.txt > $(VENV)-oldest/constraints.txt
	$(VENV)-oldest/bin/python -m pip install --progress-bar on -c $(VENV)-oldest/constraints.txt -e ".[test]"
	$(VENV)-oldest/bin/python -m pytest

# On an idle machine, where waiting threads may spin.
bench: $(VENV)/.installed-dev ## measure speed and memory: reports/bench
	$(BIN)/python -m pip install --quiet -c constraints.txt librosa scikit-image
	env -u OMP_WAIT_POLICY $(BIN)/python benchmarks/bench_all.py

# Offline, unless SKXMODAL_DOCS_ONLINE is set. SPHINXOPTS="-D plot_gallery=0" runs no examples.
docs: $(VENV)/.installed-docs ## build the documentation and run its gallery: docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -b html $(SPHINXOPTS) docs docs/_build/html
	$(BIN)/python docs/check_links.py docs/_build/html

lint: $(VENV)/.installed-dev ## check style and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(VENV)/.installed-dev ## check types
	$(BIN)/mypy

build-check: $(VENV)/.installed-dev ## build wheel and sdist twice; compare them and check what they hold
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python tests/check_build.py

# The tools live in an environment of their own: what they bring is not audited, nor listed.
audit: $(VENV)/.installed $(VENV)/tools/.installed ## ask the advisory database about what is installed
	PIPAPI_PYTHON_LOCATION=$(abspath $(BIN)/python) $(VENV)/tools/bin/pip-audit --skip-editable

sbom: $(VENV)/.installed $(VENV)/tools/.installed ## list what is installed: reports/sbom.cdx.json
	mkdir -p reports
	$(VENV)/tools/bin/cyclonedx-py environment --pyproject pyproject.toml \
		--output-file reports/sbom.cdx.json $(BIN)/python

format: $(VENV)/.installed-dev ## reformat the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

dev: $(VENV)/.installed-dev ## make the development environment and install the commit hooks
	$(BIN)/pre-commit install

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --progress-bar on -c constraints.txt -e ".[plot]"
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --progress-bar on -c constraints.txt -e ".[dev]"
	@touch $@ $(VENV)/.installed

$(VENV)/tools/.installed: | $(VENV)/bin/python
	$(BIN)/python -m venv $(VENV)/tools
	$(VENV)/tools/bin/python -m pip install --quiet pip-audit cyclonedx-bom
	@touch $@

$(VENV)/.installed-docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --progress-bar on -c constraints.txt -e ".[docs]"
	@touch $@ $(VENV)/.installed

clean: ## delete the environment and everything that was built
	rm -rf $(VENV) $(VENV)-oldest build dist reports docs/_build docs/auto_examples docs/generated .pytest_cache .mypy_cache .ruff_cache .hypothesis
