# Everything starts here: `make quickstart` and `make test` need Python >= 3.11 and make, no more.
# Both install into .venv first, once; `make clean` takes it away again.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: help install quickstart test coverage test-gpu check format docs site bench evidence torture audit clean

help:
	@echo "make quickstart   the whole road on the embedded example (SEED=0), about 2 minutes"
	@echo "make test         all tests, on the CPU"
	@echo "make coverage     all tests, and the lines that they run; fails below 90 %"
	@echo "make test-gpu     the tests that need a GPU"
	@echo "make check        lint, formatting, types, import layers, the documentation site"
	@echo "make site         the documentation as a site: site/index.html"
	@echo "make bench        what the README's figures come from"
	@echo "make torture      kills, server faults, full disks and fuzzing, 30 minutes on two cores"
	@echo "make audit        known vulnerabilities of what is installed; asks PyPI"
	@echo "make evidence     docs/evidence.md; with FRESH=1 from scratch, in hours"

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

quickstart: $(INSTALLED)
	$(BIN)/scicot demo $${OUT:-quickstart/seed-$${SEED:-0}} --seed $${SEED:-0} --student $${STUDENT:-scratch:tiny}

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart 2

# Apart from `make test`, since on Python 3.11 tracing costs a fifth to a half of the time of a test, and two
# thirds of that of an import of torch, which many tests repeat in processes of their own.
coverage: $(INSTALLED)
	rm -f .coverage .coverage.*
	$(BIN)/python -m coverage run -m pytest -n 2 --dist loadfile --max-worker-restart 2
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

test-gpu: $(INSTALLED)
	SCICOT_TEST_GPU=1 $(BIN)/python -m pytest -m cuda

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory site

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED)
	$(BIN)/python docs/render_commands.py
	$(BIN)/python docs/render_api.py
	$(BIN)/python docs/render_architecture.py

# Fails on a link that leads nowhere and on a page that the navigation lacks. Needs no network; the variable
# silences an advertisement of mkdocs-material.
site: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

# Systems of the example world that the grid has not.
BESIDE := answer-first shared direct-2

# FRESH=1 trains everything again; without, the page is written of the results that docs/evidence/ keeps.
evidence: $(INSTALLED)
	$(if $(FRESH),$(BIN)/python -m benchmarks.evidence grid evidence)
	$(if $(FRESH),for seed in 3 4 5; do \
		$(BIN)/python -m benchmarks.evidence run evidence shipped-$$seed $(BESIDE) || exit 1; done)
	$(if $(FRESH),$(BIN)/python -m benchmarks.evidence keep evidence shipped)
	$(BIN)/python -m benchmarks.evidence page

# The figures go into docs/reliability.json and docs/reliability.md; fails on any broken promise.
torture: $(INSTALLED)
	cd tests && ../$(BIN)/python -m torture --json ../docs/reliability.json

# Strict: a package that the service does not know, or an answer that does not come, is no pass.
# Without +cpu and the like, which name a build of a version. Tracebacks are left out.
audit: $(INSTALLED)
	@$(BIN)/python -m pip freeze --exclude-editable | sed 's/+.*//' > .venv/audited.txt
	@$(BIN)/pip-audit --strict --no-deps --disable-pip --progress-spinner off \
		-r .venv/audited.txt > .venv/audit.txt 2>&1 && failed=0 || failed=1; \
	grep -vE '^( |Traceback|During|$$)' .venv/audit.txt | cut -c 1-300; \
	if [ $$failed = 1 ]; then \
		echo "make audit: a package has a known vulnerability, or PyPI could not be asked (see above)"; \
		exit 1; \
	fi

clean:
	rm -rf .venv .coverage .coverage.* quickstart dist site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
