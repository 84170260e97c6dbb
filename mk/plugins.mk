# Plugins: shared objects of their own that bring libraries which libleat does not link.  Built when their packages are there.
FFMPEG_PACKAGES := libavformat libavcodec libavdevice libswscale libavutil
HAVE_FFMPEG     := $(shell pkg-config --exists $(FFMPEG_PACKAGES) 2>/dev/null && echo 1)
FFMPEG_OBJ      := $(patsubst %.c,$(BUILD)/%.o,$(wildcard plugins/ffmpeg/*.c))
ifeq ($(HAVE_FFMPEG),1)
PLUGINS := $(BUILD)/leat_ffmpeg.so
all: $(PLUGINS)
$(FFMPEG_OBJ): ALL_CFLAGS += $(shell pkg-config --cflags $(FFMPEG_PACKAGES))
$(BUILD)/leat_ffmpeg.so: $(FFMPEG_OBJ)
	$(call SAY,LD)
	$(Q)$(CC) -shared $(ALL_LDFLAGS) $^ -o $@ $(shell pkg-config --libs $(FFMPEG_PACKAGES)) -lpthread -lm
endif
plugins: $(PLUGINS) ## build the FFmpeg plugin
.PHONY: plugins
-include $(FFMPEG_OBJ:.o=.d)
