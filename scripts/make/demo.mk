# The main job on a real model, ending in one HTML page.  MODEL=... [ARCH=...] takes one's own,
# OUT=... another folder.
OUT ?= hspace-demo
demo: all ## info to report on a model: MODEL=... ARCH=... OUT=hspace-demo
	@MODEL='$(MODEL)' ARCH='$(ARCH)' scripts/demo.sh '$(OUT)'
.PHONY: demo
