# make lab        JupyterLab with the notebooks
# make test       every test, the notebooks among them
# make env        the environment alone (.venv)
# make notebooks  run the notebooks and store their outputs
# make drive      render the sample drive again (data/sample_drive)
# make model      train the shipped network again (data/models)
# make clean      remove the environment and what the tools left behind

PYTHON ?= python3
RUN := .venv/bin/python
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: lab test env notebooks drive model clean
export TF_CPP_MIN_LOG_LEVEL ?= 2

env: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[lab,test]'
	touch $@

lab: env
	$(RUN) -m jupyter lab --notebook-dir=notebooks

test: env
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m pytest tests

notebooks: env
	$(RUN) notebooks/execute.py

drive: env
	$(RUN) -m steerlib.roads data/sample_drive

model: env
	$(RUN) -m steerlib.model data/models

clean:
	rm -rf .venv .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
	find notebooks -name .ipynb_checkpoints -prune -exec rm -rf {} +
