# Tests: each tests/<tier>/test_*.c is one cmocka program, each tests/<tier>/test_*.sh a script; see tools/run-tests.
TEST_SRC := $(wildcard tests/*/test_*.c)
TEST_BIN := $(TEST_SRC:%.c=$(BUILD)/%)
TEST_SH  := $(wildcard tests/*/test_*.sh)
JOBS     ?= $(shell nproc)
-include $(TEST_BIN:=.d)

test:            ## install what is missing, build, run all tests (minutes)
	@tools/setup
	@$(MAKE) --no-print-directory -j$(JOBS) all test-programs
	@$(MAKE) --no-print-directory test-run

test-run:        # runs what is built; T=pattern picks suites by name
	@tools/run-tests $(BUILD) $(foreach t,$(TEST_BIN) $(TEST_SH),$(if $(findstring $(T),$(t)),$(if $(filter %.sh,$(t)),./)$(t)))

test-programs: $(TEST_BIN)
.PHONY: test test-run test-programs
