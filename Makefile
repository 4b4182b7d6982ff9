# Verbs. Everything is built by CMake with the presets of CMakePresets.json.
longhand := build/release/bin/longhand
jobs := $(shell nproc)

.PHONY: all deps configure binary build demo test test-thorough python test-python wheel fuzz unit bench docs pictures format lint

all: build

# Also what the Python package needs to be built; nothing else needs Python.
deps:
	@tools/install_deps.sh python

configure:
	@tools/install_deps.sh
	@cmake --preset release >build-configure.log 2>&1 || { cat build-configure.log; exit 1; }; rm -f build-configure.log

build: configure
	@cmake --build --preset release

# The binary alone; `make build` makes tests and benchmarks, too.
binary: configure
	@cmake --build --preset release --target longhand_cli

demo: binary
	@tools/demo.sh $(longhand)

test: build
	@ctest --preset release -j $(jobs)

# The Python package in an environment of its own, build/python-env, linked with the libraries of build/release.
python := build/python-env/bin/python

$(python):
	@tools/install_deps.sh python
	@python3 -m venv build/python-env
	@$(python) -m pip install -q --disable-pip-version-check -r python/requirements-test.txt

python: configure $(python)
	@cmake --build --preset release --target longhand_cli
	@$(python) -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps ./python \
	  --config-settings=build-dir=$(CURDIR)/build/python-module \
	  --config-settings=cmake.define.LONGHAND_TREE=$(CURDIR)/build/release

test-python: python
	@cd python && ../$(python) -m mypy --strict --no-error-summary longhand
	@$(python) -m pytest -q -c python/pyproject.toml python/tests

# A wheel with the libraries that it needs in it, in build/wheels.
wheel:
	@tools/install_deps.sh python
	@tools/make_wheel.sh build/wheels

# Also: the gradients of every combination of options; an error planted in every term of the backward passes; the same
# tests, and the self-test, under the address, undefined-behaviour and thread sanitizers; the tests with clang; and a
# minute of fuzzing for every reader of files.
test-thorough: test
	@tools/install_deps.sh thorough
	@$(longhand) selftest && $(longhand) selftest --derivatives && $(longhand) selftest --thorough
	@ctest --preset thorough -j $(jobs)
	@for p in debug tsan; do cmake --preset $$p && cmake --build --preset $$p && ctest --preset $$p -j $(jobs) && \
	  build/$$p/bin/longhand selftest && build/$$p/bin/longhand selftest --derivatives || exit 1; done
	@cmake --preset clang && cmake --build --preset clang && ctest --preset clang -j $(jobs)
	@$(MAKE) fuzz

# Each target for a minute (make fuzz SECONDS=600), as many at once as there are processors.
SECONDS := 60
fuzz:
	@tools/install_deps.sh thorough
	@cmake --preset fuzz >/dev/null && cmake --build --preset fuzz
	@ls build/fuzz/tests/fuzz/fuzz_* | xargs -P $(jobs) -n 1 tools/run_fuzzer.sh $(SECONDS)

# make unit ROOM=kernels
unit: build
	@ctest --preset release -j $(jobs) -R '^$(ROOM)'

bench: build
	@build/release/bench/longhand_bench && build/release/bench/longhand_layers && build/release/bench/longhand_steps

docs: build
	@tools/make_options_page.sh $(longhand) >docs/options.md

# Of README and docs, by the commands that they show.
pictures: build
	@tools/make_pictures.sh $(longhand)

format:
	@git ls-files '*.h' '*.cpp' | xargs clang-format -i

# The debug preset lists each file's own command.
lint: configure
	@git ls-files '*.h' '*.cpp' | xargs clang-format --dry-run -Werror && tools/check_floors.py
	@cmake --preset debug >/dev/null && cmake --build --preset debug --target longhand/generated/longhand/data/builtin_texts.h
	@git ls-files 'longhand/*.cpp' 'cli/*.cpp' | xargs -P $(jobs) -n 2 clang-tidy -p build/debug --quiet
