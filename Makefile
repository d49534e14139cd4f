# Everything runs in .venv, which the first target that needs it makes: any Python from 3.11 to 3.13 will do.
#   make demo   run the default study and say what came out (CORES=n to leave some cores alone)
#   make test   run the tests (WORKERS=n processes); `make test-whole` runs those that take minutes each
#   make gpaw   compile GPAW into .venv (docs/engines.md says what it wants)
#   make nep    nep-adapters into .venv, and the foundation model NEP89, nep89.txt, beside it (docs/features.md)
#   make docs   build the documentation as a site, build/site/index.html
#   make bench  time the selection and power spectra against other programs
#   make lint   check style, the workflow and the environment files; `make format` mends the style

WORKERS ?= 2
RUN := PATH="$$PWD/.venv/bin:$$PATH"
INSTALL := .venv/bin/python -m pip install --quiet --disable-pip-version-check
PROFILE := profiles/default

# Rules start processes side by side: threads inside each would only compete.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1

.PHONY: demo test test-whole gpaw nep docs bench lint format lock clean

demo: .venv/.installed
	$(RUN) snakemake --workflow-profile $(PROFILE) $(if $(CORES),--cores $(CORES))
	@echo
	@$(RUN) gapdesign headline results/zr-demo
	@echo "Report: results/zr-demo/report.html"

test: .venv/.installed
	$(RUN) python -m pytest -n $(WORKERS)

test-whole: .venv/.installed
	$(RUN) python -m pytest -m whole

# GPAW for tests marked dft and for the engine gpaw. It wants a C++ compiler and the headers of libxc, OpenBLAS and FFTW.
# No cache: pip would take a wheel that was compiled otherwise.
gpaw: .venv/.installed
	GPAW_CONFIG="$$PWD/envs/gpaw/siteconfig.py" $(INSTALL) --no-cache-dir --require-hashes --no-deps -r envs/gpaw/requirements.txt

# For the descriptor nep. NEP89 is part of the source of NepTrainKit; both are under the GPL, version 3, and only fetched.
NEP89_SUM := 75168ece02e840e4a32644f982b78d43cba697f5b64b4c8134ab66c7a8c28be1
nep: .venv/.installed
	$(INSTALL) --no-deps nep-adapters==1.0.3
	@if echo "$(NEP89_SUM)  nep89.txt" | sha256sum --check --status 2>/dev/null; then exit 0; fi; \
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	.venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary neptrainkit --dest "$$folder" \
	  neptrainkit==3.1.5 && \
	tar xzf "$$folder/neptrainkit-3.1.5.tar.gz" -C "$$folder" --no-same-owner --strip-components=4 \
	  neptrainkit-3.1.5/src/NepTrainKit/Config/nep89.txt && \
	(cd "$$folder" && echo "$(NEP89_SUM)  nep89.txt" | sha256sum --check --quiet) && mv "$$folder/nep89.txt" .

docs: .venv/.installed
	$(RUN) NO_MKDOCS_2_WARNING=1 mkdocs build --quiet

bench: .venv/.installed .venv-peers/.installed
	$(RUN) python benchmarks/selection.py
	$(RUN) python benchmarks/spectra.py

lint: .venv/.installed
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) snakefmt --check Snakefile workflow config
	$(RUN) snakemake --lint
	$(RUN) python envs/generate.py --check

format: .venv/.installed
	$(RUN) ruff check --fix .
	$(RUN) ruff format .
	$(RUN) snakefmt Snakefile workflow config
	$(RUN) gapdesign document

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
	$(INSTALL) --use-pep517 --require-hashes -r envs/requirements.lock; \
	$(INSTALL) --no-deps --no-build-isolation -e .; \
	.venv/bin/python -m compileall -q workflow/src; \
	.venv/bin/gapdesign profiles install || true; \
	touch $@

# The programs that `make bench` measures have an environment of their own.
.venv-peers/.installed: benchmarks/requirements.txt .venv/.installed
	.venv/bin/python -m venv --clear .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@
