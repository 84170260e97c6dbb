# Tests: each tests/<tier>/test_*.c is one cmocka program.
TEST_SRC := $(wildcard tests/*/test_*.c)
TEST_BIN := $(TEST_SRC:%.c=$(BUILD)/%)
test-programs: $(TEST_BIN)
.PHONY: test-programs
