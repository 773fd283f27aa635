/* picture.js - the canvases: the overview, the time axis, and the lanes.
 *
 * A wait that is at least a pixel wide is drawn as it is.  What is narrower is added up by pixel, and drawn as high as its share of
 * the pixel's time.  Where many lie in one pixel, they have been added up beforehand, in groups of 64.  */
"use strict";

const ROW = 24, BAR_TOP = 4, BAR = 17, CALL_BAR = 7, READY_BAR = 3, GROUP = 64, LABEL_LEAST = 34;
const COLORS = ["call", "read", "write", "poll", "sleep", "child", "lock", "signal", "request", "dim"];
const CLASSES = COLORS.length, DIM = CLASSES - 1;
/* Waits first that one can do something about. */
const STACKED = [READ, WRITE, REQUEST, LOCK, POLL, CHILD, SIGNAL, SLEEP, NONE, DIM], WAITS = STACKED.slice(0, -2);

class Picture {
	constructor(trace) {
		this.trace = trace;
		this.from = 0;
		this.to = trace.wall;
		this.scroll = 0;
		this.byFd = false;
		this.present = trace.lanes.length > 200;        /* only rows that are there in the shown time */
		this.filter = "";
		this.fd = 0;                    /* whose operations are shown alone, or 0 */
		this.op = -1;                   /* that is kept */
		this.hover = -1;
		this.cursor = null;             /* where the mouse is, or null */
		this.canvas = {};
		for (const name of ["overview", "axis", "lanes"])
			this.canvas[name] = document.getElementById(name + "-canvas");
		this.readColors();
		this.arrange();
	}

	readColors() {
		const style = getComputedStyle(document.documentElement);

		this.color = {};
		for (const name of ["back", "panel", "line", "text", "quiet", "strong", "runs", "stall", "ready", "on", "shade", ...COLORS])
			this.color[name] = style.getPropertyValue("--" + name).trim();
		this.colors = COLORS.map(name => this.color[name]);
		this.overview = null;
	}

	/* Which rows there are, and which operations each has, by their beginning.  */
	arrange() {
		const match = this.matches();

		this.all = [];
		if (this.byFd)
			this.arrangeFds(match);
		else
			this.arrangeThreads(match);
		this.addUp(match);
		this.choose();
	}

	/* Which of them are shown; the row at y stays there: returns how far the others have moved.  */
	choose(y) {
		const before = this.rows, at = Math.floor(((y || 0) + this.scroll) / ROW), anchor = before && before[at];
		let head = null;

		this.rows = this.all;
		if (this.present)
			this.rows = this.all.filter(row => !row.head && row.start <= this.to && row.end >= this.from);
		if (this.present && this.byFd)
			this.rows = this.rows.flatMap(row => {
				const again = head === row.process;

				head = row.process;
				return again ? [row] : [this.heads.get(row.process), row];
			});
		return anchor && this.rows !== before ? (this.rows.indexOf(anchor) - at) * ROW : 0;
	}

	/* Which lanes and fds have the filter in their names.  */
	matches() {
		const t = this.trace, has = text => text.toLowerCase().includes(this.filter);
		const processes = t.processes.map(p => has(p.command + " pid " + p.pid));

		return {
			lanes: t.lanes.map(l => processes[l.process] || has(l.name + " tid " + l.tid)),
			fds: t.fds.map(f => f !== null && (has(numberWords(f) + " " + f.name + " " + (peerWords(t, f) || "")))),
			processes,
		};
	}

	arrangeThreads(match) {
		const ops = this.trace.ops, lanes = this.trace.lanes;

		this.order = null;
		lanes.forEach((lane, i) => {
			const before = lanes[i - 1], inner = before !== undefined && before.process === lane.process;
			let shown = match.lanes[i];

			for (let op = lane.from; !shown && op < lane.to; op++)
				shown = match.fds[ops.fd[op]];
			if (shown)
				this.all.push({
					lane: i, process: lane.process, fd: 0, inner, first: !inner, from: lane.from, to: lane.to,
					start: lane.start, end: lane.end, unknown: lane.unknown, bins: lane.bins,
				});
			if (!lanes[i + 1] || lanes[i + 1].process !== lane.process)
				this.arrangeFlights(match, lane.process);
		});
	}

