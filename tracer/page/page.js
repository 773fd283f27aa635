/* page.js - what one can do with the picture, and the tables below it.  All that a trace has named reaches the page as text.  */
"use strict";

function element(tag, name, text) {
	const e = document.createElement(tag);

	if (name)
		e.className = name;
	if (text !== undefined)
		e.textContent = text;
	return e;
}

function byId(id) {
	return document.getElementById(id);
}

/* An operation in full: what it was, and its moments with the time between them.  */
function operationElement(trace, op, isTip, more) {
	const ops = trace.ops, rest = restOf(trace, op), box = element("div", "operation"), lane = trace.lanes[ops.lane[op]];
	const fd = trace.fds[ops.fd[op]], peer = peerWords(trace, fd), how = howWords(trace, op);
	const number = rest.steps ? ", op " + rest.steps.number : "", taken = takenBy(trace, op);
	const stall = trace.stalls.find(s => s.lane === ops.lane[op] && s.start <= ops.start[op] && s.end >= ops.end[op]);

	box.append(element("h2", "", outcomeWords(trace, op)));
	box.append(element("p", "what name", titleWords(trace, op)));
	if (peer && directionOf(trace, op) !== READ && directionOf(trace, op) !== WRITE)
		box.append(element("p", "name", "the other end: " + peer));
	box.append(element("p", "name", "by " + laneWords(trace, lane, ops.start[op]) + number));
	if (how)
		box.append(element("p", "", how));
	if (taken)
		box.append(element("p", "what", "its fd had been ready for " + readyTime(taken) + " before"));
	if (stall)
		box.append(element("p", "", "in a stall: away from its polls for " + duration(stall.end - stall.start)));
	box.append(momentsElement(momentsOf(trace, op, rest), rest.ready, trace, isTip ? 8 : Infinity));
	if (more)
		box.append(element("p", "", "and " + count(more, "shorter one") + " here: zoom in"));
	return box;
}

function momentsElement(moments, ready, trace, most) {
	const table = element("table"), body = table.createTBody();
	const add = (name, when, after, words) => body.insertRow().append(
		element("td", "", name), element("td", "number", when), element("td", "number", after), element("td", "", words));
	const left = ready ? ready.more + Math.max(0, ready.fds.length - most) : 0;
	let before = null;

	for (const [name, at, words] of moments) {
		add(name, at === null ? "" : moment(at), at === null || before === null ? "" : duration(at - before), words);
		before = at;
	}
	for (const {fd, events} of ready ? ready.fds.slice(0, most) : [])
		add("", "", eventWords(events) + ":", fdWords(trace, trace.fds[fd], true));
	if (left)
		add("", "", "", "and " + count(left, "more fd"));
	return table;
}

class Page {
	constructor(trace) {
		const p = new Picture(trace), rowOf = process => p.rowOf(trace.lanes.indexOf(trace.laneOf.get(process.pid)), 0);

		this.trace = trace;
		this.picture = p;
		this.tables = [
			{id: "fds", title: "Fds", rows: trace.fds.length - 1,
				table: fdTable(trace, fd => this.pickFd(trace.fds.indexOf(fd)), fd => this.showLongest(fd))},
			{id: "stalls", title: "Stalls", rows: trace.stallsAll,
				table: stallTable(trace, stall => this.showStretch(stall.start, stall.end, p.rowOf(stall.lane, 0)))},
			{id: "readiness", title: "Ready, not taken", rows: trace.readyAll || 0,
				table: readinessTable(trace, ready => this.showStretch(ready.start, ready.end, p.rowOf(ready.lane, ready.fd)))},
			{id: "requests", title: "Requests", rows: trace.requestsAll,
				table: requestTable(trace, r => this.showStretch(r.start, r.end, p.all.find(row => row.flights === trace.flights[r.row])))},
			{id: "processes", title: "Processes", rows: trace.processes.length,
				table: processTable(trace, process => this.showStretch(process.start, process.end, rowOf(process)))},
			{id: "operation", title: "Operation"},
		];
		this.tab = "fds";
		this.tellFacts();
		this.makeTabs();
		this.listenToMouse();
		this.listenToControls();
		this.listenToKeys();
		this.listenToPage();
		this.layOut();
	}

