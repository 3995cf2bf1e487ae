# Every target prepares .venv by itself. The second time that takes no network and a fraction of a second.
#   make lab PYTHON=python3.12       a Python of your choice
#   make lab ARGS="--port 9000"      options for the command behind a target

ARGS ?=
# tests, and notebooks, at a time; 0: one for each core
JOBS ?= 0
COURSE := .venv/bin/python -m course_lib.cli
LAB := .venv/.lab-installed
TEST := .venv/.test-installed
export PYTHON
# Images of containers set it: every process would compile torch anew, for three seconds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help lab doctor test check build run grade bench gpu nightly lock moved

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' Makefile | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

lab: $(LAB)  ## open the course in JupyterLab
	@$(COURSE) lab $(ARGS)

doctor: $(LAB)  ## say what this computer has for the course and what it lacks
	@$(COURSE) doctor $(ARGS)

test: $(TEST)  ## test the code, then execute every notebook
	@$(COURSE) test --jobs $(JOBS) $(ARGS)

check: $(TEST)  ## format, lint, types, labs/ equal to what solutions/ builds, syllabus
	@$(COURSE) check

build: $(LAB)  ## solutions/ -> labs/
	@$(COURSE) build $(ARGS)

run: $(LAB)  ## execute notebooks: make run ARGS="1a --profile full", make run ARGS=--changed
	@$(COURSE) run --jobs $(JOBS) $(ARGS)

grade: $(TEST)  ## staff: make grade ARGS="lab1 SUBMISSIONS", as course grade does
	@$(COURSE) grade $(ARGS)

bench: $(TEST)  ## time an operation beside its peers: make bench ARGS="csr_matmul --quick"
	@$(COURSE) bench $(ARGS)

# No environment is made: whoever is lent a GPU for minutes has the machine's own Python, with torch and CuPy.
gpu:  ## test and time everything on a GPU within 8 minutes, installing nothing; ARGS=--dry-run lists it
	@PYTHONPATH=. $(or $(PYTHON),python3) -m benchmarks.gpu_session $(ARGS)

nightly: $(TEST)  ## check, test, run every part of every notebook, and write build/nightly/index.html
	@$(COURSE) nightly --jobs $(JOBS) $(ARGS)

# The newest versions that fit together go in only when asked for: make lock UPGRADE="torch torchvision" or UPGRADE=all
UPGRADE ?=
UPGRADE_FLAGS := $(if $(filter all,$(UPGRADE)),--upgrade,$(foreach name,$(UPGRADE),--upgrade-package $(name)))
lock:  ## renew constraints.txt and environment.yml after pyproject.toml changed
	"$$(sh tools/find_python.sh)" -m venv build/lock
	build/lock/bin/python -m pip install --quiet uv packaging
	echo pip | UV_CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/uv pip compile --quiet --universal \
		--python-version 3.11 --all-extras --no-annotate $(UPGRADE_FLAGS) --output-file constraints.txt pyproject.toml -
	build/lock/bin/python tools/write_environment.py

$(LAB): pyproject.toml constraints.txt
	@sh tools/install.sh lab

$(TEST): pyproject.toml constraints.txt
	@sh tools/install.sh test

# A moved or copied folder takes along an environment that points at the old place.
ifneq ($(shell cat .venv/.place 2>/dev/null),$(CURDIR))
$(LAB) $(TEST): moved
endif
