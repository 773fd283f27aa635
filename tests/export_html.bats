# The page (eagain export html) and the picture (eagain export svg): what is in them; and the page in a browser.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export PYTHONPATH=$TOP/tests PYTHONDONTWRITEBYTECODE=1
	command -v python3 >/dev/null || skip "python3 is not installed"
}

need_browser() {
	command -v chromium >/dev/null || skip "chromium is not installed"
}

# A pipeline that waits to read, to write, and for children.
record_pipeline() {
	"$EAGAIN" record -o trace bash -c '(sleep 0.2; echo one; sleep 0.2; seq 50000) | cat | (read -r x; sleep 0.1; exec tail -n 1)' >out
}

# An event loop, a thread, and a callback that is slow twice: it computes, and it waits to read what another thread writes, once it is asked.
record_loop() {
	"$EAGAIN" record -o trace "$(python3 -c 'import sys; print(sys.executable)')" -c '
import os, select, threading, time
reader, writer = os.pipe()
slow, answer = os.pipe()
asked, question = os.pipe()
def feed():
    for i in range(10):
        time.sleep(0.005)
        os.write(writer, b"x")
        if i == 6:
            os.read(asked, 1)
            time.sleep(0.1)
            os.write(answer, b"y")
thread = threading.Thread(target=feed)
thread.start()
poll = select.epoll()
poll.register(reader, select.EPOLLIN)
for i in range(10):
    poll.poll()
    os.read(reader, 1)
    if i == 3:
        end = time.monotonic() + 0.05
        while time.monotonic() < end:
            pass
    if i == 6:
        os.write(question, b"?")
        os.read(slow, 1)
thread.join()
'
}

@test "html: well-formed, alone, and its policy allows its own scripts and style" {
	record_pipeline
	"$EAGAIN" export html -o page.html trace
	python3 - <<-'PYTHON'
		import page
		parts = page.read("page.html")["parts"]
		for tag, attributes in parts.tags:
		    assert not {"src", "href", "style", "srcset", "action", "data"} & attributes.keys(), (tag, attributes)
		    assert not [a for a in attributes if a.startswith("on")], (tag, attributes)
		policy = dict(part.strip().split(" ", 1) for part in parts.policy.split(";"))
		assert policy.pop("default-src") == "'none'" and policy.pop("base-uri") == "'none'" and policy.pop("form-action") == "'none'"
		scripts, styles = parts.content["script", None], parts.content["style", None]
		assert policy.pop("script-src").split() == ["'%s'" % page.digest(s) for s in scripts] and len(scripts) == 5
		assert policy.pop("style-src").split() == ["'%s'" % page.digest(s) for s in styles] and len(styles) == 1
		assert not policy, policy
		for text in scripts + styles:
		    assert not any(word in text for word in ("eval(", "innerHTML", "outerHTML", "document.write", "insertAdjacentHTML", "http:", "https:", "url("))
	PYTHON
}

# A loop that waits for a mutex which another thread holds.
record_lock() {
	"$EAGAIN" record -o trace "$PROGRAMS/stalls" epoll mutex >said
}

@test "svg: a wait for a lock names the lock, and who held it" {
	record_lock
	"$EAGAIN" export svg -o picture.svg trace
	grep -q '<title>waited [0-9.]* m\?s for a lock: pthread_mutex_lock(), 0x[0-9a-f]*, held by tid '"$(sed -n 's/holder //p' said)"'</title>' picture.svg
	grep -q '>waits for a lock</text>' picture.svg
}

