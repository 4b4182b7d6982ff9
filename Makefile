# Verbs. Everything is built by CMake with the presets of CMakePresets.json.
longhand := build/release/bin/longhand
jobs := $(shell nproc)

.PHONY: all deps configure binary build demo test test-thorough unit bench docs format lint

all: build

deps:
	@tools/install_deps.sh

configure: deps
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

# Also: the gradients of every combination of options; an error planted in every term of the backward passes; and the same
# tests, and the self-test, under the address, undefined-behaviour and thread sanitizers.
test-thorough: test
	@$(longhand) selftest && $(longhand) selftest --derivatives && $(longhand) selftest --thorough
	@ctest --preset thorough -j $(jobs)
	@for p in debug tsan; do cmake --preset $$p && cmake --build --preset $$p && ctest --preset $$p -j $(jobs) && \
	  build/$$p/bin/longhand selftest && build/$$p/bin/longhand selftest --derivatives || exit 1; done

# make unit ROOM=kernels
unit: build
	@ctest --preset release -j $(jobs) -R '^$(ROOM)'

bench: build
	@build/release/bench/longhand_bench

docs: build
	@tools/make_options_page.sh $(longhand) >docs/options.md

format:
	@git ls-files '*.h' '*.cpp' | xargs clang-format -i

lint: configure
	@git ls-files '*.h' '*.cpp' | xargs clang-format --dry-run -Werror && tools/check_floors.py
	@git ls-files 'longhand/*.cpp' 'cli/*.cpp' | xargs -P $(jobs) -n 2 clang-tidy -p build/release --quiet
