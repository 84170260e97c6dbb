# 64-bit ARM from another machine: cross-compiled, run under an emulator, which shows that the numbers are right and nothing about speed.
ARM_BUILD := $(BUILD)/arm
# An emulated CPU for each level, and what runs on it; programs go through all levels up to the one of their CPU.
ARM_CPUS  := cortex-a72=neon neoverse-n1=neondot max=neoni8mm
ARM_DOTS  := $(addprefix $(ARM_BUILD)/tests/kernels/test_,qgemm qmat) $(addprefix $(ARM_BUILD)/tests/golden/test_,lm lm_arch lm_embed)
ARM_PLAIN := $(filter-out $(ARM_DOTS),$(patsubst %.c,$(ARM_BUILD)/%,$(wildcard tests/kernels/test_*.c tests/ops/test_*.c))) $(addprefix $(ARM_BUILD)/tests/golden/test_,generate lm_window) \
             $(addprefix $(ARM_BUILD)/tests/unit/test_,base bpe gguf mem sample tpool)

check-arm:       ## kernels, operators and language models on 64-bit ARM, emulated (minutes)
	@tools/setup arm
	@$(MAKE) --no-print-directory BUILD=$(ARM_BUILD) CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-ar -j$(JOBS) $(ARM_BUILD)/leat $(ARM_PLAIN) $(ARM_DOTS)
	@for cpu in $(ARM_CPUS); do \
	    qemu-aarch64 -cpu $${cpu%=*} $(ARM_BUILD)/leat cpu | grep -q "in use  *$${cpu#*=}$$" || { echo "check-arm: $$cpu: another level is in use" >&2; exit 1; }; done
	@QEMU_CPU=cortex-a72 LEAT_TEST_UNDER=qemu-aarch64 tools/run-tests $(ARM_BUILD) $(ARM_PLAIN)
	@QEMU_CPU=max LEAT_TEST_UNDER=qemu-aarch64 tools/run-tests $(ARM_BUILD) $(ARM_DOTS)
.PHONY: check-arm