@test "html: the numbers are the report's, and each operation's are the log's" {
	for trace in record_pipeline record_loop record_lock; do
		rm -rf trace
		$trace
		"$EAGAIN" export html -o page.html trace
		"$EAGAIN" report --json trace >report.json
		"$EAGAIN" log trace >log
		python3 - <<-'PYTHON'
			import json, page, re
			t, report = page.read("page.html"), json.load(open("report.json"))
			assert t["wall"] == report["wall_ns"] and t["events"] == report["events"] and t["short"] == t["shortest"] == 0
			assert [p["pid"] for p in t["processes"]] == [p["pid"] for p in report["processes"]]
			for p, r in zip(t["processes"], report["processes"]):
			    assert p["command"] == r["command"] and p["start"] == r["start_ns"] and p["end"] - p["start"] == r["wall_ns"]
			    keys = ["sleep_ns" if d == "sleep" else "wait_%s_ns" % d for d in page.DIRECTIONS[1:t["directions"]]]
			    assert p["waits"] == [0] + [sum(thread[key] for thread in r["threads"]) for key in keys]
			fds = [f for p in report["processes"] for f in p["fds"] if f["calls"]]
			assert len(fds) == len(t["fds"])
			for f, r in zip(t["fds"], fds):
			    assert (f["fd"], f["name"], f["calls"], f["would_block"], f["longest"]) == (r["fd"], r["name"], r["calls"], r["would_block"], r["longest_wait_ns"])
			    assert (f["read"], f["written"]) == (r["bytes_read"], r["bytes_written"])
			    assert f["waits"] == [r["wait_read_ns"], r["wait_write_ns"], r["wait_poll_ns"]]
			    assert (t["processes"][f["peer"] - 1]["pid"] if f["peer"] else None) == (r["peer"] and int(re.search(r"\(pid (\d+)\)$", r["peer"])[1]))
			operations = [o for lane in t["lanes"] for o in lane["operations"]]
			assert len(operations) == t["all"] == t["kept"]
			for lane in t["lanes"]:
			    for d, direction in enumerate(page.DIRECTIONS):
			        waited = sum(o["waited"] for o in lane["operations"] if direction and o["direction"] == direction)
			        # Each is rounded by itself.
			        assert abs(waited - lane["waits"][d]) <= len(lane["operations"]), (lane["tid"], direction)
			ns = lambda text: round(float(text) * 1e9)
			events = [dict(re.findall(r"(\w+)=(\S+)", line)) for line in open("log")]
			moments = {}
			for e in events:
			    if e.get("op", "-") != "-":
			        moments.setdefault(int(e["op"]), []).append((e["ev"], ns(e["t"])))
			assert moments.keys() == {o["number"] for o in operations if "number" in o} and (moments or any(o["direction"] == "lock" for o in operations))
			for o in operations:
			    if "number" in o and not o["more"]:
			        at, steps = o["start"], [("enter", o["start"])]
			        for kind, after in o["steps"]:
			            at += after
			            steps.append(({2: "EWOULDBLOCK", 3: "park", 4: "ready", 5: "return"}[kind], at))
			        if len(steps) == 4:                     # the plain call: ready as it returns
			            steps.insert(3, ("ready", steps[3][1]))
			        assert [s[0] for s in steps] == [m[0] for m in moments[o["number"]]], (steps, moments[o["number"]])
			        assert all(abs(s[1] - m[1]) <= 2 for s, m in zip(steps, moments[o["number"]])), (steps, moments[o["number"]])
			calls = sorted((ns(e["t"]), e["call"]) for e in events if e["ev"] in ("call", "EWOULDBLOCK", "lock") and e["op"] == "-")
			assert calls == sorted((o["start"], o["call"]) for o in operations if "number" not in o)
			told = sorted((ns(e["t"]), int(e["addr"], 16), int(e.get("held_by", -1)), ns(e["dur"])) for e in events if e["ev"] == "lock")
			kept = sorted((o["start"], o["address"], o["result"], o["waited"]) for o in operations if o["direction"] == "lock")
			assert [lock[:3] for lock in told] == [lock[:3] for lock in kept] and all(abs(a[3] - b[3]) <= 2 for a, b in zip(told, kept)), (told, kept)
		PYTHON
	done
}

@test "html: a stall is a stretch in which a thread that polls does not, with what it did" {
	record_loop
	"$EAGAIN" export html -o page.html trace
	python3 - <<-'PYTHON'
		import page
		t = page.read("page.html")
		assert t["stalls_all"] == len(t["stalls"]) and len({s["lane"] for s in t["stalls"]}) == 1, t["stalls"]
		read = [s for s in t["stalls"] if s["call"] == "read" and s["waits"][1] > s["took"] / 2]
		computed = [s for s in t["stalls"] if sum(s["waits"]) < s["took"] / 2]
		assert len(read) == 1 and computed, t["stalls"]
		assert t["kinds"][t["fds"][read[0]["fd"] - 1]["kind"]] == "pipe"
		polls = [o for o in t["lanes"][read[0]["lane"]]["operations"] if o["call"] == "epoll_wait"]
		assert all(sum(abs(o["start"] - s["start"] - s["took"]) <= 2 for o in polls) == 1 for s in read + computed)
		assert all(len(o["ready"]) == 1 and t["kinds"][t["fds"][o["ready"][0][0] - 1]["kind"]] == "pipe" for o in polls)
	PYTHON
}

