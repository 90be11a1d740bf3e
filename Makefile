# make lab        JupyterLab with the notebooks
# make test       every test, the notebooks among them
# make test-networks  every notebook with every kind of network on every drive, an hour
# make check      is this machine ready for a class?
# make env        the environment alone (.venv)
# make notebooks  run the notebooks and store their outputs
# make drive      render the sample drive again (data/sample_drive)
# make model      train the shipped networks again (data/models), the one of notebook 10 last
# make eraser     train the network that erases again (data/eraser.keras), and score maps with it (data/trust.npz)
# make autonomy   let the networks of notebook 09 drive again (data/autonomy.npz)
# make book       build the website in docs/_build/html from the notebooks as they are stored
# make bench      measure beside other libraries and write the table in benchmarks/README.md; what a large drive or a class takes
# make lock       choose the tested versions again (constraints.txt), as few new ones as pyproject.toml asks for
# make audit      ask for known faults of the installed packages
# make gallery    draw the picture of all methods in the README again
# make animation  draw the moving picture in the README again
# make architecture  draw the picture in CONTRIBUTING.md again
# make clean      remove the environment and what the tools left behind
# make help       this list

# The newest Python that TensorFlow has wheels for. One that is there need not run (pyenv's shims), nor make environments.
PYTHONS := 3.13 3.12 3.11
suitable = import sys, ensurepip; sys.exit("%d.%d" % sys.version_info[:2] not in "$(PYTHONS)".split())
PYTHON ?= $(shell for python in $(PYTHONS:%=python%); do \
	if "$$python" -c '$(suitable)' &> /dev/null; then echo "$$python"; break; fi; done)
define need_python
$(or $(PYTHON),false) -c '$(suitable)' 2> /dev/null || { \
echo 'Needed is Python $(PYTHONS) (one of them, with its module venv); $(if $(PYTHON),$(PYTHON) is not,none was found).'; \
echo 'Install one, or name where it is (make env PYTHON=/path/to/python3.13), or use uv or conda: see README.md.'; \
exit 1; } >&2
endef
RUN := .venv/bin/python
# Recorded frames that may not be passed on; the tests that need them are skipped where they are missing.
REAL_DRIVE := ../shared/data/sullychen-2018
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
# The first target is what `make` alone does.
.PHONY: help lab check test test-sample test-real test-unit test-robustness test-browser test-networks
.PHONY: env notebooks drive model eraser autonomy book bench lock audit gallery animation architecture clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

env: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@$(need_python)
# An environment of another Python cannot be turned into one of this.
	test "$$(.venv/bin/python -V 2>&1)" = "$$($(PYTHON) -V 2>&1)" || rm -rf .venv
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[lab,test,book]'
	touch $@

lab: env
	$(RUN) -m jupyter lab --notebook-dir=notebooks --ip=127.0.0.1 notebooks/00_five_minutes.ipynb

# The notebooks as tests on one drive (none: the sample drive). 02 comes first: it saves the network that the others use.
# Trainings are cut short after two epochs; of what only repeats, frames and rendered views, 01 and 02 do a quarter, which
# leaves enough to split, the others an eighth. `make notebooks` runs all of it.
# For time, only data, training and one map, 01, 02 and 05, run on the recorded drive as well; the others take seven
# minutes there: `make test-real SKIPPED=`. Notebook 09 needs no drive.
SKIPPED ?= $(patsubst %,--ignore notebooks/%.ipynb,03_occlusion 04_hypercolumns 06_cam 07_video 08_trust 09_driving)
NBMAKE := $(RUN) -m pytest --nbmake --nbmake-timeout 600 --durations=10
run_notebooks = models=$$(mktemp -d); trap 'rm -rf "$$models"' EXIT; \
	export STEERLIB_DRIVE=$(1) STEERLIB_MODELS="$$models" STEERLIB_EPOCHS=2; \
	STEERLIB_QUICK=4 $(NBMAKE) notebooks/02_training.ipynb notebooks/01_data.ipynb; \
	STEERLIB_QUICK=8 $(NBMAKE) notebooks --ignore notebooks/01_data.ipynb --ignore notebooks/02_training.ipynb $(2)

