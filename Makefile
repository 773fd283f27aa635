# eagain: make, make check, make bench, make fuzz, make lint, make install [PREFIX=/usr/local] [DESTDIR=], make clean

VERSION = 0.1
PREFIX = /usr/local
BUILD = build
CFLAGS = -O2 -g
STRIP = strip
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes

# -I. for "tracer/format.h" and "shim/op.h"; each part sees its own headers first.
COMMON = -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -I. -MMD -MP

# The shim: nothing exported but names.def; unwinding through it must work (cancellation, exceptions from handlers); no
# fortify, no stack protector, no lazy binding: they would bring in symbols, or the loader's lock, at the wrong time.
SHIM_CFLAGS = $(COMMON) -Ishim -fPIC -fvisibility=hidden -fexceptions -fasynchronous-unwind-tables -fno-stack-protector \
	-U_FORTIFY_SOURCE -fno-strict-aliasing -ftls-model=initial-exec
SHIM_LDFLAGS = -shared -Wl,-z,initfirst -Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack -Wl,-soname,libeagain.so \
	-Wl,-Bsymbolic-functions -Wl,--version-script=$(BUILD)/exports.map

TRACER_CFLAGS = $(COMMON) -Itracer -Ishim -DEAGAIN_VERSION='"$(VERSION)"'

ARCH := $(shell $(CC) -dumpmachine | cut -d- -f1)

# What the shim stands on is glibc's own: symbols with versions, stdio's jump tables, __libc_single_threaded.
ifeq ($(shell echo __GLIBC__ | $(CC) -include features.h -E -P - | tail -n 1),__GLIBC__)
$(error eagain: $(CC): its libc is not glibc, which eagain needs)
endif

SHIM_SOURCES = $(wildcard shim/*.c shim/aio/*.c shim/calls/*.c shim/mux/*.c) $(wildcard tracer/line.c) shim/arch/$(ARCH).S
SHIM_OBJECTS = $(patsubst %,$(BUILD)/shim.o/%.o,$(SHIM_SOURCES))
TRACER_SOURCES = $(wildcard tracer/*.c) tracer/page.S $(addprefix shim/,executable.c wants.c tracefile.c clock.c config.c)
PAGE = $(wildcard tracer/page/*)
TRACER_OBJECTS = $(patsubst %,$(BUILD)/tracer.o/%.o,$(TRACER_SOURCES))
PROGRAMS = $(patsubst tests/programs/%.c,$(BUILD)/tests/%,$(wildcard tests/programs/*.c)) \
	$(patsubst tests/programs/%/,$(BUILD)/tests/%,$(filter-out %/libraries/,$(sort $(dir $(wildcard tests/programs/*/*.c)))))
