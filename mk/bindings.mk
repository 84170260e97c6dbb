# The library of the build folder as bindings find it: PKG_CONFIG_PATH=$(BUILD) for Go (pkg-config prefers *-uninstalled.pc), by its place for Python.
TREE_PC := $(BUILD)/leat-uninstalled.pc
all: $(TREE_PC)

$(TREE_PC): $(BUILD)/libleat.so mk/bindings.mk
	@ln -sf libleat.so $(BUILD)/libleat.so.$(SOVERSION)
	@printf '%s\n' 'Name: leat' 'Description: neural network inference on CPUs, from its build folder' 'Version: $(VERSION)' \
	    'Libs: -L$(abspath $(BUILD)) -Wl,-rpath,$(abspath $(BUILD)) -lleat' 'Cflags: -I$(CURDIR)/include' >$@