	/* What stands above the picture.  */
	tellFacts() {
		const t = this.trace, first = t.processes.reduce((a, b) => a && a.start <= b.start ? a : b, null);
		const pids = new Set(t.processes.map(p => p.pid)).size, notes = byId("notes");
		const note = (words, name) => notes.append(element("li", name, words));
		const losses = [
			[t.lost, "event lost", "events lost"], [t.dropped, "oldest overwritten", "oldest overwritten"],
			[t.lostProcesses, "process missing", "processes missing"],
		].filter(([n]) => n > 0);

		byId("command").textContent = first ? first.name : "";
		document.title = first ? "eagain: " + first.name : "eagain";
		byId("command").title = first ? first.command : "";
		byId("facts").textContent = [
			duration(t.wall), count(pids, "process", "processes"), count(t.lanes.length + t.lanesMore, "thread"),
			count(t.all, "call"), new Date(t.realtime).toISOString().slice(0, 19).replace("T", " ") + " UTC",
		].join(" \u00b7 ");
		if (!t.processes.length)
			note("No process recorded anything.");
		if (losses.length)
			note("Not everything was recorded: " + losses.map(loss => count(...loss)).join(", "), "loss");
		if (t.unread)
			note(count(t.unread, "process file") + " could not be read", "loss");
		if (t.vanished)
			note(count(t.vanished, "program was", "programs were") +
				" started that could not be recorded: static, setuid, or without the right to write the trace");
		if (t.short)
			note(count(t.short, "call") + " of less than " + duration(t.shortest) + " are only added up, by thread, in steps of " +
				duration(t.binNs) + "; the " + count(t.ops.count, "longer one is", "longer ones are") +
				" here one by one. The tables count all.");
		if (t.lanesMore)
			note(count(t.lanesMore, "more thread") + " waited less, not shown");
		if (t.fdsMore)
			note(count(t.fdsMore, "more fd") + " waited less and moved less, not shown");
		if (t.stallsAll > t.stalls.length)
			note("Of " + count(t.stallsAll, "stall") + " the " + t.stalls.length + " longest are shown");
		if (t.readyAll > t.readiness.length)
			note("Of " + count(t.readyAll, "time") + " that something was ready, and not taken, the " + t.readiness.length +
				" longest are shown");
		if (t.requestsAll > t.requests.length)
			note("Of " + count(t.requestsAll, "request") + " of POSIX AIO the " + t.requests.length + " longest are shown one by one");
		this.explainColors();
	}

	/* Those of the waits that there are.  */
	explainColors() {
		const has = d => this.trace.lanes.some(lane => lane.waits[d] > 0);

		for (const [name, words, shown] of [
			["read", "to read", has(READ)], ["write", "to write", has(WRITE)], ["lock", "for a lock", has(LOCK)],
			["request", "AIO", this.trace.flights.length > 0 || has(REQUEST)],
			["poll", "in poll", has(POLL)], ["child", "for a child", has(CHILD)], ["signal", "for a signal", has(SIGNAL)], ["sleep", "sleeps", has(SLEEP)],
			["runs", "runs, or unseen", true], ["call", "a call", true],
			["stall", "a stall", this.trace.stalls.length > 0],
			["ready", "ready", this.trace.readiness.length > 0]]) {
			const item = element("li", name);

			item.append(element("i"), words);
			if (shown)
				byId("legend").append(item);
		}
	}

	makeTabs() {
		for (const tab of this.tables) {
			const button = element("button", "", tab.title + (tab.table ? " " + tab.rows.toLocaleString("en") : ""));

			button.type = "button";
			button.id = "tab-" + tab.id;
			button.setAttribute("role", "tab");
			button.addEventListener("click", () => this.openTab(tab.id));
			byId("tabs").append(button);
		}
		this.openTab("fds");
	}

	openTab(id) {
		this.tab = id;
		for (const tab of this.tables)
			byId("tab-" + tab.id).setAttribute("aria-selected", String(tab.id === id));
		byId("table").scrollTop = 0;
		this.fillTable();
	}