LIBRARIES = $(patsubst tests/programs/libraries/%.c,$(BUILD)/tests/%.so,$(wildcard tests/programs/libraries/*.c))
BENCHES = $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))

all: $(BUILD)/eagain $(BUILD)/libeagain.so $(BUILD)/eagain.1

$(BUILD)/libeagain.so: $(SHIM_OBJECTS) $(BUILD)/exports.map
	$(CC) $(CFLAGS) $(SHIM_LDFLAGS) $(LDFLAGS) -o $@ $(SHIM_OBJECTS)

$(BUILD)/eagain: $(TRACER_OBJECTS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(BUILD)/eagain.1: tracer/manual.awk tracer/verbs.def shim/settings.def tracer/formats.def tracer/eagain.1.in Makefile
	@mkdir -p $(@D)
	awk -v version=$(VERSION) -f $(filter-out Makefile,$^) > $@

# Versions and names without one cannot be in one script: where there are versions, -fvisibility alone hides the rest.
$(BUILD)/exports.map: shim/names.def Makefile
	@mkdir -p $(@D)
	grep -o 'VERSION($(ARCH), [^)]*)' $< | sed 's/.*, \(.*\), \(.*\))/\1 { global: \2; };/' > $@
	[ -s $@ ] || { echo '{ global:'; grep -o 'NAME([A-Za-z0-9_]*)' $< | sed 's/NAME(\(.*\))/\1;/'; echo 'local: *; };'; } > $@

$(BUILD)/shim.o/%.o: %
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SHIM_CFLAGS) -c -o $@ $<

# No function is made of another.
$(BUILD)/shim.o/shim/string.c.o: SHIM_CFLAGS += -fno-builtin

$(BUILD)/tracer.o/%.o: %
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(TRACER_CFLAGS) -c -o $@ $<

# The page of export_html.c, in one file; page.S holds it.
$(BUILD)/tracer.o/tracer/page.S.o: $(BUILD)/page.html
$(BUILD)/tracer.o/tracer/page.S.o: TRACER_CFLAGS += -Wa,-I$(BUILD)

$(BUILD)/page.html: $(PAGE) Makefile
	@mkdir -p $(@D)
	cd tracer/page && awk -f assemble.awk page.html > $(abspath $@).new
	mv $@.new $@

# Test programs: one file each, or a folder each; and libraries, of which early.so has a constructor that runs before the shim's.
programs: $(PROGRAMS) $(LIBRARIES)

TEST_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -pthread -Wl,-z,now

$(BUILD)/tests/asleep $(BUILD)/tests/aio: tests/programs/state.h

$(BUILD)/tests/%: tests/programs/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(TEST_CFLAGS) -o $@ $<

.SECONDEXPANSION:
$(BUILD)/tests/%: $$(wildcard tests/programs/%/*.c tests/programs/%/*.h tests/programs/%/*.def)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(TEST_CFLAGS) -o $@ $(filter %.c,$^)

$(BUILD)/tests/early.so: TEST_CFLAGS += -Wl,-z,initfirst
$(BUILD)/tests/deep.so: TEST_CFLAGS += -Wl,-Bsymbolic

$(BUILD)/tests/%.so: tests/programs/libraries/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(TEST_CFLAGS) -shared -fPIC -o $@ $<

# Bound at the first call, as most programs are: uftrace and ltrace see nothing of others.
benches: $(BENCHES)

$(BUILD)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(filter-out -Wl%,$(TEST_CFLAGS)) -o $@ $<

# The same calls as LTTng's tracepoints: for scripts/bench, where liblttng-ust-dev is installed.
$(BUILD)/bench/lttng.so: $(wildcard tests/bench/lttng/*)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(filter-out -Wl%,$(TEST_CFLAGS)) -Itests/bench/lttng -shared -fPIC -o $@ $(filter %.c,$^) -llttng-ust

# A fuzzer of all that reads a trace (tests/fuzz/): clang's, with its sanitizers.
FUZZ_CC = clang
# An array of nothing may be NULL: NULL + 0, which only C++ and C23 allow.
FUZZ_CFLAGS = -O1 -g -fsanitize=fuzzer,address,undefined,float-cast-overflow -fno-sanitize=pointer-overflow -fno-sanitize-recover=all
FUZZ_OBJECTS = $(patsubst %,$(BUILD)/fuzz.o/%.o,$(filter-out tracer/main.c,$(TRACER_SOURCES)) tests/fuzz/trace.c)

$(BUILD)/fuzz/trace: $(FUZZ_OBJECTS)
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_CFLAGS) -Wl,--wrap=die,--wrap=say,--wrap=clock_nanosleep -o $@ $^

$(BUILD)/fuzz.o/%.o: %
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_CFLAGS) $(TRACER_CFLAGS) -c -o $@ $<

$(BUILD)/fuzz.o/tracer/page.S.o: $(BUILD)/page.html
$(BUILD)/fuzz.o/tracer/page.S.o: TRACER_CFLAGS += -Wa,-I$(BUILD)

# tests/programs/stress.c and the shim in one program, under ThreadSanitizer, which cannot be preloaded, and needs libc's own names for
# itself: those of the shim begin with shim_.  string.c is left out: it would have to hear of what is moved.
RACE_CFLAGS = -O1 -g -fsanitize=thread -Wno-tsan -Wno-array-bounds -Wno-stringop-overread
RACE_OBJECTS = $(patsubst %,$(BUILD)/race.o/%.o,$(filter-out shim/string.c,$(SHIM_SOURCES)) tests/programs/stress.c)

$(BUILD)/race/stress: $(RACE_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(RACE_CFLAGS) -pthread -o $@ $^

$(BUILD)/race.o/%.o: % $(BUILD)/race.o/names
	@mkdir -p $(@D)
	$(CC) $(RACE_CFLAGS) $(SHIM_CFLAGS) -c -o $@ $<
	objcopy --redefine-syms=$(BUILD)/race.o/names $@

$(BUILD)/race.o/names: shim/names.def Makefile
	@mkdir -p $(@D)
	grep -o 'NAME([A-Za-z0-9_]*)' $< | sed 's/NAME(\(.*\))/\1 shim_\1/' > $@

fuzz: all programs
	scripts/fuzz

check: all programs
	scripts/check

bench: all benches
	scripts/bench

lint:
	scripts/lint

# The shim without its symbols: who sets a breakpoint on "work" means the program's.
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/eagain $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(BUILD)/eagain $(DESTDIR)$(PREFIX)/bin/eagain
	install -m 644 $(BUILD)/libeagain.so $(DESTDIR)$(PREFIX)/lib/eagain/libeagain.so
	$(STRIP) --strip-unneeded $(DESTDIR)$(PREFIX)/lib/eagain/libeagain.so
	install -m 644 $(BUILD)/eagain.1 $(DESTDIR)$(PREFIX)/share/man/man1/eagain.1

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/eagain $(DESTDIR)$(PREFIX)/lib/eagain/libeagain.so $(DESTDIR)$(PREFIX)/share/man/man1/eagain.1
	-rmdir $(DESTDIR)$(PREFIX)/lib/eagain

clean:
	rm -rf $(BUILD)

.PHONY: all programs benches check bench fuzz lint install uninstall clean
-include $(SHIM_OBJECTS:.o=.d) $(TRACER_OBJECTS:.o=.d) $(FUZZ_OBJECTS:.o=.d) $(RACE_OBJECTS:.o=.d)
