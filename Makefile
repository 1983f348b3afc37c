# `make demo` and `make test` need Python 3.11 or 3.12, make and a network.
VENV ?= .venv
PYTHON ?= python3
LATEST ?= .venv-latest
SITE ?= .venv-site
# Tests run in as many processes as this; each needs some 4 GB.
PROCESSES ?= 2
# Interpreters that `make check-wheel` installs the wheel for.
PYTHONS ?= python3.11 python3.12

# Several pips side by side would fight over one environment.
.NOTPARALLEL:

.PHONY: help demo test test-latest trust lint format bench protos commands site lock dist check-wheel notebooks release-check clean

help:
	@echo "make demo         set up $(VENV); train, evaluate, report, export and serve on drawn videos"
	@echo "make test         set up $(VENV), then lint, type checks and all tests"
	@echo "make test-latest  the short test run on the newest supported TensorFlow"
	@echo "make trust        the soak test: kills, full disks, bad requests; see docs/reliability.md"
	@echo "make bench        benchmarks that print ratios (installs PyTorch)"
	@echo "make format       rewrite the code the way make lint wants it"
	@echo "make protos       generate the protocol buffers of serving/ anew"
	@echo "make commands     write docs/commands.md anew, from the help of the commands"
	@echo "make site         build the documentation as a site in site/, in $(SITE)"
	@echo "make dist         build the wheel and the source archive into dist/"
	@echo "make release-check  everything that a release needs: an hour or two"
	@echo "make lock         resolve the lock files anew (installs uv)"

# $(1): environment, $(2): lock file.
define install
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 12) else "Python 3.11 or 3.12 is needed, $(PYTHON) is %d.%d. Choose another: make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check -r $(2)
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
endef

$(VENV)/.installed: requirements.lock pyproject.toml
	$(call install,$(VENV),requirements.lock)

$(LATEST)/.installed: requirements-latest.lock pyproject.toml
	$(call install,$(LATEST),requirements-latest.lock)

demo: $(VENV)/.installed
	$(VENV)/bin/python train.py --dataset synthetic --name demo --overwrite
	$(VENV)/bin/lgn evaluate runs/demo
	$(VENV)/bin/lgn report runs/demo
	$(VENV)/bin/python export.py --run runs/demo --out saved_models/demo/lgn_net --warm-up-batches 1
	$(VENV)/bin/lgn check-served runs/demo saved_models/demo/lgn_net

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: lint
	$(VENV)/bin/python -m pytest -n $(PROCESSES) --dist worksteal

test-latest: $(LATEST)/.installed
	$(LATEST)/bin/python -m pytest -m latest -n $(PROCESSES) --dist worksteal

# A name for a longer look: make trust SOAK="--only kills --seed 3 --keep /tmp/soak"
trust: $(VENV)/.installed
	$(VENV)/bin/python -m tests.soak --out soak.md $(SOAK)

format: $(VENV)/.installed
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: $(VENV)/.installed
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(VENV)/bin/python -m benchmarks.cpu
	$(VENV)/bin/python -m benchmarks.memory.growth
	$(VENV)/bin/python -m benchmarks.data.input_pipeline --rounds 2 --seconds 3

# grpcio-tools 1.62 generates code that protobuf 4.25 and later load.
protos: $(VENV)/.installed
	$(VENV)/bin/python -m grpc_tools.protoc --proto_path=serving --python_out=serving lgn_client/predict.proto lgn_serving/models/text_formats.proto

commands: $(VENV)/.installed
	$(VENV)/bin/python -m tools.site.commands

# Sources are read, not imported: the package and TensorFlow are not installed.
$(SITE)/.installed: requirements-site.lock
	$(PYTHON) -m venv $(SITE)
	$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-site.lock
	@touch $@

site: $(SITE)/.installed
	NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs build --quiet --strict
	@ls site/assets/stylesheets/main.*.css > /dev/null

# The wheel is built from the source archive, as installers may do.
dist: $(VENV)/.installed
	rm -rf dist
	$(VENV)/bin/python -m build --no-isolation

# In a clean environment for each interpreter and each TensorFlow.
check-wheel: dist
	$(VENV)/bin/python -m tools.check_wheel dist/*.whl --python $(PYTHONS) --lock requirements.lock requirements-latest.lock

notebooks: $(VENV)/.installed
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock nbclient==0.11.0 nbformat==5.11.1 ipykernel==7.4.0
	$(VENV)/bin/python -m tools.notebook examples/quickstart.py --run --set steps=20

# What takes too long for every change; before a release.
release-check: test test-latest notebooks check-wheel site

lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links --no-annotate --extra dev --constraint requirements.in pyproject.toml --output-file requirements.lock
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links --no-annotate --extra test --constraint requirements-latest.in pyproject.toml --output-file requirements-latest.lock
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links --no-annotate requirements-site.in --output-file requirements-site.lock

clean:
	rm -rf $(VENV) $(LATEST) $(SITE) .venv-lock site build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
