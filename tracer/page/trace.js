/* trace.js - what the data block says, read in the order in which export_html.c packs it.  Times are in ns from the start of the
 * trace.  Of operations each property is an array of its own, in the order of lanes, and in a lane of time.  */
"use strict";

const NONE = 0, READ = 1, WRITE = 2, POLL = 3, SLEEP = 4, CHILD = 5, LOCK = 6, SIGNAL = 7, REQUEST = 8;
const WAITED = 1, STEPS = 2, RETURNED = 4, READY = 8, ASKED = 16, SHIELD = 64, DIRECTION_SHIFT = 7, WHY_SHIFT = 11, IS_LOCK = 1 << 14;
const ACCEPTS = 1, CONNECTS = 2, NO_FD = 3;
const WOULD_BLOCK = 2, PARK = 3, IS_READY = 4;           /* enum trace_kind */
const IS_WAITING = 1;
const IS_OPEN = 1, IS_BLOCKED = 2, IS_DIRECT = 4, IS_LISTED = 8;        /* of a request */
const IS_WRITE = 1, IS_LATE = 2, IS_TAKEN = 4;          /* of readiness */

/* Numbers in LEB128, and texts behind their sizes.  */
class Packing {
	constructor(bytes) {
		this.bytes = bytes;
		this.at = 0;
		this.directions = 0;            /* how many waits() has */
		this.decoder = new TextDecoder();
	}

	number() {
		let n = 0, scale = 1, byte;

		do {
			byte = this.bytes[this.at++];
			n += (byte & 127) * scale;
			scale *= 128;
		} while (byte > 127);
		return n;
	}

	signed() {
		const n = this.number();

		return n % 2 ? -(n + 1) / 2 : n / 2;
	}

	optional() {
		const n = this.number();

		return n ? n - 1 : null;
	}

	text() {
		const size = this.number();

		this.at += size;
		return visible(this.decoder.decode(this.bytes.subarray(this.at - size, this.at)));
	}

	list(read) {
		return Array.from({length: this.number()}, () => read());
	}

	/* Of each direction but NONE.  */
	waits() {
		const waits = [0];

		for (let d = 1; d < this.directions; d++)
			waits.push(this.number());
		return waits;
	}
}

/* A name is a stranger's: what cannot be seen, or turns the text around it, is shown as its number.  */
function visible(text) {
	return text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu,
		c => "<U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + ">");
}

function readTrace(p) {
	const trace = {};

	for (const name of ["version", "wall", "realtime", "events", "lost", "dropped", "lostProcesses", "unread", "vanished",
		"all", "short", "shortest", "lanesMore", "fdsMore", "stallsAll"])
		trace[name] = p.number();
	p.directions = p.number();
	trace.wall = Math.max(trace.wall, 1);
	return trace;
}

function readProcess(p) {
	const process = {
		pid: p.number(), ppid: p.number(), command: p.text(), previous: p.number() - 1, start: p.number(), end: p.number(),
		cpu: p.optional(), status: p.optional(), signal: p.optional(), threads: p.number(), waits: p.waits(),
	};

	process.name = shortCommand(process.command);
	process.waited = process.waits[READ] + process.waits[WRITE] + process.waits[POLL];
	return process;
}

/* Its program without the directory.  */
function shortCommand(command) {
	return command.replace(/^[^ ]*\/(?=[^ \/])/, "") || "?";
}

function readLane(p) {
	const lane = {process: p.number(), tid: p.number(), name: p.text(), start: p.number()};

	lane.end = lane.start + p.number();
	lane.cpu = p.optional();
	lane.unknown = p.number() === 1;
	lane.waits = p.waits();
	return lane;
}

function readFd(p) {
	const fd = {
		process: p.number(), fd: p.optional(), kind: p.number(), way: p.number(), name: p.text(), peer: p.number() - 1,
		others: p.number(), calls: p.number(), wouldBlock: p.number(), bytesRead: p.number(), bytesWritten: p.number(),
	};

	fd.waits = [0, p.number(), p.number(), p.number()];
	fd.waited = fd.waits[READ] + fd.waits[WRITE] + fd.waits[POLL];
	fd.longest = p.number();
	fd.flags = p.number();
	return fd;
}

function readOperations(p, lanes) {
	const count = p.number();
	const ops = {
		count, start: new Float64Array(count), end: new Float64Array(count), waitStart: new Float64Array(count),
		waitEnd: new Float64Array(count), waited: new Float64Array(count), result: new Float64Array(count),
		call: new Uint8Array(count), way: new Uint8Array(count), flags: new Uint16Array(count), fd: new Uint32Array(count),
		lane: new Uint32Array(count), more: new Uint32Array(count),
	};
	let i = 0;

	lanes.forEach((lane, number) => {
		lane.from = i;
		lane.to = i + p.number();
		for (let start = 0; i < lane.to; i++) {
			start += p.number();
			ops.lane[i] = number;
			ops.start[i] = start;
			readOperation(p, ops, i);
		}
	});
	return ops;
}

function readOperation(p, ops, i) {
	const start = ops.start[i];
	let flags;

	ops.end[i] = start + p.number();
	ops.call[i] = p.number();
	ops.way[i] = p.number();
	ops.flags[i] = flags = p.number();
	ops.fd[i] = p.number();
	if (flags & RETURNED || isLock(flags))
		ops.result[i] = p.signed();
	if ((flags & (WAITED | STEPS)) === WAITED) {
		ops.waitStart[i] = start;
		ops.waitEnd[i] = ops.end[i];
		ops.waited[i] = ops.end[i] - start;
	} else if (flags & WAITED) {
		ops.waitStart[i] = start + p.number();
		ops.waitEnd[i] = ops.waitStart[i] + p.number();
		ops.waited[i] = p.number();
	}
	ops.more[i] = p.at;
	if (isLock(flags))
		p.number();
	if (flags & STEPS)
		readSteps(p);
	if (flags & READY)
		readReady(p);
}