# Two parts at a time, the long ones first, so that both cores end together. One thread each: two would be in each other's way.
test: export TF_NUM_INTRAOP_THREADS := 1
test: export TF_NUM_INTEROP_THREADS := 1
test: export OMP_NUM_THREADS := 1
test: env
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(MAKE) --jobs=2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=line) \
	    test-unit test-sample test-browser test-real test-robustness

test-sample:
	$(call run_notebooks,)

test-real:
	if [ -d $(REAL_DRIVE) ]; then $(call run_notebooks,$(REAL_DRIVE),--ignore notebooks/solutions $(SKIPPED)); else test -z "$${CI:-}"; fi

test-unit:
	$(RUN) -m pytest --durations=10 tests --ignore tests/browser --ignore tests/robustness

test-robustness:
	$(RUN) -m pytest --durations=10 tests/robustness

test-networks: env
	$(RUN) -m pytest -m slow --durations=10 tests/test_any_network.py tests/networks

test-browser:
	$(RUN) -m pytest --durations=10 tests/browser

check: env
	$(RUN) -m steerlib check

notebooks: env
	$(RUN) tools/execute.py

drive: env
	$(RUN) -m steerlib.world data/sample_drive

model: env
	$(RUN) -m steerlib.networks.shipped data/models
	$(RUN) -m steerlib.networks.varied data/models
	$(RUN) -m steerlib.networks.someone_elses data/models

eraser: env
	$(RUN) -m steerlib.maps.eraser.learning data/eraser.keras
	$(RUN) -m steerlib.trust.several data/trust.npz

autonomy: env
	$(RUN) -m steerlib.world.driving data/autonomy.npz

book: env
	$(RUN) -m sphinx -q -W --keep-going -c docs . docs/_build/html
	$(RUN) tools/scenes.py docs/_build/html/_static/scenes.js

bench: env
	$(RUN) benchmarks/run.py
	$(RUN) benchmarks/explorers.py
	$(RUN) benchmarks/size.py
	$(RUN) benchmarks/scale.py
	$(RUN) benchmarks/classroom.py

# uv reads the present file and keeps its versions where pyproject.toml allows; without the file it takes the newest.
lock:
	@$(need_python)
	uv=$$(mktemp -d); trap 'rm -rf "$$uv"' EXIT; \
	$(PYTHON) -m venv "$$uv"; \
	"$$uv/bin/python" -m pip install --quiet --disable-pip-version-check 'uv>=0.13,<1'; \
	"$$uv/bin/uv" pip compile --quiet --universal --python-version $(lastword $(PYTHONS)) --all-extras --no-emit-index-url \
	    --no-annotate --custom-compile-command 'make lock' --output-file constraints.txt pyproject.toml

# In an environment of its own, for pip-audit belongs to nobody's tutorial. It writes down what it found only when it could
# ask its data base about every package (--strict); otherwise the versions are listed.
audit: env
	audit=$$(mktemp -d); trap 'rm -rf "$$audit"' EXIT; \
	$(RUN) -m pip freeze --exclude-editable > "$$audit/installed.txt"; \
	$(RUN) -m venv "$$audit/venv"; \
	if "$$audit/venv/bin/python" -m pip install --quiet --retries 1 --disable-pip-version-check 'pip-audit>=2.7,<3' \
	    && "$$audit/venv/bin/python" -m pip_audit --strict --no-deps --disable-pip --timeout 10 \
	        --requirement "$$audit/installed.txt" --output "$$audit/faults.txt" 2> "$$audit/log.txt"; \
	then echo "no known faults"; \
	elif [ -s "$$audit/faults.txt" ]; then cat "$$audit/faults.txt"; exit 1; \
	else tail -n 1 "$$audit/log.txt" 2> /dev/null || true; \
	    echo "no data base of known faults can be reached; these versions are installed:"; cat "$$audit/installed.txt"; fi

gallery: env
	$(RUN) tools/gallery.py

animation: env
	$(RUN) tools/animation.py

architecture: env
	$(RUN) tools/architecture.py

clean:
	rm -rf .venv benchmarks/.venv docs/_build build dist .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
	find notebooks -name .ipynb_checkpoints -prune -exec rm -rf {} +
