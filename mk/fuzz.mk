# Fuzzing: each fuzz/fuzz_*.c is a libFuzzer target (clang, ASan, UBSan); replay_main.c runs the same targets over a corpus without it.
FUZZ_TIME  ?= 60
FUZZ_BUILD ?= $(BUILD)/fuzzing
FUZZ_SAN   := -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_SRC   := $(wildcard fuzz/fuzz_*.c)
FUZZ_BIN   := $(FUZZ_SRC:%.c=$(BUILD)/%)
REPLAY_BIN := $(FUZZ_SRC:fuzz/%.c=$(BUILD)/replay/%)
-include $(FUZZ_BIN:=.d)

fuzz:            ## fuzz every target for FUZZ_TIME seconds (clang)
	@$(MAKE) --no-print-directory BUILD=$(FUZZ_BUILD) CC=clang SANITIZE='-fsanitize=fuzzer-no-link $(FUZZ_SAN)' fuzz-programs
	@tools/run-fuzz $(FUZZ_BUILD) $(FUZZ_TIME) $(FUZZ_SRC:fuzz/%.c=%)

fuzz-replay:     ## run every target once over its corpus and seeds (any compiler)
	@$(MAKE) --no-print-directory BUILD=$(FUZZ_BUILD)-replay SANITIZE='$(FUZZ_SAN)' replay-programs
	@tools/run-fuzz $(FUZZ_BUILD)-replay replay $(FUZZ_SRC:fuzz/%.c=%)

fuzz-programs: $(FUZZ_BIN)
replay-programs: $(REPLAY_BIN)

$(BUILD)/fuzz/fuzz_%: $(BUILD)/fuzz/fuzz_%.o $(BUILD)/libleat.a
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer $^ -o $@ $(LIBS)
$(BUILD)/replay/fuzz_%: $(BUILD)/fuzz/fuzz_%.o $(BUILD)/fuzz/replay_main.o $(BUILD)/libleat.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) $^ -o $@ $(LIBS)
.PHONY: fuzz fuzz-replay fuzz-programs replay-programs

# The reader of circle files belongs to the command line.
$(BUILD)/fuzz/fuzz_circles $(BUILD)/replay/fuzz_circles: $(BUILD)/cli/circles_file.o
$(BUILD)/fuzz/fuzz_circles $(BUILD)/replay/fuzz_circles: LIBS += $(CLI_LIBS)
