# make MPI=1: the program for several processes on one job (pca, compare).  One object knows MPI; without MPI=1 nothing of it
# is needed.
MPI ?= 0
PROGRAM := $(B)/hspace
ifeq ($(MPI),1)
PROGRAM := $(B)/hspace-mpi
DEPS_BUILD += libopenmpi-dev openmpi-bin
endif
# build/hspace is made anew when it is the other one's turn.
$(shell mkdir -p $(B); echo '$(PROGRAM)' | cmp -s - build/program || echo '$(PROGRAM)' > build/program)
build/hspace: build/program

$(B)/mpi/team.o: analysis/cli/team.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) -DHS_HAVE_MPI=1 $$(pkg-config --cflags ompi-c) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Before the library, whose team.o is then not asked for.
$(B)/hspace-mpi: $(B)/analysis/cli/main.o $(B)/mpi/team.o $(B)/libhspace_app.a $(B)/libhspace.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LDLIBS) $$(pkg-config --libs ompi-c)
