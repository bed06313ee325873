# make fuzz: every target of tests/fuzz under libFuzzer, ASan and UBSan, FUZZ_SECONDS each.  New inputs
# stay in build/fuzz/corpus; a finding's input is left in build/fuzz and ends the run.
FUZZ_SECONDS ?= 30
FUZZ_CC ?= clang
FUZZ_NAMES := $(FUZZ_SRC:tests/fuzz/%.c=%)
# The parsers and what they stand on; clang needs no OpenMP for these.
FUZZ_LIB := $(wildcard core/base/*.c) core/tensor/dtype.c core/io/file.c core/io/image.c core/io/jpeg.c core/io/json.c core/io/mapping.c core/io/npy.c \
  $(wildcard core/io/pickle*.c) core/io/ptzip.c $(wildcard core/io/safetensors*.c) $(wildcard core/io/tensors*.c) core/io/zipdir.c
FUZZ_FLAGS := -std=c11 -g -O1 -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined \
  -fno-sanitize-recover=undefined -I. -D_GNU_SOURCE $(shell pkg-config --cflags jansson libcrypto libjpeg libpng libzip zlib 2>/dev/null)

build/fuzz/fuzz_%: tests/fuzz/fuzz_%.c tests/fuzz/fuzz.h $(FUZZ_LIB)
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_FLAGS) -o $@ $< $(FUZZ_LIB) $(shell pkg-config --libs jansson libcrypto libjpeg libpng libzip zlib) -lm

fuzz: $(FUZZ_NAMES:%=build/fuzz/%) ## libFuzzer on every parser of foreign bytes; FUZZ_SECONDS=30 each
	@for t in $(FUZZ_NAMES); do \
	  mkdir -p build/fuzz/corpus/$$t; \
	  echo "== $$t"; \
	  build/fuzz/$$t -max_total_time=$(FUZZ_SECONDS) -timeout=2 -rss_limit_mb=512 -print_final_stats=1 \
	    -artifact_prefix=build/fuzz/$$t- build/fuzz/corpus/$$t tests/fuzz/corpus/$${t#fuzz_} >build/fuzz/$$t.log 2>&1 \
	    || { tail -30 build/fuzz/$$t.log; exit 1; }; \
	  grep -E 'number_of_executed_units|peak_rss|slowest' build/fuzz/$$t.log; \
	done

.PHONY: fuzz