	fillTable() {
		const {id, table} = this.tables.find(tab => tab.id === this.tab), p = this.picture, t = this.trace;
		let content;

		if (id === "operation" && p.op >= 0)
			content = operationElement(t, p.op, false, 0);
		else if (id === "operation")
			content = element("p", "", "Click an operation to keep it here.");
		else if (!table.all.length)
			content = element("p", "", this.noneWords(id));
		else
			content = table.element(p.filter, item => p.fd > 0 && t.fds[p.fd] === item, () => this.fillTable());
		byId("table").replaceChildren(content);
	}

	noneWords(id) {
		if (id === "requests")
			return "No request of POSIX AIO was served by eagain, and recorded.";
		if (id === "stalls")
			return "No thread was long away from its polls.";
		if (id === "readiness")
			return this.trace.readyAll === null ? "It was not recorded when what was ready: record with --readiness." :
				"Nothing is known to have been ready that was not taken.";
		return "There are none.";
	}

	/* At most once a frame.  */
	draw() {
		if (this.waiting)
			return;
		this.waiting = true;
		requestAnimationFrame(() => {
			this.waiting = false;
			this.chooseRows();
			this.picture.draw();
			this.placeLabels();
			byId("range").textContent = "shown: " + duration(this.picture.to - this.picture.from) + " of " +
				duration(this.trace.wall);
		});
	}

	/* The rows change with the time that is shown; the one under the mouse stays under it.  */
	chooseRows() {
		const p = this.picture, before = p.rows.length, moved = p.choose(p.cursor ? p.cursor.y : 0), lanes = byId("lanes");

		if (p.rows.length !== before)
			byId("labels").style.height = p.rows.length * ROW + "px";
		if (moved)
			lanes.scrollTop += moved;
		if (this.wanted)
			this.bringIntoView(p.rows.indexOf(this.wanted));
		this.wanted = null;
		p.scroll = lanes.scrollTop;
	}

	bringIntoView(row) {
		const lanes = byId("lanes"), top = row * ROW;

		if (row >= 0 && (top < lanes.scrollTop || top + ROW > lanes.scrollTop + lanes.clientHeight))
			lanes.scrollTop = top - lanes.clientHeight / 3;
	}

	layOut() {
		const rows = this.picture.rows.length, above = byId("overview").offsetHeight + byId("axis").offsetHeight;

		if (!this.isSplit)
			document.querySelector("main").style.flexBasis = above + 14 + Math.max(3, rows) * ROW + "px";
		byId("labels").style.height = rows * ROW + "px";
		byId("none").hidden = this.picture.all.length > 0 || !this.picture.filter;
		this.picture.resize();
		this.draw();
	}

	/* Only those of the rows that can be seen.  */
	placeLabels() {
		const p = this.picture, t = this.trace, labels = [], [first, last] = p.seen();
		const fd = p.hover < 0 ? null : t.fds[t.ops.fd[p.hover]], peer = fd ? fd.peer : -1;

		for (let i = first; i < last; i++) {
			const label = this.label(p.rows[i]);

			label.style.top = i * ROW + "px";
			label.classList.toggle("under", p.cursor !== null && p.rowAt(p.cursor.y) === p.rows[i]);
			label.classList.toggle("peer", peer >= 0 && !p.rows[i].fd && this.isSame(p.rows[i].process, peer));
			labels.push(label);
		}
		byId("labels").replaceChildren(...labels);
	}

	/* Whether they are one process, perhaps before and after an exec.  */
	isSame(a, b) {
		const processes = this.trace.processes;
		let found = a === b;

		for (let p = processes[a]; !found && p.previous >= 0; p = processes[p.previous])
			found = p.previous === b;
		return found;
	}

	label(row) {
		const t = this.trace, process = t.processes[row.process], fd = t.fds[row.fd], label = element("div", "label");
		const lane = row.lane >= 0 ? t.lanes[row.lane] : null, times = lane || process;
		let name = process.name, number = "pid " + process.pid, whole = process.command + "\n" + number;

		if (row.flights) {
			name = "requests in flight";
			number = "";
		}

		if (fd) {
			name = shortName(fd.name);
			number = numberWords(fd);
			whole = fdWords(t, fd) + "\n" + processWords(process);
		} else if (lane && lane.tid !== process.pid) {
			/* Threads that are called like their process have no name of their own. */
			name = row.inner ? (lane.name === t.laneOf.get(process.pid).name ? "" : lane.name) : process.name;
			number = "tid " + lane.tid;
			whole = laneWords(t, lane, Infinity);
		}
		label.classList.toggle("inner", Boolean(row.inner));
		label.classList.toggle("first", Boolean(row.first));
		label.classList.toggle("head", !row.inner);
		label.append(element("b", "", name), element("span", "", number));
		label.title = fd ? whole : whole + "\n" + timesWords(times.waits, times.cpu, times.threads > 1 ? Infinity : times.end - times.start);
		label.addEventListener("click", () => this.pickRow(row));
		return label;
	}

