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

# Runs what is built; T=text picks the suites that have it in their name.
PICKED = $(if $(T),$(foreach t,$(1),$(if $(findstring $(T),$(t)),$(t))),$(1))
test-run:
	@tools/run-tests $(BUILD) $(call PICKED,$(TEST_BIN)) $(addprefix ./,$(call PICKED,$(TEST_SH)))

test-programs: $(TEST_BIN)
.PHONY: test test-run test-programs
