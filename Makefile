# Every target makes its own environment in .venv first; nothing but Python 3.11 or newer has to be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint constraints.txt

# Tests and benchmarks on real genes find their data here; without it the tests that need it are skipped.
ifneq ($(wildcard ../shared/data),)
export DNACLIP_SHARED_DATA ?= $(abspath ../shared/data)
endif
BENCH := OMP_NUM_THREADS=1 $(BIN)/python benchmarks
PAIRS = $$DNACLIP_SHARED_DATA/genes/pairs.parquet

.DEFAULT_GOAL := help
.PHONY: help .venv demo test docs tutorials bench lint build clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z.]+:.*## /{printf "%-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv: $(VENV)/.installed ## make the environment

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	# Dependency groups need pip 25.1; Python 3.11 brings an older one.
	$(PIP) install --quiet --upgrade 'pip>=25.1'
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.group-%: $(VENV)/.installed
	$(INSTALL) --group $*
	@touch $@

demo: $(VENV)/.installed ## real cells -> gene embeddings, programs, figures and a report in demo-output/
	$(BIN)/dnaclip demo --out demo-output

test: $(VENV)/.group-test ## run the tests
	OMP_NUM_THREADS=1 MPLBACKEND=agg $(BIN)/python -m pytest -n 2 $(ARGS)

docs: $(VENV)/.group-doc ## build the documentation without network; DNACLIP_DOCS_OFFLINE=0 links to other projects
	DNACLIP_DOCS_OFFLINE=$${DNACLIP_DOCS_OFFLINE:-1} $(BIN)/python -m sphinx -M html docs docs/_build -W --keep-going

tutorials: $(VENV)/.group-doc $(VENV)/.group-test ## run the notebooks of tutorials/ from scratch and write their outputs back; NAMES="train viability" runs some
	@test -n "$$DNACLIP_SHARED_DATA" || { echo "Set DNACLIP_SHARED_DATA to the folder with real genes."; exit 1; }
	@# A cache of its own: a table that was completed on this machine would change the outputs.
	DNACLIP_DATA_DIR=$(abspath $(VENV))/tutorials OMP_NUM_THREADS=1 $(BIN)/python scripts/run_tutorials.py $(NAMES)

bench: $(VENV)/.group-test ## run the benchmarks on real genes; files in bench-output/
	@test -n "$$DNACLIP_SHARED_DATA" || { echo "Set DNACLIP_SHARED_DATA to the folder with real genes."; exit 1; }
	mkdir -p bench-output
	$(BENCH)/embed_speed.py
	$(BENCH)/make_split.py --pairs $(PAIRS) --out bench-output/split.parquet
	@# The baseline of alignment needs programs that pip cannot install.
	if command -v diamond && command -v makeblastdb && command -v blastn; then \
		$(BENCH)/alignment_transfer.py --pairs $(PAIRS) --split bench-output/split.parquet --out bench-output/hits.parquet; \
	fi

lint: $(VENV)/.group-dev ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

build: $(VENV)/.group-dev ## build and check the wheel and the source archive
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

clean: ## remove everything that the other targets make
	rm -rf $(VENV) dist demo-output bench-output docs/_build docs/generated .pytest_cache .mypy_cache .ruff_cache .coverage*
