# The first thing a stranger runs: no download, the bundled classifier on the bundled pictures, the bundled detector on a synthetic
# video, a picture in circles, a tale by the bundled language model.
DEMO_MODEL := models/abacus_cells.onnx
DEMO_SCENE := scene:seed=3,objects=14,frames=240

demo:            ## install what is missing, build, classify pictures, find objects in a video, paint circles, tell a tale, print the timing tables
	@tools/setup
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@echo; echo "== which half of the abacus cell holds a bead? (the file names say the truth)"
	@$(BUILD)/leat classify $(DEMO_MODEL) $(sort $(wildcard models/demo/*.jpg models/demo/*.png)) --top 1
	@echo; echo "== where the time goes"
	@$(BUILD)/leat bench $(DEMO_MODEL) --shape image=1x3x64x64 --duration 1 --per-op
	@echo; echo "== coins and beads, found and followed in a synthetic video"
	@$(BUILD)/leat detect $(DEMO_SCENE) --conf 0.4 --conf-low 0.3 --track byte --overlay --out $(BUILD)/demo.jsonl \
	    --out $$([ -e $(BUILD)/leat_ffmpeg.so ] && echo $(BUILD)/demo.mp4 || echo $(BUILD)/demo/)
	@ls -d $(BUILD)/demo.mp4 $(BUILD)/demo $(BUILD)/demo.jsonl 2>/dev/null | sed 's/^/written: /'
	@echo; echo "== a cat in 100 circles, and where they differ from it"
	@$(BUILD)/leat circlefit docs/pictures/chelsea.jpg -k 100 -o $(BUILD)/circles.png --svg $(BUILD)/circles.svg --diff $(BUILD)/circles_diff.png
	@ls $(BUILD)/circles.png $(BUILD)/circles.svg $(BUILD)/circles_diff.png | sed 's/^/written: /'
	@echo; echo "== a tale by the bundled language model"
	@printf 'Once upon a time'; $(BUILD)/leat generate -p 'Once upon a time' -n 120 --seed 1
.PHONY: demo