# With a name that means something to a page and a picture.
record_ready() {
	mkdir '<'
	record_late '</title><b>&'
}

@test "html: what was ready and not taken is what the report says of it" {
	record_ready
	"$EAGAIN" export html -o page.html trace
	"$EAGAIN" report --json trace >report.json
	python3 - <<-'PYTHON'
		import json, page
		t = page.read("page.html")
		(row,) = [r for p in json.load(open("report.json"))["processes"] for r in p["readiness"] if r["kind"] == "fifo"]
		late, unserved = [r for r in t["readiness"] if r["flags"] & 4], [r for r in t["readiness"] if not r["flags"] & 4]
		assert t["ready_all"] == len(t["readiness"]) == 3 and len(late) == 2 and len(unserved) == 1, t["readiness"]
		assert all(abs(r["took"] - w["ns"]) <= 2 for r, w in zip(late, row["worst"])) and abs(unserved[0]["took"] - row["unserved_ns"]) <= 2, (late, unserved, row)
		for r in t["readiness"]:
		    fd, lane = t["fds"][r["fd"] - 1], t["lanes"][r["lane"]]
		    assert fd["name"] == row["name"] and fd["fd"] == row["fd"] and t["processes"][fd["process"]]["pid"] == lane["tid"]
		reads = [o for o in t["lanes"][late[0]["lane"]]["operations"] if o["call"] == "read" and o["fd"] == late[0]["fd"]]
		assert len(reads) == 2
		for o, r in zip(reads, sorted(late, key=lambda r: r["start"])):
		    assert o["start"] <= r["start"] + r["took"] <= o["start"] + o["took"]
	PYTHON
	# Where nobody looked, nothing is known; and that is not none.
	rm -r trace
	"$EAGAIN" record -o trace true
	"$EAGAIN" export html -o page.html trace
	python3 -c 'import page; t = page.read("page.html"); assert t["ready_all"] == -1 and t["readiness"] == []'
}

@test "svg: what was ready and not taken is drawn below the lane, and says so" {
	record_ready
	"$EAGAIN" export svg -o picture.svg trace
	python3 - <<-'PYTHON'
		import xml.etree.ElementTree as xml
		svg = "{http://www.w3.org/2000/svg}"
		root = xml.parse("picture.svg").getroot()
		lane = root.findall(svg + "g")[0]
		bar = next(r for r in lane.findall(svg + "rect") if r.get("class") == "runs")
		ready = [r for r in lane.findall(svg + "rect") if r.get("class") == "ready"]
		sleeps = [r for r in lane.findall(svg + "rect") if r.findtext(svg + "title", "").startswith("slept ")]
		titles = [r.findtext(svg + "title") for r in ready]
		assert len(ready) == 3 and all("</title><b>&: ready to read for " in t for t in titles), titles
		assert [t.rpartition(" s, ")[2].rpartition(" ms, ")[2] for t in titles] == 2 * ["until it was taken"] + ["and not taken before the end"], titles
		x, end = lambda r: float(r.get("x")), lambda r: float(r.get("x")) + float(r.get("width"))
		assert all(float(r.get("y")) >= float(bar.get("y")) + float(bar.get("height")) - 0.01 for r in ready)
		assert all(end(a) <= x(b) + 1 for a, b in zip(ready, ready[1:])) and end(ready[2]) <= end(bar) + 1
		# First it computed, and then it slept until it took it.
		assert not [s for s in sleeps if x(s) < end(ready[0]) - 1 and end(s) > x(ready[0]) + 1] and [s for s in sleeps if x(ready[1]) <= x(s) and end(s) <= end(ready[1]) + 1]
		assert "something is ready, and not taken" in [t.text for t in root.findall(svg + "text")]
	PYTHON
	"$EAGAIN" record -o without true
	run -1 grep 'is ready' <("$EAGAIN" export svg without)
}

