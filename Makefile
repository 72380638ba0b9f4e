# Thin verbs: each sets up what it needs and is one line into Python. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
UV := .tools/bin/uv
# Two files of tests at a time, in the order of tests/conftest.py; what they write stays below the clone.
PYTEST = mkdir -p .rehearsal && PYTEST_DEBUG_TEMPROOT=$(CURDIR)/.rehearsal $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
export UV_PYTHON_DOWNLOADS := never
# Without cached bytecode every command, of which the tests start many, compiles all it imports: 2 s instead of 0.6.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install rehearse rehearse-faults prove-iam up why test test-fast lint freshness format new-model release cost preflight publish update-project seed-update smoke-aws teardown bench clean lock

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

rehearse: install ## play the whole story on this machine; FAULT="NAME ..." lets things go wrong; MODEL=FOLDER of your own
	@$(BIN)/python -m rehearsal $(addprefix --fault ,$(FAULT)) $(addprefix --model=,$(MODEL)) $(ARGS)

rehearse-faults: install ## play the story once for every group of faults that go together
	@$(BIN)/python -m rehearsal.every_fault $(ARGS)

prove-iam: install ## which call needs which grant: play the story without some; ARGS=--recorded-only decides again only
	@$(BIN)/python -m rehearsal.prove_iam $(ARGS)

up: install ## leave a cloud running to use by hand
	@$(BIN)/python -m rehearsal up $(addprefix --fault ,$(FAULT)) $(ARGS)

why: install ## why it failed: in the cloud that is kept running, else in the newest rehearsal
	@$(BIN)/python -m rehearsal.why $(ARGS)

test: install ## every test of the template, the story included
	@$(PYTEST) $(ARGS)

test-fast: install ## the tests without the story
	@$(PYTEST) -m "not story" $(ARGS)

lint: install .venvs/lint/.installed ## style, types and templates: ruff, mypy, cfn-lint with our rules, cdk-nag, checkov
	@$(BIN)/python -m checks.lint

freshness: install ## what is named and comes to its end of support within 90 days: images, runtimes
	@$(BIN)/python -m checks.freshness

format: install ## let ruff format and repair
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

release: install ## freeze what is committed under a number: VERSION=1.2.0
	@$(BIN)/python -m service_catalog release "$(VERSION)"

cost: install ## what a project costs, by resource: idle, a training run, a month of each endpoint; ARGS="--region R"
	@$(BIN)/python -m pricing $(ARGS)

preflight: install ## what would keep a launch from working, and its fix: ARGS="--profile P --region R --studio-role-arn ARN"
	@$(BIN)/python -m service_catalog preflight $(addprefix --target=,$(TARGET)) $(ARGS)

new-model: install ## the two repositories rewritten for your own table: DATA=claims.csv LABEL=fraud NAME=claims-fraud
	@$(BIN)/python -m new_model --data "$(DATA)" --label "$(LABEL)" --name "$(NAME)" --positive "$(POSITIVE)" \
	  --keep "$(KEEP)" --drop "$(DROP)" --protected "$(PROTECTED)" $(ARGS)

publish: install ## publish: TARGET=service-catalog|s3|both VERSION=1.2.0 (else the working tree) ARGS="--profile P --region R"
	@$(BIN)/python -m service_catalog publish $(addprefix --target=,$(TARGET)) $(addprefix --release=,$(VERSION)) $(ARGS)

update-project: install ## bring a launched project to another version in place: PROJECT=claims VERSION=1.2.0 ARGS="--profile P"
	@$(BIN)/python -m service_catalog update-project "$(PROJECT)" $(addprefix --version=,$(VERSION)) $(ARGS)

seed-update: install ## propose a release's seeds to a project's repositories, by pull request: PROJECT=claims VERSION=1.2.0
	@$(BIN)/python -m service_catalog seed-update "$(PROJECT)" $(addprefix --version=,$(VERSION)) $(ARGS)

smoke-aws: install ## play the story on AWS, for money, and compare: ARGS="--profile P --region R --cost-ceiling 25"
	@$(BIN)/python -m smoke_aws $(ARGS)

teardown: install ## take a published catalog down: ARGS="--profile P --region R --dry-run" lists first
	@$(BIN)/python -m service_catalog teardown $(ARGS)

bench: install ## measure, and write docs/benchmarks.md; ARGS='--only deployments' measures a part (story, seeds, cloud, deployments, cold, ci)
	@$(BIN)/python -m rehearsal.bench $(ARGS)

# ---- environments: exactly what the locks say

# What stands in for SageMaker's images: an environment for each lock.
IMAGES := $(patsubst requirements/%.lock,.venvs/%/.installed,$(wildcard requirements/xgboost-*.lock))

install: .venv/.installed .venvs/base/.installed $(IMAGES) ## set up the Python environments

$(UV): requirements/uv.lock
	@echo "Setting up: uv"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	@$(PYTHON) -m venv .tools && .tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/.installed: requirements/main.lock $(UV)
	@echo "Setting up: the template's own environment"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(@D) && $(UV) pip sync --quiet --python $(@D)/bin/python --require-hashes $<
	@touch $@

# Bytecode too: jobs run in these as in an image, without writing any, and would compile pandas every time.
.venvs/%/.installed: requirements/%.lock $(UV)
	@echo "Setting up: the environment $*"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(@D) && $(UV) pip sync --quiet --compile-bytecode --python $(@D)/bin/python --require-hashes $<
	@touch $@

lock: $(UV) ## compile requirements/*.in to hash-pinned locks
	@for file in requirements/*.in; do \
	  $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header "$$file" -o "$${file%.in}.lock" || exit 1; done

clean: ## remove environments and everything a rehearsal wrote
	@rm -rf .venv .venvs .tools .rehearsal .pytest_cache .mypy_cache .ruff_cache report.json report.html
