# manual.awk - eagain(1), from the tables and a template in which a line @NAME@ stands for what is made of them.
# usage: awk -v version=V -f manual.awk verbs.def settings.def formats.def eagain.1.in

# The strings of a row, neighbours joined as C joins them; returns their number.
function strings(row, out,    part, n, i, count) {
	n = split(row, part, "\"")
	count = 0
	for (i = 2; i <= n; i += 2) {
		if (i > 2 && part[i - 1] ~ /^[ \t]*$/)
			out[count] = out[count] part[i]
		else
			out[++count] = part[i]
	}
	return count
}

# Plain text for troff: hyphens that can be copied, no request by accident.
function plain(text) {
	gsub(/\\n/, " ", text)
	gsub(/-/, "\\-", text)
	return text ~ /^[.']/ ? "\\&" text : text
}

# The words that stand for something else in italics, all others in bold.
function usage(text) {
	text = plain(text)
	gsub(/OPTIONS|CMD|DIR|FORMAT/, "\\fI&\\fR", text)
	gsub(/\\-\\-/, "\\fB&\\fR", text)
	return text
}

function full_name(verb) { return verb == "CMD" ? "eagain" : "eagain " verb }

function add_verb(row,    s) {
	strings(row, s)
	verb[++verbs] = s[1]
	synopsis[verbs] = "\\fB" full_name(s[1]) "\\fR " usage(s[2])
	summary[verbs] = plain(s[3])
	text[verbs] = plain(s[4])
}

function add_setting(row,    s, divider) {
	strings(row, s)
	divider = s[3] == "" ? "" : s[2] ~ /^--/ ? "=" : " "
	option[++settings] = "\\fB" plain(s[2]) "\\fR" divider "\\fI" plain(s[3]) "\\fR"
	name[settings] = s[2]
	environment[settings] = s[1]
	value[settings] = row ~ /, SWITCH,/ ? 1 - s[4] : s[3]
	fallback[settings] = row ~ /, SWITCH,/ ? "" : s[4]
	for_verbs[settings] = s[5]
	help[settings] = plain(s[6])
}

function add_format(row,    s) {
	strings(row, s)
	format[++formats] = substr(row, 8, index(row, ",") - 8)
	format_text[formats] = plain(s[1])
}

function commands(    i) {
	for (i = 1; i <= verbs; i++)
		printf ".TP\n%s\n%s.\n.br\n%s\n", synopsis[i], summary[i], text[i]
}

function options(    i, group) {
	for (i = 1; i <= settings; i++) {
		if (i == 1 || for_verbs[i] != group)
			printf ".SS %s\n", (for_verbs[i] == "" ? "Of every command" : "Of eagain " for_verbs[i])
		group = for_verbs[i]
		printf ".TP\n%s\n%s", option[i], help[i]
		if (fallback[i] != "")
			printf " (default: %s)", plain(fallback[i])
		printf ".\n"
		if (environment[i] != "")
			printf "Environment: \\fB%s\\fR.\n", environment[i]
	}
}

function variables(    i) {
	for (i = 1; i <= settings; i++)
		if (environment[i] != "")
			printf ".TP\n\\fB%s\\fR=\\fI%s\\fR\nas \\fB%s\\fR.\n", environment[i], plain(value[i]), plain(name[i])
}

function all_formats(    i) {
	for (i = 1; i <= formats; i++)
		printf ".TP\n\\fB%s\\fR\n%s.\n", format[i], format_text[i]
}

function synopses(    i) {
	for (i = 1; i <= verbs; i++)
		printf "%s%s\n", (i > 1 ? ".br\n" : ""), synopsis[i]
}

FILENAME ~ /\.def$/ {
	if (/^(VERB|SETTING|FORMAT)\(/ || row != "")
		row = row $0
	if (row != "" && /"\)$/) {
		if (row ~ /^VERB/)
			add_verb(row)
		else if (row ~ /^FORMAT/)
			add_format(row)
		else
			add_setting(row)
		row = ""
	}
	next
}
$0 == "@SYNOPSIS@" { synopses(); next }
$0 == "@COMMANDS@" { commands(); next }
$0 == "@OPTIONS@" { options(); next }
$0 == "@FORMATS@" { all_formats(); next }
$0 == "@ENVIRONMENT@" { variables(); next }
{ gsub(/@VERSION@/, version); print }
