# The long tier: what `make test` does, once per compiler, sanitizer and instruction set.
CHECK_UBSAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined
CHECK_TSAN  := -fsanitize=thread
CHECK_LEVELS ?= ref avx2 avx512 avx512vnni
TSAN_TESTS  := tests/unit/test_tpool tests/golden/test_lm tests/unit/test_mem tests/unit/test_grammar tests/unit/test_pipeline_parts tests/unit/test_sources tests/unit/test_minimise tests/unit/test_circlefit_fit tests/realtime/test_contexts tests/realtime/test_pipeline tests/realtime/test_pipeline_random tests/realtime/test_detect_stream tests/realtime/test_generate_async

check: check-setup test check-clang check-asan check-tsan check-isa fuzz-replay   ## the long tier: both compilers, sanitizers, ISA levels (tens of minutes)

check-setup:
	@tools/setup check

check-clang:     ## build and test with clang
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=clang -j$(JOBS) all test-programs
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=clang test-run

check-asan:      ## all test programs under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE='$(CHECK_UBSAN)' OPT='-O1 -g' -j$(JOBS) plugins test-programs
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan TEST_SH= test-run

check-tsan:      ## what shares data between threads under ThreadSanitizer
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan SANITIZE='$(CHECK_TSAN)' OPT='-O1 -g' -j$(JOBS) $(TSAN_TESTS:%=$(BUILD)/tsan/%)
	@tools/run-tests $(BUILD)/tsan $(TSAN_TESTS:%=$(BUILD)/tsan/%)

check-isa:       ## kernels, operators and whole networks once per instruction set
	@$(MAKE) --no-print-directory -j$(JOBS) test-programs
	@for level in $(CHECK_LEVELS); do echo "== LEAT_ISA=$$level"; \
	    LEAT_ISA=$$level tools/run-tests $(BUILD) $(filter $(BUILD)/tests/golden/% $(BUILD)/tests/ops/%,$(TEST_BIN)) || exit 1; done
.PHONY: check check-setup check-clang check-asan check-tsan check-isa