	/* Behind its process's threads.  */
	arrangeFlights(match, process) {
		const t = this.trace, p = t.processes[process];

		for (const flights of t.flights)
			if (flights.process === process && (match.processes[process] || flights.requests.some(r => match.fds[r.fd])))
				this.all.push({
					lane: -1, process, fd: 0, flights, inner: true, from: 0, to: 0, start: p.start, end: p.end, bins: [],
				});
	}

	/* Fds that were waited for, or moved data that does not lie in a file; with a filter, all that it finds.  */
	isShown(fd, match) {
		const f = this.trace.fds[fd], moved = f.bytesRead + f.bytesWritten > 0 && this.trace.kinds[f.kind] !== "file";

		if (this.filter)
			return match.fds[fd] || match.processes[f.process];
		return f.waited > 0 || (f.flags & IS_WAITING) !== 0 || moved || this.trace.readyFds.has(fd);
	}

	arrangeFds(match) {
		const t = this.trace, starts = this.sortByFd();
		let process = -1;

		this.heads = new Map();
		for (let fd = 1; fd < t.fds.length; fd++) {
			const f = t.fds[fd], p = t.processes[f.process];

			if (!this.isShown(fd, match))
				continue;
			if (f.process !== process) {
				this.heads.set(f.process, {
					lane: -1, process: f.process, fd: 0, first: true, head: true, from: 0, to: 0,
					start: p.start, end: p.end, bins: [],
				});
				this.all.push(this.heads.get(f.process));
			}
			process = f.process;
			this.all.push(Object.assign({
				lane: -1, process, fd, inner: true, from: starts[fd], to: starts[fd + 1], bins: [],
				unknown: (f.flags & IS_WAITING) !== 0,
			}, this.lifeOf(starts[fd], starts[fd + 1])));
		}
	}

	/* From the first to the last of some operations.  */
	lifeOf(from, to) {
		const ops = this.trace.ops;
		let end = 0;

		for (let i = from; i < to; i++)
			end = Math.max(end, ops.end[this.order[i]]);
		return {start: from < to ? ops.start[this.order[from]] : 0, end};
	}

	/* The operations of each fd, and the polls that returned it, into `order`; returns where those of each begin.  */
	sortByFd() {
		const t = this.trace, ops = t.ops, starts = new Uint32Array(t.fds.length + 2), polled = [];

		for (let op = 0; op < ops.count; op++) {
			starts[ops.fd[op] + 1]++;
			if (ops.flags[op] & READY)
				for (const {fd} of restOf(t, op).ready.fds)
					if (fd) {
						polled.push([fd, op]);
						starts[fd + 1]++;
					}
		}
		for (let fd = 1; fd < starts.length; fd++)
			starts[fd] += starts[fd - 1];
		this.order = new Uint32Array(starts[t.fds.length]);
		const at = starts.slice();
		for (let op = 0; op < ops.count; op++)
			this.order[at[ops.fd[op]]++] = op;
		for (const [fd, op] of polled)
			this.order[at[fd]++] = op;
		for (let fd = 1; fd < t.fds.length; fd++)
			this.order.subarray(starts[fd], starts[fd + 1]).sort((a, b) => ops.start[a] - ops.start[b]);
		return starts;
	}

	at(i) {
		return this.order ? this.order[i] : i;
	}

	/* Into which colour an operation goes.  */
	classOf(op) {
		if (this.dim[op])
			return DIM;
		return this.trace.ops.flags[op] & WAITED ? directionOf(this.trace, op) : NONE;
	}

	/* The groups: their time by class, and from when to when; and how far all that began before an operation lasts.  */
	addUp(match) {
		const ops = this.trace.ops, count = this.order ? this.order.length : ops.count, groups = Math.ceil(count / GROUP);

		this.dim = new Uint8Array(ops.count);
		for (let op = 0; op < ops.count; op++)
			this.dim[op] = this.fd ? ops.fd[op] !== this.fd : !(match.lanes[ops.lane[op]] || match.fds[ops.fd[op]]);
		this.groupEnd = new Float64Array(groups);
		this.groupNs = new Float64Array(groups * CLASSES);
		this.lasts = new Float64Array(count);
		for (const row of this.all) {
			let last = 0;

			for (let i = row.from; i < row.to; i++)
				this.lasts[i] = last = Math.max(last, ops.end[this.at(i)]);
		}
		for (let i = 0; i < count; i++) {
			const op = this.at(i), group = Math.floor(i / GROUP), wait = ops.waited[op];

			this.groupEnd[group] = Math.max(this.groupEnd[group], ops.end[op]);
			this.groupNs[group * CLASSES + this.classOf(op)] += wait;
			this.groupNs[group * CLASSES + (this.dim[op] ? DIM : NONE)] += ops.end[op] - ops.start[op] - wait;
		}
		this.overview = null;
	}

