# Planted data sets by the thousand: how often intervals hold the truth and verdicts tell it.
COVERAGE_OBJ := $(patsubst %.c,$(B)/%.o,$(filter-out tests/coverage/main.c,$(wildcard tests/coverage/*.c)))
HELP_OBJ += $(COVERAGE_OBJ)

$(B)/tests/coverage/coverage: $(B)/tests/coverage/main.o $(HELP_OBJ) $(B)/libhspace_app.a $(B)/libhspace.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LDLIBS) -lcmocka

SETS ?= 1000
coverage: deps-build deps-test ## coverage of intervals and rates of verdicts on SETS=1000 planted data sets (an hour)
	@$(MAKE) --no-print-directory $(JOBS) $(B)/tests/coverage/coverage
	@$(B)/tests/coverage/coverage $(SETS)
.PHONY: coverage
