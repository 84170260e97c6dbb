# Benchmarks: each is a program whose result is a ratio.
bench: $(BUILD)/bench/bench_kernels $(BUILD)/bench/bench_media   ## kernels as a share of the FMA peak, one thread and all; work around a model
	$< 1
	$< $$(nproc)
	$(BUILD)/bench/bench_media


# DETECT_ARGS: --frames N, --rounds N, --only TEXT.
bench-detect: $(BUILD)/bench/bench_detect $(BUILD)/bench/bench_around $(BUILD)/leat $(BUILD)/libleat.so   ## detection on video: the work around the model, then beside ONNX Runtime and OpenCV
	$(BUILD)/bench/bench_detect
	$(BUILD)/bench/bench_around
	python3 bench/peers/bench_detect.py --leat $(BUILD)/leat --library $(BUILD)/libleat.so --out $(BUILD)/peers $(DETECT_ARGS)
.PHONY: bench-detect

bench-video: $(BUILD)/bench/bench_video $(PLUGINS)   ## frames between formats, beside libswscale, and in and out of files
	LEAT_PLUGIN_DIR=$(BUILD) $<
ifeq ($(HAVE_FFMPEG),1)
$(BUILD)/bench/bench_video.o: ALL_CFLAGS += -DLEAT_HAVE_SWSCALE=1 $(shell pkg-config --cflags libswscale)
$(BUILD)/bench/bench_video: LIBS += $(shell pkg-config --libs libswscale libavutil)
endif
.PHONY: bench-video

# PEERS_ARGS: --only TEXT, --quick, --no-rss, --no-ncnn; --lm: language models alone.  LM_ARGS: --only TEXT, -t 1,2, --isa avx2, --batch, --quick, --models FOLDER.
bench-peers: $(BUILD)/libleat.so   ## whole networks against ONNX Runtime and ncnn, language models against llama.cpp, interleaved
	$(if $(filter --lm,$(PEERS_ARGS)),,python3 bench/peers/bench_peers.py --library $(BUILD)/libleat.so --out $(BUILD)/peers $(PEERS_ARGS))
	python3 bench/peers/bench_lm.py --library $(BUILD)/libleat.so --out $(BUILD)/peers $(LM_ARGS)
.PHONY: bench bench-peers

# CIRCLEFIT_CHECKOUT: a checkout of the Go original, MayFlyCircleFit.
bench-circlefit: $(BUILD)/bench/bench_circlefit   ## circle scenes: drawing and measuring; with CIRCLEFIT_CHECKOUT=folder beside the Go original
	$(if $(CIRCLEFIT_CHECKOUT),python3 bench/peers/bench_circlefit.py --checkout $(CIRCLEFIT_CHECKOUT) --leat $< --out $(BUILD)/peers/circlefit,$<)
.PHONY: bench-circlefit

# Timers around internals of the library, without a trace of them in it.
STEP_WRAPS := leat__qmat leat__attn_kv_piece leat__tpool_for_n leat__lm_forward
$(BUILD)/bench/bench_step: ALL_LDFLAGS += $(STEP_WRAPS:%=-Wl,--wrap=%)
