# How files are made.
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(call isa_flags,$<) -c $< -o $@

$(BUILD)/libleat.a: $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/libleat.so: $(LIB_OBJ)
	$(CC) -shared -Wl,-soname,libleat.so.0 $(ALL_LDFLAGS) $^ -o $@ $(LIBS)

$(BUILD)/leat: $(CLI_OBJ) $(BUILD)/libleat.a
	$(CC) $(ALL_LDFLAGS) $^ -o $@ $(CLI_LIBS) $(LIBS)

lib: $(BUILD)/libleat.a
.PHONY: lib

# A test or bench program links the static library, so that it reaches internals too.
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/libleat.a
	$(CC) $(ALL_LDFLAGS) $^ -o $@ -lcmocka $(LIBS)
$(BUILD)/bench/%: $(BUILD)/bench/%.o $(BUILD)/libleat.a
	$(CC) $(ALL_LDFLAGS) $^ -o $@ $(LIBS)

.PRECIOUS: $(BUILD)/%.o
-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d)
