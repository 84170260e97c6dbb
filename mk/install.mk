# make install PREFIX= DESTDIR=: library (static and shared), plugins, headers, leat.pc, the program and the bundled models.
LIBDIR   ?= $(PREFIX)/lib
VERSION  := $(shell sed -n 's/^\#define LEAT_VERSION_STRING "\(.*\)"/\1/p' include/leat/common.h)
SOVERSION := $(firstword $(subst ., ,$(VERSION)))
PC_FILE  := $(BUILD)/leat.pc

install: all     ## install under PREFIX (/usr/local), staged below DESTDIR
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/include/leat $(DESTDIR)$(PREFIX)/share/leat/models
	install -m 755 $(BUILD)/leat $(DESTDIR)$(PREFIX)/bin/leat
	install -m 644 include/leat/*.h $(DESTDIR)$(PREFIX)/include/leat/
	install -m 644 $(BUILD)/libleat.a $(DESTDIR)$(LIBDIR)/libleat.a
	install -m 755 $(BUILD)/libleat.so $(DESTDIR)$(LIBDIR)/libleat.so.$(VERSION)
	ln -sf libleat.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libleat.so.$(SOVERSION)
	ln -sf libleat.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libleat.so
	$(if $(PLUGINS),install -d $(DESTDIR)$(LIBDIR)/leat && install -m 755 $(PLUGINS) $(DESTDIR)$(LIBDIR)/leat/)
	install -m 644 models/*.onnx models/*.gguf models/*.json $(DESTDIR)$(PREFIX)/share/leat/models/
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$${prefix}/include' '' 'Name: leat' \
	    'Description: neural network inference on CPUs' 'Version: $(VERSION)' 'Libs: -L$${libdir} -lleat' \
	    'Libs.private: $(LIBS)' 'Cflags: -I$${includedir}' >$(PC_FILE)
	install -m 644 $(PC_FILE) $(DESTDIR)$(LIBDIR)/pkgconfig/leat.pc

uninstall:       ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/leat $(DESTDIR)$(LIBDIR)/libleat.* $(DESTDIR)$(LIBDIR)/leat/leat_ffmpeg.so $(DESTDIR)$(LIBDIR)/pkgconfig/leat.pc
	rm -rf $(DESTDIR)$(PREFIX)/include/leat $(DESTDIR)$(PREFIX)/share/leat
.PHONY: install uninstall
