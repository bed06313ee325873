# hspace: `make help` prints what there is.
#
# CC CFLAGS CPPFLAGS LDFLAGS LDLIBS prefix DESTDIR are the user's and never overwritten.
# V=asan builds with ASan + UBSan under build/asan.

.DEFAULT_GOAL := all
V ?= release
B := build/$(V)

CC ?= cc
CFLAGS ?= -O3 -g
prefix ?= /usr/local
DESTDIR ?=

# ---- What the build needs, as Debian packages; `make deps` installs what is missing ------------
DEPS_BUILD := gcc make pkg-config libc6-dev liblapacke-dev libopenblas-openmp-dev libdnnl-dev \
  libhdf5-dev libjansson-dev libzip-dev libpng-dev libjpeg62-turbo-dev libssl-dev libinih-dev libyaml-dev \
  libxxhash-dev librandom123-dev zlib1g-dev libutf8proc-dev
DEPS_RUN := gnuplot-nox
DEPS_TEST := libcmocka-dev bats jq file strace xxhash python3-h5py python3-xarray python3-h5netcdf python3-netcdf4
DEPS_LINT := clang-format cppcheck git

# ---- Flags ---------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
PKGS := hdf5 jansson libzip libpng libjpeg libcrypto inih yaml-0.1 zlib libxxhash libutf8proc
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
HAVE_DNNL := $(shell echo '\#include <dnnl.h>' | $(CC) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 && echo 1)
DNNL ?= $(HAVE_DNNL)

ALL_CPPFLAGS := -I. -D_GNU_SOURCE -DH5_USE_110_API $(if $(DNNL),-DHS_HAVE_DNNL=1) $(PKG_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS := -std=c11 -fopenmp -fPIC -fno-math-errno -fno-trapping-math -ffp-contract=off $(WARN) $(CFLAGS)
ALL_LDLIBS := $(PKG_LIBS) -lhdf5_hl -llapacke -lopenblas $(if $(DNNL),-ldnnl) -lm $(LDLIBS)
ifeq ($(V),asan)
ALL_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1
endif
ifeq ($(V),coverage)
ALL_CFLAGS += --coverage -O0
endif

# ---- Sources: by wildcard per folder -------------------------------------------------------------
LIB_SRC := $(wildcard core/*/*.c) $(wildcard datasets/*.c)
APP_SRC := $(filter-out analysis/cli/main.c,$(wildcard analysis/*/*.c))
TEST_SRC := $(wildcard tests/unit/*/test_*.c) $(wildcard tests/parity/test_*.c) $(wildcard tests/fault/test_*.c)
TEST_HELP := $(wildcard tests/support/*.c)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)

LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o)
APP_OBJ := $(APP_SRC:%.c=$(B)/%.o)
HELP_OBJ := $(TEST_HELP:%.c=$(B)/%.o)
TEST_BIN := $(TEST_SRC:%.c=$(B)/%)
FUZZ_BIN := $(FUZZ_SRC:%.c=$(B)/%)

-include scripts/make/*.mk

# ---- Build -----------------------------------------------------------------------------------------
# Packages first, then a make of its own: flags come from pkg-config, which may just have arrived.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) # all cores, unless -j was given
all: deps-build ## the program at build/hspace and the library
	@$(MAKE) --no-print-directory $(JOBS) build/hspace

build/hspace: $(PROGRAM)
	@ln -f $(PROGRAM) $@ 2>/dev/null || cp $(PROGRAM) $@; touch $@

$(B)/hspace: $(B)/analysis/cli/main.o $(B)/libhspace_app.a $(B)/libhspace.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LDLIBS)

$(B)/libhspace.a: $(LIB_OBJ)
	@rm -f $@; ar rcs $@ $^
$(B)/libhspace_app.a: $(APP_OBJ)
	@rm -f $@; ar rcs $@ $^

# Changed flags rebuild everything, through one stamp.
FLAGS_NOW := $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS)
$(shell mkdir -p $(B); echo '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $(B)/flags || echo '$(subst ','\'',$(FLAGS_NOW))' > $(B)/flags)

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(TEST_BIN): $(B)/%: $(B)/%.o $(HELP_OBJ) $(B)/libhspace_app.a $(B)/libhspace.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LDLIBS) -lcmocka

$(FUZZ_BIN): $(B)/%: $(B)/%.o $(B)/tests/fuzz/replay.o $(B)/libhspace.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LDLIBS)

-include $(shell find $(B) -name '*.d' 2>/dev/null)

# ---- Tests -----------------------------------------------------------------------------------------
tests-build: $(TEST_BIN) $(FUZZ_BIN)

unit: deps-build deps-test ## all cmocka tests; T=pattern for some
	@$(MAKE) --no-print-directory $(JOBS) tests-build
	@scripts/run_tests.sh $(B) $(T)

cli: all deps-test ## all bats tests of the command line
	@bats tests/cli

test: deps-build deps-test ## everything: unit, parity, fault, command line
	@$(MAKE) --no-print-directory $(JOBS) build/hspace tests-build
	@scripts/run_tests.sh $(B)
	@bats tests/cli

lint: deps-lint ## format, layering, warnings, cppcheck
	@scripts/lint.sh

# ---- Dependencies ------------------------------------------------------------------------------------
deps: ## install every Debian package that is missing (names them first)
	@scripts/deps.sh $(DEPS_BUILD) $(DEPS_RUN) $(DEPS_TEST) $(DEPS_LINT)
deps-build:
	@scripts/deps.sh $(DEPS_BUILD) $(DEPS_RUN)
deps-test:
	@scripts/deps.sh $(DEPS_TEST)
deps-lint:
	@scripts/deps.sh $(DEPS_BUILD) $(DEPS_LINT)

clean: ## remove build/
	rm -rf build

help: ## this text
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 14

.PHONY: all tests-build unit cli test lint deps deps-build deps-test deps-lint clean help
.SECONDARY:
