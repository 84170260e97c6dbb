# The library of the build folder as bindings find it: PKG_CONFIG_PATH=$(BUILD) for Go (pkg-config prefers *-uninstalled.pc), by its place for Python.
TREE_PC := $(BUILD)/leat-uninstalled.pc
all: $(TREE_PC)

$(TREE_PC): $(BUILD)/libleat.so mk/bindings.mk
	@ln -sf libleat.so $(BUILD)/libleat.so.$(SOVERSION)
	@printf '%s\n' 'Name: leat' 'Description: neural network inference on CPUs, from its build folder' 'Version: $(VERSION)' \
	    'Libs: -L$(abspath $(BUILD)) -Wl,-rpath,$(abspath $(BUILD)) -lleat' 'Cflags: -I$(CURDIR)/include' >$@

# What a crossing costs.  BINDINGS_MODEL: any decoder of 16 tokens and more; BINDINGS_ARGS: -t N, --rounds N, --sessions N, --record F.json.
BINDINGS_MODEL ?= $(BUILD)/llm/110m-q8_0.gguf
BINDINGS_PYTHON ?= $(firstword $(foreach p,python3 /usr/bin/python3,$(if $(shell $(p) -c 'import numpy' 2>/dev/null && echo 1),$(p))))
CALL_COST := $(BUILD)/bench/bindings/call_cost
GO_WORKER := $(BUILD)/bench/bindings/worker

bench-bindings: all $(CALL_COST) $(GO_WORKER) $(BINDINGS_MODEL)   ## 100 tokens through C, Go and Python: one call, a call a token, a process a request
	LEAT_LIBRARY=$(abspath $(BUILD))/libleat.so PYTHONPATH=bindings/python $(BINDINGS_PYTHON) bench/bindings/bench_bindings.py --model $(BINDINGS_MODEL) \
	    --c $(CALL_COST) --go $(GO_WORKER) --leat $(BUILD)/leat $(BINDINGS_ARGS)
# The shared library for all: what is measured is the way into it.
$(CALL_COST): bench/bindings/call_cost.c $(BUILD)/libleat.so
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $< -o $@ -L$(BUILD) -Wl,-rpath,$(abspath $(BUILD)) -lleat
$(GO_WORKER): bench/bindings/worker/main.go $(wildcard bindings/go/*.go bindings/go/lm/*.go bindings/go/internal/native/*.go include/leat/*.h) $(TREE_PC)
	@mkdir -p $(@D)
	cd bench/bindings/worker && PKG_CONFIG_PATH=$(abspath $(BUILD)) GOCACHE=$(abspath $(BUILD))/go-cache GOPATH=$(abspath $(BUILD))/go-path GOENV=off \
	    CGO_CFLAGS="-O2 -g -DLEAT_HEADERS=$$(cat $(CURDIR)/include/leat/*.h | cksum | cut -d' ' -f1)" GOTOOLCHAIN=local GOFLAGS=-buildvcs=false go build -o $(abspath $@) .
$(BUILD)/llm/110m-q8_0.gguf:
	@mkdir -p $(@D)
	$(BINDINGS_PYTHON) bench/peers/make_lm.py 110m:Q8_0 -o $(@D)
.PHONY: bench-bindings
