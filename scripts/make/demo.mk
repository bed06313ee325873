# The main job on a real model, ending in one HTML page.  MODEL=... [ARCH=...] takes one's own,
# OUT=... another folder.
OUT ?= hspace-demo
demo: all ## info to report on a model: MODEL=... ARCH=... OUT=hspace-demo
	@MODEL='$(MODEL)' ARCH='$(ARCH)' scripts/demo.sh '$(OUT)'
ALL_ARMS := h_p,eps_p,h_both,eps_both,x_t
demo-full: all ## the same on 128 images x 12 steps, all arms, controls and matchings, f_t trained anew; a PNG of each property; two hours on two cores: N= STEPS= ARMS= FACTORS= FULL=
	@MODEL='$(MODEL)' ARCH='$(ARCH)' N='$(or $(N),128)' STEPS='$(or $(STEPS),12)' FULL='$(if $(filter undefined,$(origin FULL)),1,$(FULL))' \
	    ARMS='$(if $(ARMS),$(ARMS),$(ALL_ARMS))' CONTROLS=all FACTORS='$(or $(FACTORS),smile)' PICTURES=1 scripts/demo.sh '$(OUT)-full'
.PHONY: demo demo-full
