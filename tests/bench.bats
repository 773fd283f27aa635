# What scripts/bench makes of its figures: tests/bench/table.awk.

load helper

# table OPTION...: of what is on stdin.
table() {
	awk -v json="$BATS_TEST_TMPDIR/json" -v title=costs "$@" -f "$TOP/tests/bench/table.awk"
}

@test "bench: medians of the rounds, and of each round's ratio to the first column" {
	diff - <(printf '%s\n' '1|a call|native|100|' '1|a call|run|110|' '2|a call|native|200|' '2|a call|run|200|' \
		'3|a call|native|100|' '3|a call|run|150|' '3|more|run|9|more' | table -v times=cost -v names='native run') <<'END'
        native                    run
a call     100  150 (1.10, 1.00-1.50)
more         -                   9.00
END
	grep -q '"row":"a call","column":"run","median":150,"ratio":1.1,"ratio_least":1,"ratio_most":1.5}' "$BATS_TEST_TMPDIR/json"
}

@test "bench: where more, or less, is better, a ratio above 1 is" {
	diff - <(printf '%s\n' '1|requests/s|native|100|more' '1|requests/s|run|200|more' '1|seconds|native|100|' '1|seconds|run|200|' |
		table -v times=good -v names='native run') <<'END'
            native         run
requests/s     100  200 (2.00)
seconds        100  200 (0.50)
END
}

@test "bench: one of many is compared with one of few" {
	diff - <(printf '%s\n' '1|ns, of 1|run|10|' '1|ns, of 1|record|20|' '1|ns, of 9|run|11|' '1|ns, of 9|record|60|' \
		'1|us, of 1|run|5|' | table -v times=scale -v names='run record') <<'END'
                  run       record
ns, of 1         10.0         20.0
ns, of 9  11.0 (1.10)  60.0 (3.00)
us, of 1         5.00            -
END
}

@test "bench: turned, and what is missing says why, once" {
	diff - <(printf '%s\n' '1|read|native|100|' '1|read|strace|900|' '-|-|ltrace|missing: "it" \ not|remark' \
		'-|-|ltrace|missing: "it" \ not|remark' | table -v times=cost -v turned=1 -v names='native strace ltrace') <<'END'
              read
native         100
strace  900 (9.00)
ltrace           -
ltrace: missing: "it" \ not
END
	grep -qF '"remark":"missing: \"it\" \\ not"}' "$BATS_TEST_TMPDIR/json"
}