	pickRow(row) {
		if (row.fd)
			this.pickFd(row.fd);
		else
			this.showStretch(row.start, row.end, row);
	}

	/* Its operations alone; again: all.  */
	pickFd(fd) {
		const p = this.picture, {process} = this.trace.fds[fd];

		p.fd = p.fd === fd ? 0 : fd;
		p.arrange();
		if (p.fd)
			this.wanted = p.all.find(row => p.byFd ? row.fd === fd : this.isSame(row.process, process));
		this.fillTable();
		this.layOut();
	}

	showLongest(fd) {
		const t = this.trace, ops = t.ops, number = t.fds.indexOf(fd);
		const isPolled = op => (ops.flags[op] & READY) !== 0 && restOf(t, op).ready.fds.some(r => r.fd === number);
		let best = -1;

		for (let op = 0; op < ops.count; op++)
			if ((best < 0 || ops.waited[op] > ops.waited[best]) && (ops.fd[op] === number || isPolled(op)))
				best = op;
		if (best >= 0)
			this.showOperation(best);
	}

	showOperation(op) {
		const t = this.trace, p = this.picture;

		p.op = op;
		this.showStretch(t.ops.start[op], t.ops.end[op], p.rowOf(t.ops.lane[op], t.ops.fd[op]));
		this.openTab("operation");
	}

	/* With some room beside it.  */
	showStretch(start, end, row) {
		const room = Math.max(50, (end - start) * 0.15);

		this.picture.show(start - room, end + room);
		this.wanted = row;
		this.draw();
	}

	setBy(byFd) {
		this.picture.byFd = byFd;
		byId("by-thread").setAttribute("aria-pressed", String(!byFd));
		byId("by-fd").setAttribute("aria-pressed", String(byFd));
		this.picture.arrange();
		this.leave();
		byId("lanes").scrollTop = 0;
		this.layOut();
	}

	setPresent(present) {
		this.picture.present = present;
		byId("present").setAttribute("aria-pressed", String(present));
		this.layOut();
	}

	setFilter(text) {
		this.picture.filter = text.trim().toLowerCase();
		this.picture.fd = 0;
		this.picture.arrange();
		this.leave();
		this.fillTable();
		this.layOut();
	}

	/* The longest operation within two pixels, and how many more there are.  */
	find(x, y) {
		const p = this.picture, row = p.rowAt(y), ops = this.trace.ops;

		if (!row)
			return null;
		const found = p.opsAt(row, p.time(x - 2), p.time(x + 2)).filter(op => !p.dim[op] || (!p.fd && !p.filter));
		const isThere = op => ops.start[op] <= p.time(x) && ops.end[op] >= p.time(x);
		const rank = op => (isThere(op) ? 1e18 : 0) + ops.waited[op] * 2 + ops.end[op] - ops.start[op];
		const best = found.reduce((a, b) => a < 0 || rank(b) > rank(a) ? b : a, -1);

		return {row, op: best, more: Math.max(0, found.length - 1)};
	}

	/* What was ready between two moments, and not taken, behind the rest.  */
	tellReady(box, row, from, to, told) {
		const found = this.picture.readyAt(row, from, to).filter(ready => ready !== told), most = 5;

		for (const ready of found.slice(0, most))
			box.append(element("p", "what name", readinessWords(this.trace, ready)));
		if (found.length > most)
			box.append(element("p", "", "and " + (found.length - most) + " more were ready"));
		return found.length > 0;
	}

