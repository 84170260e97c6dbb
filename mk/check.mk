# The long tier: what `make test` does, once per compiler, sanitizer and instruction set.
CHECK_UBSAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined
CHECK_TSAN  := -fsanitize=thread
CHECK_LEVELS ?= ref avx2 avx512 avx512vnni
# What has threads of its own, or uses a pool; whole ONNX networks (golden/test_golden, _detect_golden, _classify_golden) would take half an hour and share nothing else.
TSAN_TESTS  := $(addprefix tests/unit/test_,tpool mem grammar pipeline_parts sources minimise circlefit_fit lm_arguments) \
               $(addprefix tests/golden/test_,lm lm_arch lm_window lm_embed generate) $(addprefix tests/ops/test_,attention matmul norms ops_nn) \
               $(addprefix tests/kernels/test_,conv gemm inverted_residual preproc_frame winograd) \
               $(addprefix tests/realtime/test_,contexts pipeline pipeline_random detect_stream generate_async)

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