@test "html: what is too much for a page is added up, and nothing is lost in the sum" {
	"$EAGAIN" record -o trace dd if=/dev/zero of=/dev/null bs=1 count=700000 status=none
	"$EAGAIN" export html -o page.html trace
	[ "$(stat -c %s page.html)" -lt 20000000 ]
	python3 - <<-'PYTHON'
		import page
		t = page.read("page.html")
		(lane,) = t["lanes"]
		assert t["all"] > 1400000 and t["short"] > 0 and t["shortest"] > 0
		assert len(lane["operations"]) > 400000 and len(lane["operations"]) + t["short"] == t["all"]
		assert sum(b["count"] for b in lane["bins"]) == t["short"]
		assert all(o["took"] >= t["shortest"] for o in lane["operations"])
		assert all(sum(b["ns"]) < b["count"] * t["shortest"] for b in lane["bins"])
		assert sum(f["calls"] for f in t["fds"]) <= t["all"]
	PYTHON
}

# Names of files and arguments that mean something to a page, a picture, a terminal, or a reader.
record_hostile() {
	name=$'<img src=x onerror=document.title=\'pwned\'>"\'&\e[31m\x9b\xff\xe2\x80\xaegnp.exe\xe2\x81\xa6\xef\xbf\xbf'
	argument='</script><script>document.title="pwned"</script><!--'
	mkdir '<'
	echo one >"$name"
	echo two >'</title><script>document.title=String(7)<'
	"$EAGAIN" record -o trace bash -c 'cat "$@" | (sleep 0.1; cat >/dev/null); true' "$argument" "$name" '</title><script>document.title=String(7)<' \
		"$argument" 2>/dev/null
}

@test "html: no name is part of the page's text" {
	record_hostile
	"$EAGAIN" export html -o page.html trace
	run -1 grep -aE 'pwned|onerror|String\(7\)' page.html
	python3 - <<-'PYTHON'
		import page
		t = page.read("page.html")
		names = [f["name"] for f in t["fds"]] + [p["command"] for p in t["processes"]]
		assert any("onerror=document.title='pwned'>" in n for n in names) and any("</script><script>" in n for n in names), names
	PYTHON
}

@test "svg: XML without anything active, in which names are text" {
	record_hostile
	"$EAGAIN" export svg -o picture.svg trace
	python3 - <<-'PYTHON'
		import re, xml.etree.ElementTree as xml
		text = open("picture.svg", encoding="utf-8").read()
		root = xml.parse("picture.svg").getroot()
		svg = "{http://www.w3.org/2000/svg}"
		assert {e.tag for e in root.iter()} <= {svg + name for name in ("svg", "title", "style", "rect", "text", "g", "path")}
		assert not [a for e in root.iter() for a in e.attrib if a.startswith("on") or "href" in a]
		titles = [e.text for e in root.iter(svg + "title")]
		assert any("</script><script>" in t for t in titles) and any("onerror=document.title='pwned'>\"'&" in t for t in titles), titles
		assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]", text)
	PYTHON
}

@test "svg: lanes as in the timeline, what each waited for in its colour and its title" {
	record_pipeline
	"$EAGAIN" export svg -o picture.svg trace
	"$EAGAIN" timeline trace >timeline
	python3 - <<-'PYTHON'
		import re, xml.etree.ElementTree as xml
		root = xml.parse("picture.svg").getroot()
		svg = "{http://www.w3.org/2000/svg}"
		assert root.get("width") == "1200" and "bash -c " in root.find(svg + "title").text and root.find(svg + "title").text.endswith(" s in all")
		lanes = root.findall(svg + "g")
		pids = [re.search(r"pid (\d+)", l.find(svg + "title").text)[1] for l in lanes]
		assert pids == re.findall(r"^\S.*\(pid (\d+)\)", open("timeline").read(), re.M) and len(pids) >= 6
		titles = {l: [t.text for t in l.iter(svg + "title")] for l in lanes}
		(cat,) = (l for l in lanes if titles[l][0].startswith("cat (pid "))
		waits = [t for t in titles[cat][1:] if re.match(r"waited .* s to read from (sleep|seq|bash).*: read\(\) on fd 0, pipe:\[\d+\]$", t)]
		assert waits and " to read" in titles[cat][0], titles[cat]
		rects = [r for r in cat.findall(svg + "rect") if r.find(svg + "title") is not None and r.find(svg + "title").text.startswith("waited ")]
		chart = 1200 - 280 - 20
		assert sum(float(r.get("width")) for r in rects if r.get("class") == "c1") > chart / 3
		assert all(280 <= float(r.get("x")) and float(r.get("x")) + float(r.get("width")) <= 1180.1 for r in rects)
		(tail,) = (l for l in lanes if titles[l][0].startswith("tail -n 1 (pid "))
		assert any(t.startswith("exec: ") for t in titles[tail])
		assert any(t.startswith("slept ") for l in lanes for t in titles[l])
	PYTHON
}