	/* What was in flight.  */
	flightsElement(box, row, x) {
		const p = this.picture, t = this.trace, ns = p.time(x), found = p.flightsAt(row, p.time(x - 2), p.time(x + 2)), most = 8;
		const bin = row.flights.bins.find(b => ns >= b.at && ns < b.at + t.flightNs);

		if (!found.length && !bin)
			return null;
		box.append(element("h2", "", found.length ? count(found.length, "request") + " in flight" :
			bin.depth.toFixed(1) + " requests in flight on average, each for less than is listed"));
		for (const r of found.slice(0, most))
			box.append(element("p", "what name", requestWords(t, r)));
		if (found.length > most)
			box.append(element("p", "", "and " + (found.length - most) + " more"));
		return box;
	}

	/* Beside operations: what is known of the time between them.  */
	betweenElement(row, x) {
		const p = this.picture, t = this.trace, ops = t.ops, ns = p.time(x), lane = t.lanes[row.lane];
		const box = element("div", "operation");

		if (row.flights)
			return this.flightsElement(box, row, x);
		if (!lane)
			return row.fd && this.tellReady(box, row, p.time(x - 2), p.time(x + 2)) ? box : null;
		if (ns < row.start || ns > row.end)
			return null;
		const next = p.firstAfter(row, ns), bin = row.bins.find(b => ns >= b.at && ns < b.at + t.binNs);
		const from = next > row.from ? p.lasts[next - 1] : row.start, to = next < row.to ? ops.start[p.at(next)] : row.end;
		const stall = t.stalls.find(s => s.lane === row.lane && ns >= s.start && ns <= s.end);

		if (bin) {
			box.append(element("h2", "", count(bin.count, "call") + " of less than " + duration(t.shortest) + " in these " +
				duration(t.binNs)));
			box.append(element("p", "", timesWords(bin.ns, null, Infinity)));
		} else {
			box.append(element("h2", "", duration(to - from) + " in no call: it computes, or waits unseen"));
		}
		box.append(element("p", "name", laneWords(t, lane, ns)));
		if (stall)
			box.append(element("p", "what", "away from its polls for " + duration(stall.end - stall.start) + ": " +
				stallWords(t, stall)));
		this.tellReady(box, row, p.time(x - 2), p.time(x + 2));
		return box;
	}

	hover(x, y, clientX, clientY) {
		const p = this.picture, t = this.trace, found = this.find(x, y), tip = byId("tip");
		let box = null;

		if (found)
			box = found.op < 0 ? this.betweenElement(found.row, x) : operationElement(t, found.op, true, found.more);
		if (found && found.op >= 0)
			this.tellReady(box, found.row, p.time(x - 2), p.time(x + 2), takenBy(t, found.op));
		p.cursor = {x, y};
		p.hover = found ? found.op : -1;
		tip.hidden = !box;
		if (box) {
			tip.replaceChildren(box);
			this.placeTip(tip, clientX, clientY);
		}
		this.draw();
	}

	placeTip(tip, x, y) {
		const right = x + 14 + tip.offsetWidth > window.innerWidth, below = y + 18 + tip.offsetHeight > window.innerHeight;

		tip.style.left = Math.max(4, right ? x - 14 - tip.offsetWidth : x + 14) + "px";
		tip.style.top = Math.max(4, below ? y - 14 - tip.offsetHeight : y + 18) + "px";
	}

	leave() {
		this.picture.cursor = null;
		this.picture.hover = -1;
		byId("tip").hidden = true;
		this.draw();
	}

	listenToMouse() {
		const canvas = this.picture.canvas;

		canvas.lanes.addEventListener("wheel", event => this.wheel(event), {passive: false});
		canvas.axis.addEventListener("wheel", event => this.wheel(event), {passive: false});
		canvas.overview.addEventListener("wheel", event => this.wheel(event), {passive: false});
		canvas.lanes.addEventListener("pointerdown", event => this.startDrag(event));
		canvas.lanes.addEventListener("pointermove", event => this.drag(event));
		canvas.lanes.addEventListener("pointerup", event => this.endDrag(event));
		canvas.lanes.addEventListener("pointercancel", () => this.stopDrag());
		canvas.lanes.addEventListener("pointerleave", () => this.leave());
		canvas.lanes.addEventListener("dblclick", event => this.zoomTo(event));
		for (const on of ["axis", "overview"]) {
			canvas[on].addEventListener("pointerdown", event => this.startBrush(event, on));
			canvas[on].addEventListener("pointermove", event => this.moveBrush(event));
			canvas[on].addEventListener("pointerup", () => this.endBrush());
			canvas[on].addEventListener("pointercancel", () => this.endBrush());
		}
		byId("lanes").addEventListener("scroll", () => {
			this.picture.scroll = byId("lanes").scrollTop;
			this.draw();
		});
	}

