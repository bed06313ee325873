# The version's git describe goes into one object, which is rebuilt when it changes.
GIT_DESCRIBE := $(shell git describe --always --dirty --tags 2>/dev/null || echo no git)
$(shell mkdir -p $(B); echo '$(GIT_DESCRIBE)' | cmp -s - $(B)/git-describe || echo '$(GIT_DESCRIBE)' > $(B)/git-describe)
$(B)/analysis/cli/version.o: $(B)/git-describe
$(B)/analysis/cli/version.o: ALL_CPPFLAGS += -DHS_GIT_DESCRIBE='"$(GIT_DESCRIBE)"'