@test "svg: drawn by librsvg" {
	need_program rsvg-convert
	record_pipeline
	"$EAGAIN" export svg -o picture.svg trace
	rsvg-convert -o picture.png picture.svg
	python3 - <<-'PYTHON'
		import re, struct, zlib
		png = open("picture.png", "rb").read()
		width, height, depth, color = struct.unpack(">IIBB", png[16:26])
		svg = open("picture.svg").read()
		assert (width, height) == (1200, int(re.search(r'height="(\d+)"', svg)[1])) and depth == 8 and color in (2, 6)
		size, at, data = {2: 3, 6: 4}[color], 8, b""
		while at < len(png):
		    (length,) = struct.unpack(">I", png[at:at + 4])
		    if png[at + 4:at + 8] == b"IDAT":
		        data += png[at + 8:at + 8 + length]
		    at += length + 12
		data, stride, before, colors = zlib.decompress(data), width * size, bytearray(width * size), set()
		for y in range(height):
		    kind, line = data[y * (stride + 1)], bytearray(data[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
		    for x in range(stride):
		        a, b, c = (line[x - size] if x >= size else 0), before[x], (before[x - size] if x >= size else 0)
		        p = a + b - c
		        paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
		        line[x] = (line[x] + (0, a, b, (a + b) // 2, paeth)[kind]) & 255
		    colors |= {bytes(line[x:x + 3]) for x in range(0, stride, size)}
		    before = line
		for wanted in ("2f6fd0", "8db8b3", "b3bac2", "ffffff"):
		    assert bytes.fromhex(wanted) in colors, wanted
	PYTHON
}

@test "svg: many threads and many waits give a small picture" {
	"$EAGAIN" record -o trace bash -c 'for i in $(seq 120); do (read -r x) </dev/null; done; seq 100000 | cat | while read -r x; do :; done'
	"$EAGAIN" export svg -o picture.svg trace
	[ "$(stat -c %s picture.svg)" -lt 300000 ]
	grep -q '; [0-9]* more threads waited less, not shown' picture.svg
	[ "$(grep -c '^<g>' picture.svg)" = 60 ]
}

@test "nothing recorded, killed while waiting: both" {
	"$EAGAIN" record -o trace true
	rm trace/[0-9]*
	"$EAGAIN" export html -o page.html trace
	"$EAGAIN" export svg -o picture.svg trace
	python3 -c 'import page, xml.etree.ElementTree as xml; assert page.read("page.html")["lanes"] == []; xml.parse("picture.svg")'
	rm -r trace
	mkfifo fifo
	exec 5<>fifo
	"$EAGAIN" record -o trace cat <&5 5>&- &
	pid=$!
	until "$EAGAIN" log trace 2>/dev/null | grep -q 'ev=park .*call=read'; do
		kill -0 $pid
	done
	kill -9 $pid
	ends_with 137 $pid
	"$EAGAIN" export html -o page.html trace
	"$EAGAIN" export svg -o picture.svg trace
	python3 - <<-'PYTHON'
		import page, xml.etree.ElementTree as xml
		(lane,) = page.read("page.html")["lanes"]
		assert lane["unknown"] == 1 and "result" not in [o for o in lane["operations"] if "number" in o][0]
		xml.parse("picture.svg")
	PYTHON
	rm -r trace
	"$EAGAIN" record -o trace sleep 100 &
	pid=$!
	until "$EAGAIN" log trace 2>/dev/null | grep -q 'ev=enter .*call=.*nanosleep'; do
		kill -0 $pid
	done
	kill -9 $pid
	ends_with 137 $pid
	"$EAGAIN" export html -o page.html trace
	python3 -c 'import page
(lane,) = page.read("page.html")["lanes"]
assert lane["unknown"] == 1 and ["nanosleep" in o["call"] for o in lane["operations"] if "result" not in o] == [True]'
}

@test "damaged traces never crash it, nor make a page or a picture that is none" {
	"$EAGAIN" record -o good bash -c '(echo one; sleep 0.01; echo two) | cat | (read -r x; exec cat)' >/dev/null
	RANDOM=5
	for round in $(seq 40); do
		damage good bad
		for format in html svg; do
			status=0
			timeout 20 "$EAGAIN" export $format -o "out.$round.$format" bad 2>err || status=$?
			[ "$status" -le 1 ] || { echo "round $round $format: status $status"; cat err; false; }
			[ "$status" = 0 ] || rm -f "out.$round.$format"
		done
	done
	python3 -c 'import glob, page, xml.etree.ElementTree as xml
assert len([page.read(f) for f in glob.glob("out.*.html")] + [xml.parse(f) for f in glob.glob("out.*.svg")]) > 20'
}

# In a browser.

@test "browser: zoom, move, hover, keep; nothing is complained of or asked for" {
	need_browser
	record_pipeline
	"$EAGAIN" export html -o page.html trace
	python3 - <<-'PYTHON'
		import page, re
		from browser import Browser
		t = page.read("page.html")
		cat = next(p for p in t["processes"] if p["command"] == "cat")
		lane = next(l for l in t["lanes"] if l["tid"] == cat["pid"])
		first = next(o for o in lane["operations"] if "number" in o)
		with Browser() as b:
		    b.open("page.html")
		    assert b.evaluate("document.title").startswith("eagain: bash -c ")
		    labels = b.texts(".label")
		    row = labels.index("catpid %d" % cat["pid"])
		    left, top, width, height = b.box("#lanes-canvas")
		    y = top + row * 24 + 12
		    # The first wait of cat: its whole way, in words.
		    x = left + width * (first["start"] + first["took"] / 2) / t["wall"]
		    b.move(x, y)
		    tip = b.text("#tip")
		    assert re.match(r"waited [\d.]+ m?s to read from .*; returned \d+ after ", tip), tip
		    assert re.search(r"\n+read\(\) on fd 0, pipe:\[\d+\]\n+by cat \(pid %d\), op \d+\n" % cat["pid"], tip), tip
		    rows = b.texts("#tip tr")
		    assert [r[:2] for r in rows] == ["t0", "t1", "t2", "t3"], rows
		    for text, words in zip(rows, ("read() called: 131,072 bytes", "no data: EWOULDBLOCK", "parked in the plain read()", "ready, and read() returns ")):
		        assert words in text, rows
		    assert re.search(r"\d+\.\d{9}[\d.]+ m?s", rows[3]), rows
		    # It stays under the mouse.
		    assert b.text("#range").startswith("shown: ")
		    whole = b.text("#range")
		    b.wheel(x, y, -600)
		    near = b.text("#range")
		    assert near != whole and b.text("#tip").split("\n")[0] == tip.split("\n")[0]
		    # Move by dragging, by keys; back to the whole.
		    axis = b.evaluate("document.querySelector('#axis-canvas').toDataURL()")
		    b.drag(x, y, x + 200, y)
		    b.move(x, top + 24 * 20)
		    moved = b.evaluate("document.querySelector('#axis-canvas').toDataURL()")
		    assert moved != axis and b.text("#range") == near
		    b.key("ArrowRight")
		    assert b.evaluate("document.querySelector('#axis-canvas').toDataURL()") != moved
		    b.key("+")
		    assert b.text("#range") != near
		    b.key("0")
		    assert b.text("#range") == whole
		    # A stretch of the overview.
		    x0, y0, w, h = b.box("#overview-canvas")
		    b.drag(x0 + 100, y0 + 30, x0 + 200, y0 + 30)
		    assert b.text("#range") not in (whole, near)
		    b.press("#all")
		    # A click keeps it; n goes on to the next wait of the lane.
		    b.click(x, y)
		    kept = b.text("#table")
		    assert kept == tip
		    b.key("n")
		    assert b.text("#table").startswith("waited ") and b.text("#table") != kept
		    b.key("p")
		    assert b.text("#table") == kept
		    b.key("Escape")
		    assert b.text("#table").startswith("Click ")
		    assert not b.complaints, b.complaints
		    assert len(b.requests) == 1 and b.requests[0].startswith("file:"), b.requests
	PYTHON
}

@test "browser: lanes of fds, the tables sorted and filtered, dark" {
	need_browser
	record_loop
	"$EAGAIN" export html -o page.html trace
	python3 - <<-'PYTHON'
		import re
		from browser import Browser
		with Browser(dark=True) as b:
		    b.open("page.html")
		    ns = lambda text: float(text.split()[0]) * {"": 0, "ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[" ".join(text.split()[1:])]
		    column = lambda n: b.texts("#table tbody tr td:nth-child(%d)" % n)
		    assert b.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 19, 23)"
		    # By what was waited for longest; then by calls, both ways.
		    waits = [ns(t) for t in column(1)]
		    assert waits == sorted(waits, reverse=True) and waits[0] > 0
		    all_rows = len(waits)
		    for descending in (True, False):
		        b.press("#table thead th:nth-child(3) button")
		        calls = [int(t.replace(",", "")) for t in column(3)]
		        assert calls == sorted(calls, reverse=descending) and len(calls) == all_rows
		        assert b.evaluate("document.querySelector('#table th:nth-child(3)').getAttribute('aria-sort')") == ("descending" if descending else "ascending")
		    # The longest wait of an fd is a click away.
		    b.press("#table thead th:nth-child(1) button")
		    b.press("#table tbody tr:first-child td button")
		    assert re.match(r"waited [\d.]+ m?s ", b.text("#table")), b.text("#table")
		    b.key("Escape")
		    b.key("0")
		    # Only what has it in its name.
		    b.press("#tab-fds")
		    b.press("#filter")
		    b.write("pipe:")
		    assert len(column(8)) < all_rows and all("pipe:" in name for name in column(8)), column(8)
		    b.key("Escape")
		    assert len(column(8)) == all_rows
		    b.press("#by-fd")
		    labels = b.texts(".label")
		    assert any(re.match(r"pipe:\[\d+\]fd \d+$", l) for l in labels) and labels[0].startswith("python"), labels
		    # A pipe's lane has the polls that returned it.
		    left, top, width, height = b.box("#lanes-canvas")
		    row = next(i for i, l in enumerate(labels) if l.startswith("pipe:"))
		    tips = set()
		    for step in range(60):
		        b.move(left + width * step / 60, top + row * 24 + 12)
		        tips.add((b.text("#tip") or "").split(";")[0])
		    assert any(re.match(r"waited .* in epoll_wait", t) for t in tips), tips
		    b.press("#by-thread")
		    # The stalls; a click shows one.
		    b.press("#tab-stalls")
		    assert any("longest" in t and "in read() on fd " in t for t in column(5)), column(5)
		    whole = b.text("#range")
		    b.press("#table tbody tr")
		    assert b.text("#range") != whole
		    b.move(left + width / 2, top + 12)
		    assert "away from its polls for " in b.text("#tip"), b.text("#tip")
		    b.press("#tab-processes")
		    assert len(column(1)) == 1
		    assert not b.complaints, b.complaints
	PYTHON
}

@test "browser: a lock, and who held it; one that is still waited for" {
	need_browser
	record_lock
	"$EAGAIN" export html -o page.html trace
	mv trace before
	"$EAGAIN" record -o trace "$PROGRAMS/stalls" epoll deadlock >said &
	pid=$!
	until "$EAGAIN" log trace 2>/dev/null | grep -q 'ev=lock call=pthread_join'; do kill -0 $pid; done
	kill -9 $pid
	ends_with 137 $pid
	"$EAGAIN" export html -o deadlock.html trace
	python3 - <<-'PYTHON'
		import page
		from browser import Browser
		for path, words in (("page.html", "pthread_mutex_lock"), ("deadlock.html", "pthread_rwlock_rdlock")):
		    (lock,) = [o for o in page.read(path)["lanes"][0]["operations"] if o["call"] == words]
		    # Where the machine is slow, the trace ends as it begins.
		    if not lock["waited"]:
		        continue
		    with Browser() as b:
		        b.open(path)
		        # From wait to wait in the first lane.
		        for _ in range(50):
		            b.key("n")
		            kept = b.text("#table")
		            if words in kept:
		                break
		        assert " for a lock" in kept and "%s(), 0x%x, held by stalls (pid " % (words, lock["address"]) in kept, kept
		        assert ("had not returned after" in kept) == (path == "deadlock.html"), kept
		        assert not b.complaints, b.complaints
	PYTHON
}

@test "browser: what was ready and not taken" {
	need_browser
	record_ready
	"$EAGAIN" export html -o page.html trace
	python3 - <<-'PYTHON'
		import page
		from browser import Browser
		t = page.read("page.html")
		late = next(r for r in t["readiness"] if r["flags"] & 4)
		with Browser() as b:
		    b.open("page.html")
		    assert "ready" in b.texts("#legend li")
		    left, top, width, _ = b.box("#lanes-canvas")
		    at = lambda ns: left + ns / t["wall"] * width
		    # In the middle of the sleep before it was taken: below the lane in its colour, and said.
		    b.move(at(late["start"] + late["took"] / 2), top + 24 * late["lane"] + 12)
		    assert "</title><b>&: ready to read for " in b.text("#tip") and ", until it was taken" in b.text("#tip"), b.text("#tip")
		    pixel = b.evaluate("[...document.getElementById('lanes-canvas').getContext('2d').getImageData(%d, %d, 1, 1).data]"
		                       % (at(late["start"] + late["took"] / 2) - left - 4, 24 * late["lane"] + 22))
		    assert pixel[:3] == [0x1a, 0x9e, 0x4b], pixel
		    b.press("#tab-readiness")
		    rows = b.texts("#table tbody tr")
		    assert b.text("#tab-readiness") == "Ready, not taken 3" and len(rows) == 3 and sum("nobody: perl" in r for r in rows) == 1, rows
		    b.press("#table tbody tr")
		    assert not b.text("#range").startswith("shown: " + b.text("#range").split(" of ")[1])
		    b.press("#by-fd")
		    left, top, width, height = b.box("#lanes-canvas")
		    tips = []
		    for y in range(12, int(height), 24):
		        b.move(left + width / 2, top + y)
		        tips.append(b.text("#tip") or "")
		    assert any("</title><b>&: ready to read for " in tip for tip in tips), tips
		    assert not b.complaints and not [r for r in b.requests if not r.startswith("file:")], (b.complaints, b.requests)
	PYTHON
}

@test "browser: 100,000 operations and more, of which most waited" {
	need_browser
	"$EAGAIN" record -o trace "$(python3 -c 'import sys; print(sys.executable)')" -c '
import os
there, back = os.pipe(), os.pipe()
child = os.fork()
for i in range(60000):
    if child:
        os.write(there[1], b"x")
        os.read(back[0], 1)
    else:
        os.read(there[0], 1)
        os.write(back[1], b"y")
if child:
    os.wait()
'
	"$EAGAIN" export html -o page.html trace
	python3 - <<-'PYTHON'
		import re
		from browser import Browser
		with Browser() as b:
		    b.open("page.html")
		    facts = b.text("#facts")
		    assert int(re.search(r"([\d,]+) calls", facts)[1].replace(",", "")) > 240000, facts
		    assert sum(int(t.replace(",", "")) for t in b.texts("#table tbody td:nth-child(4)")) > 60000
		    left, top, width, height = b.box("#lanes-canvas")
		    ranges = [b.text("#range")]
		    for _ in range(12):
		        b.wheel(left + width / 2, top + 12, -400)
		        ranges.append(b.text("#range"))
		    assert len(set(ranges)) == 13, ranges
		    b.key("t")
		    b.key("0")
		    assert b.text("#range") == ranges[0]
		    assert not b.complaints, b.complaints
	PYTHON
}

@test "browser: names do nothing, and are shown as text" {
	need_browser
	record_hostile
	"$EAGAIN" export html -o page.html trace
	python3 - <<-'PYTHON'
		from browser import Browser
		with Browser() as b:
		    b.open("page.html")
		    left, top, width, height = b.box("#lanes-canvas")
		    seen = b.texts("body")
		    for what in (lambda: b.press("#tab-processes"), lambda: b.press("#tab-fds"), lambda: b.key("t"),
		                 *(lambda n=n: b.move(left + width * n / 8, top + 12 + 24 * (n % 4)) for n in range(8)),
		                 lambda: b.press("#table tbody tr:first-child")):
		        what()
		        seen += b.texts("body")
		    seen = "\n".join(seen)
		    assert "<img src=x onerror=document.title='pwned'>\"'&" in seen and "</script><script>document.title=\"pwned\"</script><!--" in seen
		    assert "<U+202E>gnp.exe<U+2066>" in seen and not any(c in seen for c in "\u202e\u2066\x1b\x9b")
		    assert b.evaluate("document.title").startswith("eagain: bash -c cat ")
		    assert b.evaluate("document.querySelectorAll('img, iframe, object, embed, link').length") == 0
		    assert b.evaluate("document.querySelectorAll('script').length") == 5
		    assert not b.complaints and len(b.requests) == 1, (b.complaints, b.requests)
	PYTHON
}