	/* Lines and pages in pixels.  */
	static pixels(event, delta) {
		return delta * [1, 24, 400][event.deltaMode];
	}

	wheel(event) {
		const p = this.picture, x = Page.pixels(event, event.deltaX), y = Page.pixels(event, event.deltaY);

		event.preventDefault();
		if (event.shiftKey || Math.abs(x) > Math.abs(y))
			p.move((Math.abs(x) > Math.abs(y) ? x : y) / p.scale);
		else if (event.currentTarget === p.canvas.overview)
			p.zoom(Math.exp(y * 0.002), event.offsetX / p.width * this.trace.wall);
		else
			p.zoom(Math.exp(y * (event.ctrlKey ? 0.01 : 0.002)), p.time(event.offsetX));
		if (event.currentTarget === p.canvas.lanes)
			this.hover(event.offsetX, event.offsetY, event.clientX, event.clientY);
		this.draw();
	}

	startDrag(event) {
		if (event.button !== 0)
			return;
		event.currentTarget.setPointerCapture(event.pointerId);
		this.dragged = {
			x: event.offsetX, y: event.clientY, from: this.picture.from, scroll: byId("lanes").scrollTop, far: false,
		};
	}

	drag(event) {
		const d = this.dragged, p = this.picture;

		if (d && (d.far || Math.hypot(event.offsetX - d.x, event.clientY - d.y) > 4)) {
			d.far = true;
			event.currentTarget.classList.add("dragging");
			byId("tip").hidden = true;
			p.hover = -1;
			p.move(d.from - (event.offsetX - d.x) / p.scale - p.from);
			byId("lanes").scrollTop = d.scroll - (event.clientY - d.y);
			this.draw();
		} else if (!d) {
			this.hover(event.offsetX, event.offsetY, event.clientX, event.clientY);
		}
	}

	/* What was no drag is a click.  */
	endDrag(event) {
		const found = this.dragged && !this.dragged.far ? this.find(event.offsetX, event.offsetY) : null;

		this.stopDrag();
		if (found)
			this.keep(found.op);
	}

	stopDrag() {
		this.dragged = null;
		this.picture.canvas.lanes.classList.remove("dragging");
	}

	keep(op) {
		this.picture.op = op;
		if (op >= 0)
			this.openTab("operation");
		else if (this.tab === "operation")
			this.fillTable();
		this.draw();
	}

	zoomTo(event) {
		const found = this.find(event.offsetX, event.offsetY);

		if (found && found.op >= 0)
			this.showStretch(this.trace.ops.start[found.op], this.trace.ops.end[found.op], null);
	}

	startBrush(event, on) {
		if (event.button !== 0)
			return;
		event.currentTarget.setPointerCapture(event.pointerId);
		this.picture.brush = {on, from: event.offsetX, to: event.offsetX};
	}

	moveBrush(event) {
		const p = this.picture;

		if (p.brush) {
			p.brush.to = Math.min(Math.max(0, event.offsetX), p.width);
			this.draw();
		}
	}

	/* A click goes there.  */
	endBrush() {
		const p = this.picture, b = p.brush;

		if (!b)
			return;
		const time = x => b.on === "axis" ? p.time(x) : x / p.width * this.trace.wall;
		if (Math.abs(b.to - b.from) > 3)
			p.show(time(Math.min(b.from, b.to)), time(Math.max(b.from, b.to)));
		else
			p.move(time(b.from) - (p.from + p.to) / 2);
		p.brush = null;
		this.draw();
	}

	listenToControls() {
		const p = this.picture, middle = () => (p.from + p.to) / 2, then = what => () => {
			what();
			this.draw();
		};

		byId("by-thread").addEventListener("click", () => this.setBy(false));
		byId("by-fd").addEventListener("click", () => this.setBy(true));
		byId("present").setAttribute("aria-pressed", String(p.present));
		byId("present").addEventListener("click", () => this.setPresent(!p.present));
		byId("filter").addEventListener("input", event => this.setFilter(event.target.value));
		byId("all").addEventListener("click", then(() => p.show(0, this.trace.wall)));
		byId("in").addEventListener("click", then(() => p.zoom(0.5, middle())));
		byId("out").addEventListener("click", then(() => p.zoom(2, middle())));
		byId("help").addEventListener("click", () => this.toggleHelp());
		this.listenToSplitter(byId("splitter"));
	}

