# results.awk - tests/RESULTS.md from the rows that the tests with real programs wrote (helper.bash, teardown).  Rows of the old
# table that comes first, where one does, stay as long as there is none newer.

function key(row) {
	row = match(row, /`bats -f .*\.bats`/) ? substr(row, RSTART, RLENGTH) : ""
	gsub(/'/, ".", row)
	return row
}

BEGIN { FS = "\t" }

/^\|.*<br>`bats -f/ { rows[key($0)] = $0 }

NF == 8 {
	gsub(/\|/, "\\|")
	pattern = $2
	gsub(/'/, ".", pattern)         # it stands between such
	row = "| " $1 " | " $2 "<br>`bats -f '" pattern "' " $3 "` | " $4 " | " $5 " | " $6 " | " $7 " | " $8 " |"
	rows[key(row)] = row
}

END {
	"uname -srm" | getline kernel
	"ldd --version | sed -n 's/.* //;1p'" | getline libc
	"date +%F" | getline date
	print "# Real programs, natively and under eagain"
	print ""
	print "Made by `scripts/check --all`; " kernel ", glibc " libc ", " date "."
	print "Each row is a test, with its command.  It runs natively and in each mode, and compares stdout, stderr, exit status and the files"
	print "left behind: *same* means that nothing differed.  [DIFFERENCES.md](DIFFERENCES.md) tells of each difference that was ever found."
	print ""
	print "| programs | what | natively | run | run --switch=flag | record | record --switch=flag |"
	print "| --- | --- | --- | --- | --- | --- | --- |"
	fflush()
	for (k in rows)
		print rows[k] | "sort"
}
