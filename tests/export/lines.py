#!/usr/bin/python3
"""Compares the events that the log tells with those of the csv and json exports, field by field.

usage: lines.py LOG CSV JSON - prints the names of fds, as JSON strings, one a line."""
import csv
import itertools
import json
import re
import sys

# key=value, the value perhaps in quotes, as logfmt has it.
PAIR = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^" ]*)(?: |$)')


def unescape(text):
    return re.sub(r'\\(n|x[0-9a-f]{2}|.)', lambda m: "\n" if m[1] == "n" else chr(int(m[1][1:], 16)) if m[1][0] == "x" else m[1], text)


def log_row(line):
    row, end = {}, 0
    for m in PAIR.finditer(line):
        if m.start() != end:
            sys.exit(f"not key=value: {line}")
        end = m.end()
        value = m[2]
        row[m[1]] = unescape(value[1:-1]) if value.startswith('"') else None if value == "-" else value
    return row


def same(number, text):
    """A number in JSON, and the text that it was elsewhere."""
    return number is text is None or str(number) == text or isinstance(number, float) and f"{number:.9f}" == text


names = set()
with open(sys.argv[1], encoding="utf-8", newline="\n") as log, open(sys.argv[2], encoding="utf-8", newline="") as table, \
        open(sys.argv[3], encoding="utf-8", newline="\n") as objects:
    rows = csv.DictReader(table, strict=True)
    for line, row, text in itertools.zip_longest(log, rows, objects):
        if line is None or row is None or text is None:
            sys.exit("not as many events")
        told, event = log_row(line.rstrip("\n")), json.loads(text)
        if None in row or set(row) != set(event) or list(event) != rows.fieldnames:
            sys.exit(f"fields: {row} {event}")
        row = {k: v if v != "" else None for k, v in row.items()}
        for key, value in event.items():
            got = unescape(row[key]) if key == "name" and row[key] else row[key]
            if not same(value, told.get(key)) or not same(value, got):
                sys.exit(f"{key}: log {told.get(key)!r}, csv {got!r}, json {value!r}")
        for key in ("t", "pid", "tid", "op", "fd", "ret", "dur", "status", "signal"):
            if not isinstance(event.get(key), (int, float, type(None))):
                sys.exit(f"{key} is no number: {text}")
        if not set(told) <= set(event):
            sys.exit(f"the log says more: {line}")
        names.add(event["name"])
for name in sorted(n for n in names if n is not None):
    print(json.dumps(name))
