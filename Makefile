# Verbs. Everything is built by CMake with the presets of CMakePresets.json.
longhand := build/release/bin/longhand
jobs := $(shell nproc)

.PHONY: all deps configure binary build demo test test-thorough fuzz unit bench docs pictures format lint

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
