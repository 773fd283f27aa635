# table.awk - what scripts/bench has noted (ROUND|ROW|COLUMN|VALUE|more, or -|-|COLUMN|TEXT|remark), as a table; with -v json=FILE
# -v chart=FILE also as JSON, and as a picture.  names: the columns, of which the first is what the others are compared with, in the same
# round: times "cost" as much, or as "good".  With times "scale" each is compared with itself, in the first of the rows that begin alike,
# up to a comma.  title: what it is.  turned: the columns are shown as rows.

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
function cell(k,    text) {
	if (!(k in all))
		return "-"
	text = short(median(all[k]))
	if (k in ratio && (times == "scale" || k !~ SUBSEP column[1] "$"))
		text = text " (" short(median(ratio[k])) (rounds > 1 ? ", " short(least(ratio[k])) "-" short(most(ratio[k])) : "") ")"
	return text
}

# What stands in line i and place j, of which 0 is the name.
function text_at(i, j) {
	if (i && j)
		return turned ? cell(row[j] SUBSEP column[i]) : cell(row[i] SUBSEP column[j])
	return turned == (i > 0) ? column[i + j] : row[i + j]
}

# As wide as what stands in it.
function show(lines, places,    i, j, t) {
	for (i = 0; i <= lines; i++)
		for (j = 0; j <= places; j++) {
			t[i, j] = text_at(i, j)
			if (length(t[i, j]) > width[j]) width[j] = length(t[i, j])
		}
	for (i = 0; i <= lines; i++) {
		printf "%-" width[0] "s", t[i, 0]
		for (j = 1; j <= places; j++) printf "%" (width[j] + 2) "s", t[i, j]
		print ""
	}
}

BEGIN {
	FS = "|"
	turned += 0
	columns = split(names, column, " ")
}

$5 == "remark" {
	if (!(($3, $4) in told)) remark[++remarks] = $3 SUBSEP $4
	told[$3, $4]
	next
}

{
	if (!($2 in more)) row[++rows] = $2
	if ($1 > rounds) rounds = $1
	more[$2] = $5
	at[$1, $2, $3] = $4
	all[$2, $3] = all[$2, $3] " " $4
	first = at[$1, $2, column[1]]
	if (times == "scale") {
		group = $1 SUBSEP substr($2, 1, index($2, ",")) SUBSEP $3
		first = base[group]
		if (!(group in base) || first == "") base[group] = $4
	}
	if (first > 0 && $4 > 0)
		ratio[$2, $3] = ratio[$2, $3] " " (times != "good" || $5 ? $4 / first : first / $4)
}

function write_json(r, i, k) {
	printf "{\"title\":\"%s\",\"row\":\"%s\",\"column\":\"%s\",\"median\":%s", title, row[r], column[i], median(all[k]) >>json
	if (k in ratio)
		printf ",\"ratio\":%.4g,\"ratio_least\":%.4g,\"ratio_most\":%.4g", median(ratio[k]), least(ratio[k]), most(ratio[k]) >>json
	print "}" >>json
}

# A bar for each ratio, on a scale of powers of ten, with a line at 1.
function draw(    colors, r, i, k, x, y, m, lowest, highest, height, wide) {
	split("#888888 #1b6ca8 #d1495b #edae49 #66a182 #8d6a9f #3d405b #c08497 #2a9d8f #9c6644 #b5179e #577590 #a3b18a", colors, " ")
	lowest = 0.5; highest = 2
	for (k in ratio) {
		m = median(ratio[k])
		while (m < lowest) lowest /= 2
		while (m > highest) highest *= 2
	}
	wide = columns > 10 ? 20 + columns * 90 : 960
	height = 40 + rows * (columns * 9 + 10)
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"11\">\n", wide, height >chart
	printf "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/><text x=\"8\" y=\"14\">%s</text>\n", escaped(title) >chart
	for (i = 1; i <= columns; i++)
		printf "<text x=\"%d\" y=\"30\" fill=\"%s\">%s</text>\n", 8 + (i - 1) * 90, colors[(i - 1) % 13 + 1], escaped(column[i]) >chart
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
				colors[(i - 1) % 13 + 1], escaped(column[i]), short(m) >chart
			printf "<text x=\"%.1f\" y=\"%d\" font-size=\"8\">%s</text>\n", 383 + x, y + 7, short(m) >chart
		}
	x = 380 + log(1 / lowest) / log(highest / lowest) * 520
	printf "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"36\" y2=\"%d\" stroke=\"black\" stroke-dasharray=\"2 2\"/>\n</svg>\n", x, x, height >chart
}

END {
	if (turned)
		show(columns, rows)
	else
		show(rows, columns)
	for (r = 1; r <= rows; r++)
		for (i = 1; i <= columns; i++)
			if (json && (row[r], column[i]) in all)
				write_json(r, i, row[r] SUBSEP column[i])
	for (r = 1; r <= remarks; r++) {
		split(remark[r], parts, SUBSEP)
		print parts[1] ": " parts[2]
		if (json) {
			gsub(/["\\]/, "\\\\&", parts[2])
			printf "{\"title\":\"%s\",\"column\":\"%s\",\"remark\":\"%s\"}\n", title, parts[1], parts[2] >>json
		}
	}
	if (chart)
		draw()
}
