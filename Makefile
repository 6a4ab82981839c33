# The front door: Meson and Ninja behind a few words.
#
#   make            build the library, the program and the import helper
#   make test       set up this machine if needed, build, run every test
#   make demo       set up, build, fetch a backbone and photos, train, evaluate, predict
#   make check      formatting, lint, both compilers without warnings, tests under sanitizers
#   make fuzz       libFuzzer over every parser, FUZZ_SECONDS=60 each (clang)
#   make mutants    20,000 damaged copies of a file of every format, under sanitizers
#   make test-neon  the kernels' tests for 64-bit ARM, under qemu-user
#   make test-arm64 builds for 64-bit ARM, runs the tests under qemu-user
#   make torture    stop and kill fine-tuning; let every call to the system fail in turn
#   make bench      measure, beside OpenVINO, ONNX Runtime and PyTorch, in a private environment
#   make install    PREFIX and DESTDIR as usual; make uninstall takes away what it brought
#   make tarball    a folder that works wherever it is put, packed
#   make deb        Debian packages, into build-deb/
#   make static     the program as one file that runs anywhere: build-static/headstart
#   make format     clang-format over every source
BUILD   ?= build
PREFIX  ?= /usr/local
MESON   ?= meson
# Where Debian's linker looks. Meson finds it out where dpkg-dev is, and takes lib64 elsewhere.
MULTIARCH = $(shell [ ! -e /etc/debian_version ] || $(CC) -print-multiarch 2>/dev/null)
LIBDIR  ?= $(if $(MULTIARCH),lib/$(MULTIARCH))

.PHONY: all setup test demo check fuzz mutants test-neon torture bench install uninstall static tarball deb test-arm64 clean format
all: setup
	@test -f $(BUILD)/build.ninja || \
	    $(MESON) setup $(BUILD) --prefix=$(PREFIX) $(if $(LIBDIR),--libdir=$(LIBDIR)) \
	        $(if $(CI),--werror) >/dev/null
	@ninja -C $(BUILD) --quiet

setup:
	@scripts/setup.sh

test: all
	@scripts/test.sh $(BUILD)

demo: all
	@scripts/demo.sh $(BUILD)

check: setup
	@scripts/check.sh all

fuzz: setup
	@scripts/fuzz.sh

mutants: setup
	@scripts/mutants.sh

test-neon:
	@scripts/test-neon.sh

torture: all
	@scripts/torture.sh $(BUILD)

bench: all
	@scripts/bench.sh $(BUILD)

# The prefix is the last place where the helper is looked for.
install: all
	@MESON=$(MESON) scripts/install $(BUILD) $(PREFIX) $(DESTDIR)

uninstall:
	@MESON=$(MESON) scripts/install --undo $(BUILD) $(PREFIX) $(DESTDIR)

static:
	@scripts/static.sh

tarball:
	@scripts/tarball.sh

deb:
	@scripts/deb.sh

test-arm64:
	@scripts/test-arm64.sh

format:
	@git ls-files -z '*.c' '*.h' | xargs -0 clang-format -i

clean:
	@rm -rf $(BUILD) build-arm64 build-asan build-clang build-deb build-fuzz build-ruff build-static build-tsan