function readSteps(p) {
	const steps = {number: p.number(), length: p.number(), count: p.number(), more: p.number(), steps: []};

	for (let i = 0; i < steps.count; i++) {
		const n = p.number();

		steps.steps.push({kind: n >> 2, direct: (n & 2) !== 0, partial: (n & 1) !== 0, after: p.number()});
	}
	return steps;
}

function readReady(p) {
	const count = p.number(), ready = {more: p.number(), fds: []};

	for (let i = 0; i < count; i++)
		ready.fds.push({fd: p.number(), events: p.number()});
	return ready;
}

/* What was too short to be told one by one: in stretches of time, how many, and how long by what they waited for.  */
function readBins(p, ns) {
	let at = 0;

	return p.list(() => {
		const bin = {at: (at += p.number()) * ns, count: p.number(), ns: Array(p.directions).fill(0)}, used = p.number();

		for (let d = 0; d < p.directions; d++)
			if (used >> d & 1)
				bin.ns[d] = p.number();
		return bin;
	});
}

function readStall(p) {
	const stall = {lane: p.number(), start: p.number()};

	stall.end = stall.start + p.number();
	stall.cpu = p.optional();
	stall.waits = p.waits();
	stall.longest = p.number();
	stall.call = p.number();
	stall.fd = p.number();
	return stall;
}

/* How long something was ready, and not taken.  */
function readReadiness(p) {
	const ready = {lane: p.number(), fd: p.number(), start: p.number()};

	ready.end = ready.start + p.number();
	ready.flags = p.number();
	return ready;
}

/* How many requests of POSIX AIO a process had in flight: in stretches of time, on average.  */
function readFlights(p, ns) {
	const row = {process: p.number(), count: p.number()};
	let at = 0;

	row.bins = p.list(() => ({at: (at += p.number()) * ns, depth: p.number() / ns}));
	row.most = row.bins.reduce((most, bin) => Math.max(most, bin.depth), 0);
	row.requests = [];
	return row;
}

function readRequest(p) {
	const r = {row: p.number(), fd: p.number(), op: p.number(), call: p.number(), start: p.number()};

	r.end = r.start + p.number();
	r.flags = p.number();
	r.length = p.number();
	r.offset = p.signed();
	r.result = p.signed();
	r.ran = p.number();
	return r;
}

/* Each in the lowest slot that is free: so they lie above each other.  */
function giveSlots(row) {
	const ends = [];

	row.requests.sort((a, b) => a.start - b.start || a.op - b.op);
	for (const r of row.requests) {
		const free = ends.findIndex(end => end <= r.start);

		r.slot = free < 0 ? ends.length : free;
		ends[r.slot] = r.end;
	}
	row.slots = Math.max(1, Math.ceil(row.most), ends.length);
}

function readAll(p) {
	const t = readTrace(p);

	t.calls = p.list(() => ({name: p.text(), direction: p.number(), special: p.number()}));
	t.ways = p.list(() => p.text());
	t.whys = p.list(() => p.text());
	t.kinds = p.list(() => p.text());
	t.errors = p.list(() => p.text());
	t.processes = p.list(() => readProcess(p));
	t.lanes = p.list(() => readLane(p));
	/* The first of each pid. */
	t.laneOf = new Map(t.lanes.map(lane => [t.processes[lane.process].pid, lane]).reverse());
	t.fds = [null].concat(p.list(() => readFd(p)));
	t.ops = readOperations(p, t.lanes);
	t.binNs = p.number();
	for (const lane of t.lanes)
		lane.bins = readBins(p, t.binNs);
	t.stalls = p.list(() => readStall(p));
	t.readyAll = p.optional();              /* null: it was not recorded */
	t.readiness = p.list(() => readReadiness(p));
	t.flightNs = p.number();
	t.flights = p.list(() => readFlights(p, t.flightNs));
	t.requestsAll = p.number();
	t.requests = p.list(() => readRequest(p));
	for (const request of t.requests)
		t.flights[request.row].requests.push(request);
	for (const row of t.flights)
		giveSlots(row);
	t.readyFds = new Set(t.readiness.map(ready => ready.fd));
	/* For the rest of an operation, which is read when it is looked at. */
	t.packing = p;
	return t;
}

function unpack(base64) {
	const text = atob(base64), bytes = new Uint8Array(text.length);

	for (let i = 0; i < bytes.length; i++)
		bytes[i] = text.charCodeAt(i);
	return new Packing(bytes);
}

/* Whether it waited for a lock of the process's; the result then is the tid that held it, or -1.  */
function isLock(flags) {
	return (flags & IS_LOCK) !== 0;
}

/* The lock's address, its number, steps and ready fds, as far as it has them.  */
function restOf(trace, op) {
	const p = trace.packing, flags = trace.ops.flags[op];

	p.at = trace.ops.more[op];
	const address = isLock(flags) ? p.number() : null;
	return {address, steps: flags & STEPS ? readSteps(p) : null, ready: flags & READY ? readReady(p) : null};
}

function callOf(trace, op) {
	return trace.calls[trace.ops.call[op]];
}

function directionOf(trace, op) {
	return trace.ops.flags[op] >> DIRECTION_SHIFT & 15;
}
