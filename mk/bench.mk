# Benchmarks: each is a program whose result is a ratio.
bench: $(BUILD)/bench/bench_kernels   ## kernels as a share of the FMA peak, one thread and all
	$< 1
	$< $$(nproc)
.PHONY: bench
