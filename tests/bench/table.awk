# table.awk - what scripts/bench has noted (ROUND|ROW|COLUMN|VALUE|more), as a table; with -v json=FILE -v chart=FILE also as JSON, and
# as a picture.  names: the columns, of which the first is what the others are compared with, in the same round: times "cost" as much, or
# as "good".  title: what it is.

# Sorted, into v; how many.
function sorted(list, v,    n, i, j, t) {
	n = split(list, v, " ")
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
	return n
}

function median(list,    v, n) {
	n = sorted(list, v)
	return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}

function least(list,    v) { sorted(list, v); return v[1] }
function most(list,    v) { return v[sorted(list, v)] }
function short(x) { return sprintf(x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : "%.2f", x) }
function escaped(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); return s }

# "166 (1.02, 0.98-1.05)": the median, and the ratio with its least and its most.
function cell(k, first,    text) {
	if (!(k in all))
		return "-"
	text = short(median(all[k]))
	if (k in ratio && !first)
		text = text " (" short(median(ratio[k])) (rounds > 1 ? ", " short(least(ratio[k])) "-" short(most(ratio[k])) : "") ")"
	return text
}

BEGIN {
	FS = "|"
	columns = split(names, column, " ")
	printf "%-52s", ""
	for (i = 1; i <= columns; i++) printf "%26s", column[i]
	print ""
}

{
	if (!($2 in more)) row[++rows] = $2
	if ($1 > rounds) rounds = $1
	more[$2] = $5
	at[$1, $2, $3] = $4
	all[$2, $3] = all[$2, $3] " " $4
	first = at[$1, $2, column[1]]
	if (first > 0 && $4 > 0)
		ratio[$2, $3] = ratio[$2, $3] " " (times == "cost" || $5 ? $4 / first : first / $4)
}

function write_json(r, i, k) {
	printf "{\"title\":\"%s\",\"row\":\"%s\",\"column\":\"%s\",\"median\":%s", title, row[r], column[i], median(all[k]) >>json
	if (k in ratio)
		printf ",\"ratio\":%.4g,\"ratio_least\":%.4g,\"ratio_most\":%.4g", median(ratio[k]), least(ratio[k]), most(ratio[k]) >>json
	print "}" >>json
}

# A bar for each ratio, on a scale of powers of ten, with a line at 1.
function draw(    colors, r, i, k, x, y, m, lowest, highest, height) {
	split("#888888 #1b6ca8 #d1495b #edae49 #66a182 #8d6a9f #3d405b #c08497", colors, " ")
	lowest = 0.5; highest = 2
	for (k in ratio) {
		m = median(ratio[k])
		while (m < lowest) lowest /= 2
		while (m > highest) highest *= 2
	}
	height = 40 + rows * (columns * 9 + 10)
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"960\" height=\"%d\" font-family=\"sans-serif\" font-size=\"11\">\n", height >chart
	printf "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/><text x=\"8\" y=\"14\">%s</text>\n", escaped(title) >chart
	for (i = 1; i <= columns; i++)
		printf "<text x=\"%d\" y=\"30\" fill=\"%s\">%s</text>\n", 8 + (i - 1) * 90, colors[(i - 1) % 8 + 1], escaped(column[i]) >chart
	for (r = 1; r <= rows; r++)
		for (i = 1; i <= columns; i++) {
			k = row[r] SUBSEP column[i]
			y = 40 + (r - 1) * (columns * 9 + 10) + (i - 1) * 9
			if (i == 1)
				printf "<text x=\"8\" y=\"%d\">%s</text>\n", y + 9, escaped(row[r]) >chart
			if (!(k in ratio))
				continue
			m = median(ratio[k])
			x = log(m / lowest) / log(highest / lowest) * 520
			printf "<rect x=\"380\" y=\"%d\" width=\"%.1f\" height=\"8\" fill=\"%s\"><title>%s: %s</title></rect>\n", y, x, \
				colors[(i - 1) % 8 + 1], escaped(column[i]), short(m) >chart
			printf "<text x=\"%.1f\" y=\"%d\" font-size=\"8\">%s</text>\n", 383 + x, y + 7, short(m) >chart
		}
	x = 380 + log(1 / lowest) / log(highest / lowest) * 520
	printf "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"36\" y2=\"%d\" stroke=\"black\" stroke-dasharray=\"2 2\"/>\n</svg>\n", x, x, height >chart
}

END {
	for (r = 1; r <= rows; r++) {
		printf "%-52s", row[r]
		for (i = 1; i <= columns; i++) {
			k = row[r] SUBSEP column[i]
			printf "%26s", cell(k, i == 1)
			if (json && k in all)
				write_json(r, i, k)
		}
		print ""
	}
	if (chart)
		draw()
}
