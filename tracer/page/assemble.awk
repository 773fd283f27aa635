# assemble.awk - one page of its parts: page.html, with the files that it names between @ in their places.
# @FILE@ is the file itself, @sha256 FILE@ what a Content-Security-Policy calls a hash of it.  Runs in tracer/page.
function base64(hex,    out, i, n) {
	for (i = 1; i <= length(hex); i += 6) {
		n = value(substr(hex, i, 6) "000000")
		out = out digit(n / 262144) digit(n / 4096) digit(n / 64) digit(n)
	}
	# 32 bytes end in two of three.
	return substr(out, 1, 43) "="
}

function value(hex,    n, i) {
	for (i = 1; i <= 6; i++)
		n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
	return n
}

function digit(n) {
	return substr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", int(n) % 64 + 1, 1)
}

function hash(file,    command, line) {
	command = "sha256sum " file
	if ((command | getline line) <= 0 || line !~ /^[0-9a-f]+ /)
		exit 1
	close(command)
	return "sha256-" base64(substr(line, 1, 64))
}

{
	while (match($0, /@sha256 [a-z.]+@/))
		$0 = substr($0, 1, RSTART - 1) hash(substr($0, RSTART + 8, RLENGTH - 9)) substr($0, RSTART + RLENGTH)
	if (match($0, /@[a-z]+\.[a-z]+@/)) {
		file = substr($0, RSTART + 1, RLENGTH - 2)
		printf "%s", substr($0, 1, RSTART - 1)
		while ((got = (getline line < file)) > 0)
			print line
		if (got < 0)
			exit 1
		print substr($0, RSTART + RLENGTH)
	} else {
		print
	}
}
