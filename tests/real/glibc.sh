#!/usr/bin/env bash
# glibc.sh - builds glibc's own tests of behaviour as programs of their own, which run with the libc that is installed.
# usage: glibc.sh source DIR       the source of that libc in DIR/src, by apt-get; one line and status 1 where there is none
#        glibc.sh build DIR LIST   DIR/bin, DIR/locale, and DIR/built: name and arguments of each test in LIST that could be built
# glibc's helpers for tests (support/) come into one library; the few of its private headers that they want are made up here.
set -euo pipefail
self=$(realpath "$0")

no_source() {
	echo "no source of glibc: $*"
	exit 1
}

# A deb-src line for each deb line of the machine, in a place of its own: the machine's sources stay as they are.
sources() {
	local file
	for file in /etc/apt/sources.list.d/*.sources; do
		[ ! -f "$file" ] || sed 's/^Types:.*/Types: deb-src/' "$file" >"$1/${file##*/}"
	done
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ ! -f "$file" ] || sed -n 's/^deb /deb-src /p' "$file" >"$1/${file##*/}.list"
	done
}

get_source() {
	local apt=$1/apt version tool
	for tool in apt-get dpkg-source dpkg-query cc ar; do
		command -v $tool >/dev/null || no_source "$tool is not installed"
	done
	version=$(dpkg-query -W -f '${source:Version}' libc6 2>/dev/null) || no_source 'libc6 is not a package here'
	mkdir -p "$apt"/{sources,lists/partial,cache/archives/partial}
	sources "$apt/sources"
	cd "$apt"
	options=(-q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$apt/sources" -o "Dir::State::lists=$apt/lists"
		-o "Dir::Cache=$apt/cache" -o "APT::Sandbox::User=$(id -un)")
	{ apt-get "${options[@]}" update && apt-get "${options[@]}" source "glibc=$version"; } >log 2>&1 || no_source "$(tail -n 1 log)"
	mv "$apt"/glibc-*/ "$1/src"
	rm -rf "$apt"
}

# What glibc's own headers of these names would bring in does not concern a program outside of it.
make_headers() {
	local dir header
	mkdir -p include
	for dir in support malloc sysdeps inet io nptl posix resolv; do
		ln -s "$PWD/src/$dir" include/
	done
	for header in array_length.h intprops.h libc-diag.h libc-pointer-arith.h scratch_buffer.h; do
		ln -s "$PWD/src/include/$header" include/
	done
	ln -s "$PWD/src/test-skeleton.c" "$PWD/src/sysdeps/unix/sysv/linux/socket-constants-time64.h" include/
	ln -s "$PWD/src/sysdeps/$(uname -m)/stackinfo.h" include/
	touch include/{config,libc-config,libc-symbols}.h
	echo '#include <malloc/dynarray.h>' >include/dynarray.h
	echo '#include <sys/syscall.h>' >include/sysdep.h
	cat >include/allocate_once.h <<'HEADER'
static inline void *allocate_once(void **place, void *(*allocate)(void *), void (*deallocate)(void *, void *), void *closure)
{
	void *new = *place ? NULL : allocate(closure), *none = NULL;

	if (new && !__atomic_compare_exchange_n(place, &none, new, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		deallocate ? deallocate(closure, new) : free(new);
	return *place;
}
HEADER
	cat >include/first.h <<HEADER
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#define libc_hidden_proto(name)
#define libc_hidden_def(name)
#define attribute_hidden
#define __timespec64 timespec
#define __set_errno(error) (errno = (error))
#define TIMEOUTFACTOR 1
#define OBJPFX ""
HEADER
}

# compile OUTPUT WORD...: our headers first, then the system's, then the folders of the tests themselves.
compile() {
	local dir options=() out=$1
	shift
	for dir in SRCDIR OBJDIR OBJDIR_ELF_LDSO INSTDIR LIBDIR BINDIR SBINDIR SLIBDIR ROOTSBINDIR COMPLOCALEDIR SYSCONFDIR; do
		options+=("-D${dir}_PATH=\"/nowhere\"")
	done
	for dir in support sysdeps/{pthread,generic,x86} nptl posix misc io time rt stdlib; do
		options+=(-idirafter "src/$dir")
	done
	mkdir -p "${out%/*}"
	cc -std=gnu11 -O2 -w -D_GNU_SOURCE -include include/first.h -Iinclude "${options[@]}" -o "$out" "$@" 2>/dev/null
}

# Some of support/ does not compile by itself: it is included elsewhere, or for the build tree.
build_support() {
	printf '%s\n' src/support/*.c src/malloc/{scratch_buffer,dynarray}_*.c | grep -v 'support/\(tst\|test\|README\|links\|echo\|shell\|true\)' |
		xargs -P "$(nproc)" -I{} bash "$self" object {}
	ar rc libsupport.a support.o/*
}

# build_test SOURCE WORD...: one line of the list.
build_test() {
	local source=$1 name word options=() arguments=()
	shift
	for word; do
		case $word in
		-D* | -f*) options+=("$word") ;;
		*) arguments+=("$word") ;;
		esac
	done
	name=${source//\//_}${options[*]//[^A-Za-z0-9]/_}
	compile "bin/$name" "${options[@]}" -pthread "src/$source.c" libsupport.a -lm -lrt -ldl -lresolv -lcrypt -lutil || return 0
	[ ! -f "src/$source.input" ] || cp "src/$source.input" "bin/$name.input"
	echo "$name ${arguments[*]}"
}

# The locales that the tests of wide characters ask for.
build_locales() {
	local name
	mkdir -p locale
	for name in de_DE.UTF-8 en_US.UTF-8 ja_JP.UTF-8 cs_CZ.UTF-8 tr_TR.UTF-8 de_DE.ISO-8859-1 en_US.ISO-8859-1 ja_JP.EUC-JP; do
		I18NPATH=src/localedata localedef -c --no-archive -i "${name%.*}" -f "${name#*.}" "$PWD/locale/$name" >/dev/null 2>&1 ||
			echo "no locale $name"
	done
}

case $1 in
source)
	get_source "$2"
	;;
build)
	cd "$2"
	make_headers
	build_locales
	build_support
	grep -v '^#' "$3" | xargs -P "$(nproc)" -d '\n' -n 1 bash "$self" test | sort >built
	;;
object)
	compile "support.o/$(basename "$2" .c).o" -c "$2" || exit 0
	;;
test)
	read -ra words <<<"$2"
	build_test "${words[@]}"
	;;
esac
