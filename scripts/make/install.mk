# make install: the program, libhspace (static and shared), its headers and .pc file, man pages,
# completions and the models that ship, under $(DESTDIR)$(prefix).

VERSION := $(shell sed -n 's/^.define HS_VERSION "\(.*\)"/\1/p' analysis/cli/version.c)
SOVERSION := $(firstword $(subst ., ,$(VERSION)))
SONAME := libhspace.so.$(SOVERSION)
SOFILE := libhspace.so.$(VERSION)

exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
libdir ?= $(exec_prefix)/lib
includedir ?= $(prefix)/include
datadir ?= $(prefix)/share
mandir ?= $(datadir)/man
INSTALL ?= install

$(B)/$(SOFILE): $(LIB_OBJ)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) -o $@ $^ $(ALL_LDLIBS)

# The headers that the umbrella header reaches, and no others.
PUBLIC_HEADERS = $(sort $(shell $(CC) $(ALL_CPPFLAGS) -MM core/hspace.h | tr -d '\\' | tr ' ' '\n' | grep '^core/'))

MODELS = $(wildcard datasets/models/*/*.*)

$(B)/hspace.pc: always # prefix may be another than last time
	@printf '%s\n' 'prefix=$(prefix)' 'libdir=$(libdir)' 'includedir=$(includedir)' '' \
	  'Name: hspace' 'Description: The h-space of diffusion U-Nets: models, activations, directions, measurements' \
	  'Version: $(VERSION)' 'Cflags: -I$${includedir}/hspace' \
	  'Libs: -L$${libdir} -lhspace' 'Libs.private: $(ALL_LDLIBS) -fopenmp' >$@

man: build/hspace ## man pages by help2man, into build/man
	@scripts/man.sh build/hspace build/man

install: deps-build ## program, library, headers, man pages, completions; prefix, DESTDIR
	@$(MAKE) --no-print-directory $(JOBS) build/hspace
	@$(MAKE) --no-print-directory install-files
install-files: build/hspace $(B)/$(SOFILE) $(B)/hspace.pc
	$(INSTALL) -d $(DESTDIR)$(bindir) $(DESTDIR)$(libdir)/pkgconfig $(DESTDIR)$(mandir)/man1 \
	  $(DESTDIR)$(datadir)/bash-completion/completions $(DESTDIR)$(datadir)/zsh/site-functions \
	  $(DESTDIR)$(datadir)/fish/vendor_completions.d
	$(INSTALL) -m 755 build/hspace $(DESTDIR)$(bindir)/hspace
	$(INSTALL) -m 644 $(B)/libhspace.a $(B)/$(SOFILE) $(DESTDIR)$(libdir)/
	ln -sf $(SOFILE) $(DESTDIR)$(libdir)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(libdir)/libhspace.so
	$(INSTALL) -m 644 $(B)/hspace.pc $(DESTDIR)$(libdir)/pkgconfig/hspace.pc
	for h in $(PUBLIC_HEADERS); do $(INSTALL) -D -m 644 $$h $(DESTDIR)$(includedir)/hspace/$$h || exit 1; done
	build/hspace completion bash >$(DESTDIR)$(datadir)/bash-completion/completions/hspace
	build/hspace completion zsh >$(DESTDIR)$(datadir)/zsh/site-functions/_hspace
	build/hspace completion fish >$(DESTDIR)$(datadir)/fish/vendor_completions.d/hspace.fish
	scripts/man.sh build/hspace $(DESTDIR)$(mandir)/man1
	for f in $(MODELS); do $(INSTALL) -D -m 644 $$f $(DESTDIR)$(datadir)/hspace/$${f#datasets/} || exit 1; done

uninstall: ## removes what install put there
	rm -rf $(DESTDIR)$(includedir)/hspace $(DESTDIR)$(datadir)/hspace/models
	rm -f $(DESTDIR)$(bindir)/hspace $(DESTDIR)$(libdir)/libhspace.a $(DESTDIR)$(libdir)/libhspace.so* \
	  $(DESTDIR)$(libdir)/pkgconfig/hspace.pc $(DESTDIR)$(datadir)/bash-completion/completions/hspace \
	  $(DESTDIR)$(datadir)/zsh/site-functions/_hspace $(DESTDIR)$(datadir)/fish/vendor_completions.d/hspace.fish \
	  $(DESTDIR)$(mandir)/man1/hspace.1 $(DESTDIR)$(mandir)/man1/hspace-*.1

.PHONY: man install uninstall always
