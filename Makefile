# Leat: the only build.  `make help` lists the targets; everything made lands in $(BUILD).
BUILD   ?= build
CC      ?= cc
AR      ?= ar
PREFIX  ?= /usr/local

include mk/flags.mk
include mk/sources.mk
include mk/rules.mk

.DEFAULT_GOAL := all
all: $(BUILD)/leat $(BUILD)/libleat.so   ## build the binary and the library

-include mk/plugins.mk
-include mk/test.mk
-include mk/demo.mk
-include mk/bench.mk
-include mk/conformance.mk
-include mk/install.mk
-include mk/bindings.mk
-include mk/fuzz.mk
-include mk/check.mk
-include mk/arm.mk

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t18

clean:           ## remove everything that was made
	rm -rf $(BUILD)

.PHONY: all help clean
