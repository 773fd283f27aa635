# results.awk - the table of tests/RESULTS.md from the rows that the tests with real programs wrote.

BEGIN {
	FS = "\t"
	"uname -srm" | getline kernel
	"ldd --version | sed -n 's/.* //;1p'" | getline libc
	"date +%F" | getline date
	print "# Real programs, natively and under eagain"
	print ""
	print "Made by `scripts/check --all`; " kernel ", glibc " libc ", " date "."
	print "Each row is a test, with its command.  It runs natively and in each mode, and compares stdout,"
	print "stderr, exit status and the files left behind: *same* means that nothing differed."
	print "[DIFFERENCES.md](DIFFERENCES.md) tells of each difference that was ever found."
	print ""
	print "| programs | what | natively | run | run --switch=flag | record | record --switch=flag |"
	print "| --- | --- | --- | --- | --- | --- | --- |"
}

{
	gsub(/\|/, "\\|")
	print "| " $1 " | " $2 "<br>`bats -f '" $2 "' " $3 "` | " $4 " | " $5 " | " $6 " | " $7 " | " $8 " |"
}
