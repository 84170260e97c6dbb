# How files are made.  V=1 shows the commands.
Q   := $(if $(V),,@)
SAY = $(if $(V),,@echo "  $(1)	$@")
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call SAY,CC)
	$(Q)$(CC) $(ALL_CFLAGS) $(call isa_flags,$<) -c $< -o $@

$(BUILD)/libleat.a: $(LIB_OBJ)
	@rm -f $@
	$(call SAY,AR)
	$(Q)$(AR) rcs $@ $^

$(BUILD)/libleat.so: $(LIB_OBJ)
	$(call SAY,LD)
	$(Q)$(CC) -shared -Wl,-soname,libleat.so.0 $(ALL_LDFLAGS) $^ -o $@ $(LIBS)

$(BUILD)/leat: $(CLI_OBJ) $(BUILD)/libleat.a
	$(call SAY,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@ $(CLI_LIBS) $(LIBS)

lib: $(BUILD)/libleat.a
.PHONY: lib

# A test or bench program links the static library, so that it reaches internals too.
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/libleat.a
	$(call SAY,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@ -lcmocka $(LIBS)
$(BUILD)/bench/%: $(BUILD)/bench/%.o $(BUILD)/libleat.a
	$(call SAY,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@ $(LIBS)

.PRECIOUS: $(BUILD)/%.o
-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(wildcard $(BUILD)/bench/*.d)