	toggleHelp() {
		const keys = byId("keys");

		keys.hidden = !keys.hidden;
		byId("help").setAttribute("aria-expanded", String(!keys.hidden));
		this.layOut();
	}

	listenToSplitter(splitter) {
		const set = height => {
			this.isSplit = true;
			byId("panel").style.flex = "0 0 " + Math.min(Math.max(0, height), window.innerHeight - 260) + "px";
			document.querySelector("main").style.flex = "1 1 0";
			this.layOut();
		};

		splitter.addEventListener("pointerdown", event => splitter.setPointerCapture(event.pointerId));
		splitter.addEventListener("pointermove", event => {
			if (splitter.hasPointerCapture(event.pointerId))
				set(window.innerHeight - event.clientY - 3);
		});
		splitter.addEventListener("keydown", event => {
			const step = {ArrowUp: 24, ArrowDown: -24}[event.key];

			if (step) {
				event.stopPropagation();
				set(byId("panel").offsetHeight + step);
			}
		});
	}

	listenToKeys() {
		const p = this.picture, middle = () => p.cursor ? p.time(p.cursor.x) : (p.from + p.to) / 2;
		const zoom = factor => () => p.zoom(factor, middle()), move = part => () => p.move((p.to - p.from) * part);
		const scroll = rows => () => byId("lanes").scrollBy(0, rows * ROW);
		const keys = {
			"+": zoom(0.5), "=": zoom(0.5), w: zoom(0.5), "-": zoom(2), s: zoom(2),
			ArrowLeft: move(-0.2), a: move(-0.2), ArrowRight: move(0.2), d: move(0.2),
			ArrowUp: scroll(-2), ArrowDown: scroll(2),
			0: () => p.show(0, this.trace.wall), t: () => this.setBy(!p.byFd), h: () => this.setPresent(!p.present),
			n: () => this.goOn(1), p: () => this.goOn(-1), Escape: () => this.forget(),
			"/": () => byId("filter").focus(), "?": () => this.toggleHelp(),
		};

		document.addEventListener("keydown", event => {
			const isOthers = event.ctrlKey || event.altKey || event.metaKey, isTyped = event.target === byId("filter");

			if (isOthers || !Object.hasOwn(keys, event.key) || (isTyped && event.key !== "Escape"))
				return;
			event.preventDefault();
			keys[event.key]();
			this.draw();
		});
	}

	/* The next, or previous, wait in the lane of the kept operation.  */
	goOn(by) {
		const p = this.picture, ops = this.trace.ops, row = p.op < 0 ? p.rows[0] : p.rowOf(ops.lane[p.op], ops.fd[p.op]);

		if (!row)
			return;
		let i = p.op < 0 ? (by > 0 ? row.from - 1 : row.to) : row.from;
		while (p.op >= 0 && i < row.to && p.at(i) !== p.op)
			i++;
		for (i += by; i >= row.from && i < row.to; i += by)
			if (ops.flags[p.at(i)] & WAITED) {
				p.op = p.at(i);
				if (ops.start[p.op] < p.from || ops.end[p.op] > p.to)
					this.showStretch(ops.start[p.op], ops.end[p.op], p.rowOf(ops.lane[p.op], ops.fd[p.op]));
				this.openTab("operation");
				return;
			}
	}

	forget() {
		const filter = byId("filter");

		filter.value = "";
		filter.blur();
		this.keep(-1);
		this.setFilter("");
	}

	listenToPage() {
		new ResizeObserver(() => this.layOut()).observe(byId("lanes"));
		matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
			this.picture.readColors();
			this.draw();
		});
	}
}

function start() {
	const data = byId("data").textContent.trim();

	if (data.startsWith("@"))
		byId("facts").textContent = "no trace: eagain export html makes a page with one";
	else
		new Page(readAll(unpack(data)));
	byId("data").remove();
}

document.addEventListener("DOMContentLoaded", start);
