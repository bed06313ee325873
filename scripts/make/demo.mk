# The main job on a real model, ending in one HTML page.  MODEL=... [ARCH=...] takes one's own,
# OUT=... another folder.
OUT ?= hspace-demo
demo: all ## info to report on a model: MODEL=... ARCH=... OUT=hspace-demo
	@MODEL='$(MODEL)' ARCH='$(ARCH)' scripts/demo.sh '$(OUT)'
demo-full: all ## the same on 128 images x 40 steps, f_t trained anew: the README's figures
	@MODEL='$(MODEL)' ARCH='$(ARCH)' N=128 STEPS=40 FULL=1 scripts/demo.sh '$(OUT)-full'
.PHONY: demo demo-full
