# `make help` lists what there is. All that is assumed: make, and a python3 from 3.11 on.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.installed
DATA ?= sample
OUT ?= runs/notebooks

help:  ## list these commands
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "python3 must be 3.11 to 3.13; try: make PYTHON=python3.12 ..."; exit 1; }
	@echo "installing the packages: several GB, some minutes"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

install: $(READY)  ## make .venv and install requirements.txt into it (the other commands do this themselves)

demo: $(READY)  ## draw the sample, execute notebooks 1, 2, 3 and 5 on it, refresh images/ and notebooks/ [WEIGHTS=...; default: IMAGENET1K_V1, 98 MB once]
	rm -rf runs/demo
	$(BIN)/python notebooks/execute.py --out runs/demo --refresh $(if $(WEIGHTS),--weights "$(WEIGHTS)")

test: $(READY)  ## ruff, mypy, then pytest
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

lab: $(READY)  ## open JupyterLab on notebooks/ [LAB="--allow-root --no-browser"]
	$(BIN)/jupyter lab --notebook-dir=notebooks $(LAB)

notebooks: $(READY)  ## execute them on other data: DATA=... [WEIGHTS=... OUT=runs/notebooks EPOCHS=... RECIPE=... ONLY=direct SET="lr=0.01 flip=true"]
	$(BIN)/python notebooks/execute.py --out "$(OUT)" --data "$(DATA)" $(if $(WEIGHTS),--weights "$(WEIGHTS)") \
	  $(if $(EPOCHS),--epochs $(EPOCHS)) $(if $(RECIPE),--recipe $(RECIPE)) $(if $(ONLY),--only $(ONLY)) \
	  $(foreach setting,$(SET),--set "$(setting)")

bench: $(READY)  ## how fast it is beside the published way and the bare limit (20 to 30 minutes): DATA=....zip
	@test "$(DATA)" != sample || { echo "name the zip: make bench DATA=data/fashion-product-images-small.zip"; exit 1; }
	$(BIN)/python -m study bench speed --data "$(DATA)"
	$(BIN)/python -m study render

results: $(READY)  ## rebuild the tables in the documents and images/results from results/ [DATA=....zip checks every metric first]
	$(if $(filter-out sample,$(DATA)),$(BIN)/python -m study check --data "$(DATA)")
	$(BIN)/python -m study render
	$(BIN)/jupyter nbconvert --log-level=ERROR --execute --inplace --ExecutePreprocessor.record_timing=False \
	  notebooks/04_compare.ipynb

faults: $(READY)  ## kill, stop, starve runs, start them twice, ten times the photos: nothing is lost; table in results/reliability.md [KILLS=20]
	$(BIN)/python -m tests.checks.faults $(or $(KILLS),20)

fuzz: $(READY)  ## 25,500 strange tables, photos, links, zips and weights; same table file
	$(BIN)/python -m tests.checks.fuzz

scale: $(READY)  ## large photos, several processes: memory and speed; same table file [WEIGHTS=...]
	$(BIN)/python -m tests.checks.scale $(if $(WEIGHTS),--weights "$(WEIGHTS)")

browser: $(READY)  ## the report, the page of `serve` and a notebook in a real Chromium; screenshots in runs/browser/
	$(BIN)/python -m pip install --disable-pip-version-check -q -r tests/checks/requirements.txt
	$(BIN)/python -m pytest -m browser tests/checks/test_browser.py

package: $(READY)  ## install it into empty environments, of the lowest and the newest versions, and try it there (half an hour)
	$(BIN)/python -m tests.checks.install

clean:  ## remove .venv and runs/demo (your other runs and your data stay)
	rm -rf .venv runs/demo

.PHONY: help install demo test lab notebooks bench results faults fuzz scale browser package clean
