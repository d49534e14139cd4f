# Everything runs in .venv, which the first target that needs it makes: any Python from 3.11 to 3.13 will do.
#   make demo   run the default study and say what came out (CORES=n to leave some cores alone)
#   make test   run the tests (WORKERS=n processes)
#   make bench  time the selection against other programs
#   make lint   check style, the workflow and the environment files; `make format` mends the style

WORKERS ?= 2
BIN := $(CURDIR)/.venv/bin
PROFILE := profiles/default
BENCHMARKS := $(sort $(wildcard benchmarks/*.py))

# Rules start processes side by side: threads inside each would only compete.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
export PATH := $(BIN):$(PATH)

.PHONY: demo test bench lint format lock clean

demo: .venv/.installed
	"$(BIN)/snakemake" --workflow-profile $(PROFILE) $(if $(CORES),--cores $(CORES))
	@echo
	@"$(BIN)/gapdesign" headline results/zr-demo
	@echo "Report: results/zr-demo/report.html"

test: .venv/.installed
	"$(BIN)/python" -m pytest -n $(WORKERS)

bench: .venv/.installed
	@set -e; for script in $(BENCHMARKS); do echo "$$script"; "$(BIN)/python" $$script; done
	$(if $(BENCHMARKS),,@echo "There are no benchmarks yet.")

lint: .venv/.installed
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/snakefmt" --check Snakefile workflow
	"$(BIN)/snakemake" --lint
	"$(BIN)/python" envs/generate.py --check

format: .venv/.installed
	"$(BIN)/ruff" check --fix .
	"$(BIN)/ruff" format .
	"$(BIN)/snakefmt" Snakefile workflow

# Needs uv on the path. `make lock UPGRADE=1` moves to newer versions.
lock:
	python3 envs/generate.py --lock $(if $(UPGRADE),--upgrade)

clean:
	rm -rf .venv .snakemake .pytest_cache .ruff_cache .hypothesis build workflow/src/*.egg-info

# The stamp goes first and comes back last: without it the environment is half made and starts afresh.
.venv/.installed: envs/requirements.lock pyproject.toml
	@set -e; found=; \
	for python in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	  if $$python -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; \
	  then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "gapdesign needs Python 3.11, 3.12 or 3.13 with its venv module; say where: make PYTHON=..." >&2; exit 1; \
	fi; \
	if [ ! -e $@ ]; then "$$found" -m venv --clear .venv; fi; \
	rm -f $@; \
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes -r envs/requirements.lock; \
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	touch $@
