# The front door: Meson and Ninja behind a few words.
#
#   make            build the library, the program and the import helper
#   make test       set up this machine if needed, build, run every test
#   make demo       set up, build, fetch a backbone and photos, train, evaluate, predict
#   make check      formatting, layers, exported symbols, warnings of both compilers, sanitizers
#   make bench      measure (and, where it can be installed, PyTorch beside it)
#   make install    PREFIX and DESTDIR as usual
BUILD   ?= build
PREFIX  ?= /usr/local
MESON   ?= meson

.PHONY: all setup test demo check bench install clean format
all: setup
	@test -f $(BUILD)/build.ninja || $(MESON) setup $(BUILD) --prefix=$(PREFIX) >/dev/null
	@ninja -C $(BUILD)

setup:
	@scripts/setup.sh

test: all
	@scripts/test.sh $(BUILD)

demo: all
	@scripts/demo.sh $(BUILD)

check: setup
	@scripts/check.sh

bench: all
	@scripts/bench.sh $(BUILD)

install: all
	@$(MESON) install -C $(BUILD) --no-rebuild $(if $(DESTDIR),--destdir=$(DESTDIR))

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	@rm -rf $(BUILD)
