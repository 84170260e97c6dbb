# The first thing a stranger runs: no download, the bundled classifier on the bundled pictures, then where the time goes.
DEMO_MODEL := models/abacus_cells.onnx

demo:            ## install what is missing, build, classify the bundled pictures, print the timing table
	@tools/setup
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@echo; echo "== which half of the abacus cell holds a bead? (the file names say the truth)"
	@$(BUILD)/leat classify $(DEMO_MODEL) $(sort $(wildcard models/demo/*.jpg models/demo/*.png)) --top 1
	@echo; echo "== where the time goes"
	@$(BUILD)/leat bench $(DEMO_MODEL) --shape image=1x3x64x64 --duration 1 --per-op
.PHONY: demo
