# The same shim, as it was built here, with another libc: the traps in the next Debian release, in a directory.

load helper

# bats test_tags=all
@test "glibc of Debian 13: the traps, the shield, poll, accept and messages" {
	need_package debootstrap
	[ "$(id -u)" = 0 ] || skip "debootstrap needs root"
	root=$BATS_TEST_TMPDIR/root
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -vm 1 security)
	debootstrap --variant=minbase --include=bats,perl,procps,python3-minimal,strace trixie "$root" "$mirror" >"$BATS_TEST_TMPDIR/log" 2>&1 ||
		skip "Debian 13 cannot be installed from here: $(tail -n 1 "$BATS_TEST_TMPDIR/log")"
	mkdir "$root/eagain"
	cp -r "$TOP"/{build,tests,shim,tracer,README.md} "$root/eagain"
	# What is mounted goes with the namespace.  The lines come as the tests end, and a test that hangs ends alone: the slowest takes
	# minutes on a loaded machine.
	unshare --mount sh -c 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
		exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin BATS_TEST_TIMEOUT=1200 chroot "$1" bats --tap /eagain/tests/traps.bats \
			/eagain/tests/shield.bats /eagain/tests/calls.bats' sh "$root" 3>&- | tee "$BATS_TEST_TMPDIR/tap"
	[ "${PIPESTATUS[0]}" = 0 ]
	passed=$(grep '^ok' "$BATS_TEST_TMPDIR/tap" | grep -vc '# skip')
	[ "$passed" -gt 50 ]
	chroot "$root" dpkg-query -W -f 'libc6 ${Version}\n' libc6 >>"$BATS_TEST_TMPDIR/programs"
	finds "$passed tests pass"
	for mode in $MODES; do echo "$mode same" >>"$BATS_TEST_TMPDIR/outcomes"; done
}
