# Convolution timings by algorithm and shape: what the table in core/nn/conv_select.c was set from.
$(B)/tests/perf/conv_bench: $(B)/tests/perf/conv_bench.o $(B)/libhspace.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LDLIBS)
conv-bench: $(B)/tests/perf/conv_bench
	@$<
.PHONY: conv-bench