	/* The first of a row that lasts beyond a moment.  */
	firstAfter(row, ns) {
		let low = row.from, high = row.to;

		while (low < high) {
			const middle = (low + high) >> 1;

			if (this.lasts[middle] <= ns)
				low = middle + 1;
			else
				high = middle;
		}
		return low;
	}

	/* Pixels for a nanosecond.  */
	get scale() {
		return this.width / (this.to - this.from);
	}

	x(ns) {
		return (ns - this.from) * this.scale;
	}

	time(x) {
		return this.from + x / this.scale;
	}

	/* The canvas in the size that it has on the screen; returns its context, in CSS pixels.  */
	prepare(name, width, height) {
		const canvas = this.canvas[name], ratio = window.devicePixelRatio || 1, context = canvas.getContext("2d");

		if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
			canvas.width = Math.round(width * ratio);
			canvas.height = Math.round(height * ratio);
			canvas.style.width = width + "px";
			canvas.style.height = height + "px";
		}
		context.setTransform(ratio, 0, 0, ratio, 0, 0);
		context.clearRect(0, 0, width, height);
		context.textBaseline = "middle";
		context.font = "11px system-ui, 'DejaVu Sans', sans-serif";
		return context;
	}

	resize() {
		const lanes = document.getElementById("lanes"), label = document.getElementById("range").offsetWidth;

		this.width = Math.max(50, lanes.clientWidth - label);
		this.height = lanes.clientHeight;
		this.overview = null;
	}

	draw() {
		this.drawOverview();
		this.drawAxis();
		this.drawLanes();
	}

	/* How many threads did what, by pixel.  */
	sumUp(width) {
		const t = this.trace, ops = t.ops, scale = width / t.wall, sums = COLORS.map(() => new Float64Array(width + 2));
		const spread = (sum, start, end, share) => {
			const from = Math.max(0, start * scale), to = Math.min(width, end * scale);
			const a = Math.floor(from), b = Math.floor(to);

			if (a === b) {
				sum[a] += (to - from) * share;
				sum[a + 1] -= (to - from) * share;
				return;
			}
			/* Slopes: what is added up from left to right later. */
			sum[a] += (a + 1 - from) * share;
			sum[a + 1] += (from - a) * share;
			sum[b] -= (b + 1 - to) * share;
			sum[b + 1] -= (to - b) * share;
		};

		for (let op = 0; op < ops.count; op++) {
			const start = ops.waitStart[op], end = ops.waitEnd[op];

			if (ops.flags[op] & WAITED)
				spread(sums[directionOf(t, op)], start, end, ops.waited[op] / (end - start || 1));
		}
		for (const lane of t.lanes) {
			spread(sums[DIM], lane.start, lane.end, 1);
			for (const bin of lane.bins)
				for (let d = 1; d < bin.ns.length; d++)
					spread(sums[d], bin.at, bin.at + t.binNs, bin.ns[d] / t.binNs);
		}
		for (const sum of sums)
			for (let x = 1; x < sum.length; x++)
				sum[x] += sum[x - 1];
		return sums;
	}

	drawOverview() {
		const height = 63, width = this.width, c = this.prepare("overview", width, height);

		this.overview = this.overview || this.sumUp(width);
		const alive = this.overview[DIM], most = Math.max(1, ...alive.subarray(0, width)), unit = (height - 17) / most;
		for (let x = 0; x < width; x++) {
			let y = height, rest = alive[x];

			for (const d of WAITS) {
				const n = Math.min(Math.max(0, this.overview[d][x]), Math.max(0, rest));

				c.fillStyle = this.colors[d];
				c.fillRect(x, y - n * unit, 1, n * unit);
				y -= n * unit;
				rest -= n;
			}
			c.fillStyle = this.color.runs;
			c.fillRect(x, y - Math.max(0, rest) * unit, 1, Math.max(0, rest) * unit);
		}
		c.fillStyle = this.color.quiet;
		c.fillText("up to " + count(Math.round(most), "thread"), 5, 8);
		this.drawWindow(c, width, height);
	}

	/* What is being chosen.  */
	drawBrush(c, on, height) {
		c.fillStyle = this.color.shade;
		if (this.brush && this.brush.on === on)
			c.fillRect(Math.min(this.brush.from, this.brush.to), 0, Math.abs(this.brush.to - this.brush.from), height);
	}

	/* Which part of the whole is seen below.  */
	drawWindow(c, width, height) {
		const scale = width / this.trace.wall, from = this.from * scale, to = Math.max(this.to * scale, from + 2);

		this.drawBrush(c, "overview", height);
		if (this.from <= 0 && this.to >= this.trace.wall)
			return;
		c.globalAlpha = 0.62;
		c.fillStyle = this.color.back;
		c.fillRect(0, 0, from, height);
		c.fillRect(to, 0, width - to, height);
		c.globalAlpha = 1;
		c.strokeStyle = this.color.text;
		c.strokeRect(Math.floor(from) + 0.5, 0.5, Math.max(2, Math.ceil(to - from) - 1), height - 1);
	}

	/* 1, 2 or 5 times a power of ten: what lies at least `least` apart.  */
	static step(least) {
		const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));

		return [1, 2, 5, 10].map(n => n * power).find(n => n >= least) || 10 * power;
	}

	tickWords(ns, step) {
		const [unit, name] = [[1e9, " s"], [1e6, " ms"], [1e3, " us"], [1, " ns"]].find(([n]) => this.to >= n || n === 1);

		const digits = Math.round(Math.log10(unit)) - Math.floor(Math.log10(step) + 1e-9);

		return ns === 0 ? "0" : (ns / unit).toFixed(Math.max(0, digits)) + name;
	}

	drawAxis() {
		const height = 24, c = this.prepare("axis", this.width, height), step = Picture.step(110 / this.scale);

		c.strokeStyle = this.color.line;
		for (let ns = Math.ceil(this.from / step) * step; ns <= this.to; ns += step) {
			const x = Math.round(this.x(ns)) + 0.5;

			c.beginPath();
			c.moveTo(x, height - 7);
			c.lineTo(x, height);
			c.stroke();
			c.fillStyle = this.color.quiet;
			if (x + 4 + c.measureText(this.tickWords(ns, step)).width < this.width)
				c.fillText(this.tickWords(ns, step), x + 4, 12);
		}
		this.drawBrush(c, "axis", height);
		if (this.cursor) {
			const text = moment(this.time(this.cursor.x)) + " s", wide = c.measureText(text).width + 10;
			const x = Math.min(Math.max(0, this.cursor.x - wide / 2), this.width - wide);

			c.fillStyle = this.color.text;
			c.fillRect(x, 2, wide, height - 5);
			c.fillStyle = this.color.back;
			c.fillText(text, x + 5, 12);
		}
	}

	/* From which row to which there is something to be seen.  */
	seen() {
		const first = Math.floor(this.scroll / ROW), last = Math.ceil((this.scroll + this.height) / ROW);

		return [Math.max(0, first), Math.min(this.rows.length, last)];
	}

	drawLanes() {
		const c = this.prepare("lanes", this.width, this.height), [first, last] = this.seen();

		this.drawGrid(c);
		for (let i = first; i < last; i++)
			this.drawRow(c, this.rows[i], i * ROW - this.scroll);
		this.drawBrush(c, "axis", this.height);
		if (this.cursor) {
			c.fillStyle = this.color.quiet;
			c.fillRect(Math.round(this.cursor.x), 0, 1, this.height);
		}
	}

	drawGrid(c) {
		const step = Picture.step(110 / this.scale);

		c.fillStyle = this.color.shade;
		for (let ns = Math.ceil(this.from / step) * step; ns <= this.to; ns += step)
			c.fillRect(Math.round(this.x(ns)), 0, 1, this.height);
	}

	drawRow(c, row, y) {
		const [start, end] = this.span(row.start, row.end);

		if (row.first) {
			c.fillStyle = this.color.line;
			c.fillRect(0, y, this.width, 1);
		}
		c.fillStyle = row.lane < 0 ? this.color.line : this.color.runs;
		if (end >= 0 && start <= this.width && row.lane < 0)
			c.fillRect(start, y + BAR_TOP + BAR / 2, Math.max(1, end - start), 1);
		else if (end >= 0 && start <= this.width)
			c.fillRect(start, y + BAR_TOP, Math.max(1, end - start), BAR);
		if (row.flights)
			this.drawFlights(c, row, y + BAR_TOP);
		if (row.unknown && end < this.width)
			this.drawUnknown(c, Math.max(0, end), y);
		this.drawOperations(c, row, y + BAR_TOP);
		this.drawReadiness(c, row, y + BAR_TOP + BAR);
		if (!this.byFd && row.lane >= 0) {
			this.drawStalls(c, row, y + BAR_TOP);
			this.drawExecs(c, row, y + BAR_TOP);
		}
	}

	/* How many were in flight, and upon that each that is listed, if it can be seen.  */
	drawFlights(c, row, y) {
		const {bins, slots, requests} = row.flights, wide = this.trace.flightNs, high = BAR / slots;

		c.fillStyle = this.color.request;
		c.globalAlpha = 0.3;
		for (const bin of bins)
			if (bin.at < this.to && bin.at + wide > this.from) {
				const [from, to] = this.span(bin.at, bin.at + wide), h = Math.max(1, bin.depth * high);

				c.fillRect(from, y + BAR - h, Math.max(1, to - from), h);
			}
		c.globalAlpha = 0.8;
		for (const r of requests) {
			const [from, to] = this.span(r.start, r.end), gap = high > 3 ? 1 : 0;

			if (r.end < this.from || r.start > this.to || to - from < 2)
				continue;
			c.fillStyle = this.fd && r.fd !== this.fd ? this.color.dim : this.color.request;
			c.fillRect(from, y + BAR - (r.slot + 1) * high, Math.max(1, to - from - (to - from > 4 ? 0.6 : 0)), Math.max(0.5, high - gap));
		}
		c.globalAlpha = 1;
	}

	/* Those that were in flight at some moment between two; the longest first.  */
	flightsAt(row, from, to) {
		return row.flights.requests.filter(r => r.start <= to && r.end >= from).sort((a, b) => b.end - b.start - (a.end - a.start));
	}

	/* It was waiting when it was last seen.  */
	drawUnknown(c, x, y) {
		c.fillStyle = this.color.quiet;
		for (; x < this.width; x += 8)
			c.fillRect(x, y + BAR_TOP + BAR / 2, 3, 1);
	}

	drawOperations(c, row, y) {
		const ops = this.trace.ops, pixel = 1 / this.scale, sums = new Float64Array(CLASSES * (this.width + 1)), wide = [];

		this.addBins(row, sums);
		for (let i = this.firstAfter(row, this.from); i < row.to; i++) {
			const op = this.at(i), group = i / GROUP;

			if (ops.start[op] >= this.to)
				break;
			if (Number.isInteger(group) && i + GROUP <= row.to && this.fitsPixel(group, ops.start[op], pixel)) {
				this.addGroup(sums, group, ops.start[op]);
				i += GROUP - 1;
			} else if (ops.end[op] - ops.start[op] >= pixel) {
				wide.push(op);
			} else {
				const rest = ops.end[op] - ops.start[op] - ops.waited[op];

				this.addTime(sums, this.classOf(op), ops.start[op], ops.waited[op]);
				this.addTime(sums, this.dim[op] ? DIM : NONE, ops.start[op], rest);
			}
		}
		for (const op of wide)
			this.drawCall(c, op, y);
		this.drawSums(c, sums, y);
		for (const op of wide)
			if (ops.flags[op] & WAITED)
				this.drawWait(c, op, y);
		this.drawMarked(c, row, y);
	}

	fitsPixel(group, start, pixel) {
		const end = this.groupEnd[group];

		return end - start <= pixel && Math.floor(this.x(start)) === Math.floor(this.x(end));
	}

	addGroup(sums, group, start) {
		for (let d = 0; d < CLASSES; d++)
			this.addTime(sums, d, start, this.groupNs[group * CLASSES + d]);
	}

	addTime(sums, d, start, ns) {
		const x = Math.floor(this.x(start));

		if (x >= 0 && x < this.width)
			sums[x * CLASSES + d] += ns;
	}

	/* What is known of a stretch only as a whole is spread over it.  */
	addBins(row, sums) {
		const wide = this.trace.binNs;

		for (const bin of row.bins) {
			const from = Math.max(0, Math.floor(this.x(bin.at)));
			const to = Math.min(this.width - 1, Math.floor(this.x(bin.at + wide)));
			const dim = this.fd || (this.filter && !this.matchesLane(row));

			if (bin.at > this.to)
				break;
			for (let x = from; x <= to; x++) {
				const share = (Math.min(bin.at + wide, this.time(x + 1)) - Math.max(bin.at, this.time(x))) / wide;

				for (let d = 0; share > 0 && d < bin.ns.length; d++)
					sums[x * CLASSES + (dim ? DIM : d)] += bin.ns[d] * share;
			}
		}
	}

	matchesLane(row) {
		const t = this.trace, lane = t.lanes[row.lane], p = t.processes[row.process];

		return (p.command + " pid " + p.pid + " " + lane.name + " tid " + lane.tid).toLowerCase().includes(this.filter);
	}

	/* A column of waits, as high as its share; and what is a call and no wait, low.  */
	drawSums(c, sums, y) {
		const pixel = 1 / this.scale;

		for (let x = 0; x < this.width; x++) {
			let bottom = y + BAR;

			for (const d of STACKED) {
				const ns = sums[x * CLASSES + d];

				if (!ns)
					continue;
				const high = d === NONE || d === DIM ? CALL_BAR : BAR;
				const h = Math.min(bottom - y, Math.max(2, ns / pixel * high));

				c.fillStyle = this.colors[d];
				c.fillRect(x, bottom - h, 1, h);
				bottom -= h;
			}
		}
	}

	/* From where to where: no farther beyond the edges than its own.  */
	span(start, end) {
		return [Math.max(-3, this.x(start)), Math.min(this.width + 3, this.x(end))];
	}

	drawCall(c, op, y) {
		const ops = this.trace.ops, [from, to] = this.span(ops.start[op], ops.end[op]);

		c.fillStyle = this.colors[this.dim[op] ? DIM : NONE];
		c.fillRect(from, y + BAR - CALL_BAR, Math.max(1, to - from), CALL_BAR);
	}

	drawWait(c, op, y) {
		const ops = this.trace.ops, [from, to] = this.span(ops.waitStart[op], ops.waitEnd[op]), d = this.classOf(op);

		c.fillStyle = this.colors[d];
		/* A hair between neighbours. */
		c.fillRect(from, y, Math.max(1, to - from - (to - from > 4 ? 0.6 : 0)), BAR);
		if (to - from >= LABEL_LEAST && d !== DIM) {
			c.fillStyle = d === SLEEP || d === CHILD || d === SIGNAL ? this.color.text : this.color.on;
			this.drawWords(c, duration(ops.waited[op]), blockWords(this.trace, op), from, to, y);
		}
	}

	/* The time, and behind it as much as there is room for.  */
	drawWords(c, time, words, from, to, y) {
		const left = Math.max(from, 0) + 4, more = Math.min(to, this.width) - 3 - left - c.measureText(time).width;
		let n = words.length;

		if (more < 0)
			return;
		while (n && c.measureText(words.slice(0, n) + (n < words.length ? "\u2026" : "")).width > more)
			n = n > 40 ? n >> 1 : n - 1;
		c.fillText(time + (n > 3 ? words.slice(0, n) + (n < words.length ? "\u2026" : "") : ""), left, y + BAR / 2 + 0.5);
	}

	drawStalls(c, row, y) {
		c.fillStyle = this.color.stall;
		for (const stall of this.trace.stalls)
			if (stall.lane === row.lane && stall.end > this.from && stall.start < this.to) {
				const from = Math.max(0, this.x(stall.start));

				c.fillRect(from, y - 3, Math.max(2, Math.min(this.width, this.x(stall.end)) - from), 2);
			}
	}

	/* Below the lane: what was ready, and waited to be taken.  */
	drawReadiness(c, row, y) {
		c.fillStyle = this.color.ready;
		for (const ready of this.trace.readiness)
			if (this.isOf(row, ready) && ready.end > this.from && ready.start < this.to) {
				const [from, to] = this.span(ready.start, ready.end);

				c.fillRect(from, y, Math.max(1, to - from - (to - from > 4 ? 0.6 : 0)), READY_BAR);
			}
	}

	/* Whether it is of the row's thread, or fd.  */
	isOf(row, ready) {
		return row.fd ? ready.fd === row.fd : ready.lane === row.lane;
	}

	/* What of a row was ready at some moment between two, and not taken; the longest first.  */
	readyAt(row, from, to) {
		return this.trace.readiness.filter(ready => this.isOf(row, ready) && ready.start <= to && ready.end >= from);
	}

	/* Where its program became another.  */
	drawExecs(c, row, y) {
		const t = this.trace;

		if (t.lanes[row.lane].tid !== t.processes[row.process].pid)
			return;
		c.fillStyle = this.color.text;
		for (let p = t.processes[row.process]; p.previous >= 0; p = t.processes[p.previous]) {
			const x = Math.round(this.x(p.start));

			c.fillRect(x, y - 2, 1, BAR + 4);
			c.beginPath();
			c.moveTo(x, y - 2);
			c.lineTo(x + 5, y + 1);
			c.lineTo(x, y + 4);
			c.fill();
		}
	}

	/* The operation that is looked at, or kept, and its moments where there is room for them.  */
	drawMarked(c, row, y) {
		const ops = this.trace.ops;

		for (const op of [this.hover, this.op]) {
			if (op < 0 || !this.isIn(row, op) || ops.end[op] < this.from || ops.start[op] > this.to)
				continue;
			const [from, to] = this.span(ops.start[op], ops.end[op]);

			c.strokeStyle = this.color.text;
			c.lineWidth = op === this.op ? 2 : 1;
			c.strokeRect(from - 0.5, y - 0.5, Math.max(3, to - from) + 1, BAR + 1);
			c.lineWidth = 1;
			if (to - from > 60 && ops.flags[op] & STEPS)
				this.drawMoments(c, op, y);
		}
	}

	drawMoments(c, op, y) {
		let at = this.trace.ops.start[op];

		c.fillStyle = this.color.text;
		for (const step of restOf(this.trace, op).steps.steps) {
			at += step.after;
			c.fillRect(Math.round(this.x(at)), y - 3, 1, BAR + 6);
		}
	}

	isIn(row, op) {
		const ops = this.trace.ops;

		if (row.fd)
			return ops.fd[op] === row.fd || this.opsAt(row, ops.start[op], ops.start[op]).includes(op);
		return row.lane >= 0 && row.lane === ops.lane[op];
	}

	rowAt(y) {
		return this.rows[Math.floor((y + this.scroll) / ROW)] || null;
	}

	/* All of a row that lie between two moments.  */
	opsAt(row, from, to) {
		const ops = this.trace.ops, found = [];

		for (let i = this.firstAfter(row, from - 1); i < row.to && ops.start[this.at(i)] <= to; i++)
			if (ops.end[this.at(i)] >= from)
				found.push(this.at(i));
		return found;
	}

	/* The row that a kept operation or a stall is in, or none.  */
	rowOf(lane, fd) {
		return this.all.find(row => this.byFd ? row.fd === fd && fd > 0 : row.lane === lane);
	}

	/* Around a moment, which stays where it is.  */
	zoom(factor, ns) {
		this.show(ns - (ns - this.from) * factor, ns + (this.to - ns) * factor);
	}

	show(from, to) {
		const least = 100, wall = this.trace.wall, size = Math.min(Math.max(to - from, Math.min(least, wall)), wall);
		const middle = (from + to) / 2;

		this.from = Math.min(Math.max(0, to - from < size ? middle - size / 2 : from), wall - size);
		this.to = this.from + size;
	}

	move(ns) {
		const size = this.to - this.from;

		this.from = Math.min(Math.max(0, this.from + ns), this.trace.wall - size);
		this.to = this.from + size;
	}
}
