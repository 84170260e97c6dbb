# ONNX's own backend cases: make conformance [CASES=folder-or-tar] [FILTER=text] [V=1].  The default set also rewrites docs/ops.md.
LEAT_SHARED ?= ../shared
CONFORMANCE_SET := $(LEAT_SHARED)/models/conformance/onnx-backend-dev.tar.xz
CASES ?= $(CONFORMANCE_SET)

conformance: $(BUILD)/tests/ops/conformance   ## run ONNX's backend cases, write docs/ops.md
	@$< $(CASES) $(if $(FILTER),--filter $(FILTER)) $(if $(V),-v) \
	    $(if $(FILTER),,$(if $(filter $(CONFORMANCE_SET),$(CASES)),--docs docs/ops.md))

# Golden tests read JSON records.
$(BUILD)/tests/golden/%: LIBS += $(CLI_LIBS)

-include $(BUILD)/tests/ops/conformance.d
.PHONY: conformance
