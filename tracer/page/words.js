/* words.js - what happened in words, those of `eagain report` and `eagain timeline --op`.  */
"use strict";

/* 1.234 s, 12.3 ms, 456 us, 1.2 us, 260 ns, 0.  */
function duration(ns) {
	if (ns === 0)
		return "0";
	if (ns < 1e3)
		return ns.toFixed(0) + " ns";
	if (ns < 1e4)
		return (ns / 1e3).toFixed(1) + " us";
	if (ns < 1e6)
		return (ns / 1e3).toFixed(0) + " us";
	if (ns < 1e8)
		return (ns / 1e6).toFixed(1) + " ms";
	return (ns / 1e9).toFixed(3) + " s";
}

function bytes(n) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	let unit = 0;

	for (; n >= 1024 && unit < 4; unit++)
		n /= 1024;
	return n.toFixed(unit ? 1 : 0) + " " + units[unit];
}

function count(n, one, many) {
	return n.toLocaleString("en") + " " + (n === 1 ? one : many || one + "s");
}

/* Seconds, to the nanosecond.  */
function moment(ns) {
	return (ns / 1e9).toFixed(9);
}

/* What is too long of the command goes, never the number.  */
function processWords(process) {
	return cut(process.name, 60) + " (pid " + process.pid + ")";
}

function cut(text, most) {
	const characters = [...text];

	return characters.length > most ? characters.slice(0, most - 1).join("") + "\u2026" : text;
}

/* Which program it was at that moment: a main thread's lane goes on over an exec.  */
function imageOf(trace, lane, ns) {
	let process = trace.processes[lane.process];

	while (lane.tid === process.pid && process.previous >= 0 && process.start > ns)
		process = trace.processes[process.previous];
	return process;
}

function laneWords(trace, lane, ns) {
	const process = imageOf(trace, lane, ns);

	if (lane.tid === process.pid)
		return processWords(process);
	return (lane.name || cut(process.name, 60)) + " (pid " + process.pid + ", tid " + lane.tid + ")";
}

/* Who is at the other end, or null.  */
function peerWords(trace, fd) {
	if (!fd || fd.peer < 0)
		return null;
	return processWords(trace.processes[fd.peer]) + (fd.others ? " and " + count(fd.others, "other") : "");
}

/* Beyond some thousand, those of a process are put together.  */
function numberWords(fd) {
	return fd.fd === null ? "more fds" : "fd " + fd.fd;
}

function fdWords(trace, fd, isShort) {
	return fd ? numberWords(fd) + ", " + (isShort ? shortName(fd.name) : fd.name) : "an fd that is not listed";
}

/* What one waits for, in the words of what is waited for.  */
function waitWords(call) {
	if (call.special === ACCEPTS)
		return {none: "nobody there", arrives: "somebody connects"};
	if (call.special === CONNECTS)
		return {none: "no answer yet", arrives: "the answer arrives"};
	if (call.direction === WRITE)
		return {none: "no room", arrives: "room is made"};
	return {none: "no data", arrives: "data arrives"};
}

/* "waited 1.018 s to read from gzip (pid 12)".  */
function waitedWords(trace, op) {
	const ops = trace.ops, call = callOf(trace, op), fd = trace.fds[ops.fd[op]];
	const time = duration(ops.waited[op]), whom = peerWords(trace, fd) || (fd ? fd.name : "an fd");

	switch (directionOf(trace, op)) {
	case READ:
		if (call.special === ACCEPTS)
			return "waited " + time + " for a client";
		return "waited " + time + (call.special === NO_FD ? " in " + call.name : " to read from " + whom);
	case WRITE:
		return "waited " + time + (call.special === CONNECTS ? " for its connection to " : " to write to ") + whom;
	case POLL:
		return "waited " + time + " in " + call.name;
	case SLEEP:
		return "slept " + time;
	case LOCK:
		return "waited " + time + " for a lock";
	case SIGNAL:
		return "waited " + time + " for a signal";
	case REQUEST:
		return "waited " + time + " for its asynchronous I/O";
	case CHILD:
		return "waited " + time + " for " + childWords(trace, op);
	default:
		return "took " + duration(ops.end[op] - ops.start[op]);
	}
}

function childWords(trace, op) {
	const pid = callOf(trace, op).name.startsWith("wait") ? trace.ops.result[op] : 0;
	let child = null;

	/* Pids come again, and an exec is another image: the last that had begun by then. */
	for (const process of trace.processes)
		if (process.pid === pid && process.start <= trace.ops.end[op])
			child = process;
	return child ? processWords(child) : pid > 0 ? "its child " + pid : "its children";
}

/* In a block of the picture, where there is little room: behind how long.  */
function blockWords(trace, op) {
	const fd = trace.fds[trace.ops.fd[op]], direction = directionOf(trace, op), call = callOf(trace, op);
	const whom = fd ? (fd.peer >= 0 ? trace.processes[fd.peer].name : shortName(fd.name)) : "";

	if (call.special === ACCEPTS)
		return " for a client";
	if ((direction === READ || direction === WRITE) && fd)
		return (direction === READ ? " \u2190 " : " \u2192 ") + whom;
	return " " + call.name;
}

/* The part of an fd's name that tells it from others: of a connection its other end, of a path its end.  */
function shortName(name) {
	const arrow = name.lastIndexOf("->"), connection = /^(\w+) /.exec(name);

	if (arrow > 0 && connection)
		return connection[1] + " " + name.slice(arrow);
	return endOf(name, 30);
}

/* Paths differ at their end.  */
function endOf(name, most) {
	return name.length > most && name[0] === "/" ? "\u2026" + name.slice(1 - most) : name;
}

function resultWords(trace, result) {
	return result >= 0 ? String(result) : "-1 " + (trace.errors[-result] || "errno " + -result);
}

function callName(trace, op) {
	return callOf(trace, op).name + "()";
}

/* "0x55d0c3a1b040, held by bio_worker (pid 12, tid 14)".  */
function lockWords(trace, op) {
	const ops = trace.ops, process = trace.lanes[ops.lane[op]].process, tid = ops.result[op];
	const holder = trace.lanes.find(lane => lane.tid === tid && lane.process === process);
	const address = "0x" + restOf(trace, op).address.toString(16);

	return address + (tid < 0 ? "" : ", held by " + (holder ? laneWords(trace, holder, ops.start[op]) : "tid " + tid));
}

/* "read() on fd 0, pipe:[123] from gzip -cd (pid 12)".  */
function titleWords(trace, op) {
	const fd = trace.fds[trace.ops.fd[op]];

	if (isLock(trace.ops.flags[op]))
		return callName(trace, op) + ", " + lockWords(trace, op);
	return callName(trace, op) + (fd ? " on " + fdWords(trace, fd) : "");
}

/* What it came to.  */
function outcomeWords(trace, op) {
	const ops = trace.ops, flags = ops.flags[op], took = duration(ops.end[op] - ops.start[op]);
	const words = flags & WAITED ? [waitedWords(trace, op)] : [];

	if (!(flags & RETURNED))
		words.push("had not returned after " + took);
	else if (!isLock(flags))
		words.push("returned " + resultWords(trace, ops.result[op]) + " after " + took);
	if (flags & ASKED)
		words.push("the program had asked for non-blocking I/O");
	if (flags & SHIELD)
		words.push("shielded from O_NONBLOCK that is not its own");
	return words.join("; ");
}

function wayOf(trace, op) {
	return trace.ways[trace.ops.way[op]];
}

function howWords(trace, op) {
	const flags = trace.ops.flags[op], why = flags & STEPS ? 0 : flags >> WHY_SHIFT & 7, way = wayOf(trace, op);
	const words = {
		none: "", guard: "guard: poll() asked first, then the plain call waited", kept: "from a kept set",
		O_NONBLOCK: "O_NONBLOCK on the fd: attempted first, which cannot block",
	};

	if (why && trace.whys[why])
		return "left to the kernel: " + trace.whys[why];
	return way in words ? words[way] : way + ": attempted first, which cannot block";
}

function stepWords(trace, op, rest, i) {
	const call = callOf(trace, op), words = waitWords(call), steps = rest.steps.steps, step = steps[i];
	const result = trace.ops.result[op], isReady = i && steps[i - 1].kind === PARK && result >= 0;

	switch (step.kind) {
	case WOULD_BLOCK:
		return words.none + (wayOf(trace, op) === "guard" ? ", says poll()" : ": EWOULDBLOCK");
	case PARK:
		return "parked in " + (step.direct ? "ppoll" : "the plain " + call.name) + "()" +
			(step.partial ? ", with a part done" : "");
	case IS_READY:
		return "ready: " + (step.direct ? words.arrives : "an error, or the peer is gone");
	default:
		return (isReady ? "ready, and " : "") + call.name + "() returns " + resultWords(trace, result);
	}
}

/* Its moments: [name, when or null, words].  Of one that went through at once, two.  */
function momentsOf(trace, op, rest) {
	const ops = trace.ops, moments = [], length = rest.steps ? rest.steps.length : 0;
	const half = rest.steps ? rest.steps.count / 2 : 0;
	let at = ops.start[op];

	moments.push(["t0", at, callName(trace, op) + " called" + (length ? ": " + count(length, "byte") : "")]);
	for (let i = 0; rest.steps && i < rest.steps.steps.length; i++) {
		if (rest.steps.more && i === half)
			moments.push(["...", null, count(rest.steps.more, "more", "more")]);
		at += rest.steps.steps[i].after;
		moments.push(["t" + (i + 1 + (i < half ? 0 : rest.steps.more)), at, stepWords(trace, op, rest, i)]);
	}
	if (!(ops.flags[op] & RETURNED))
		moments.push(["end", ops.end[op], "left: its thread went on, was killed, or the trace ends"]);
	else if (!rest.steps)
		moments.push(["t1", ops.end[op], callName(trace, op) + " returns" +
			(isLock(ops.flags[op]) ? "" : " " + resultWords(trace, ops.result[op]))]);
	return moments;
}

/* poll(2): what an fd was ready for.  */
function eventWords(events) {
	const names = [
		[1, "to read"], [2, "urgent data"], [4, "to write"], [8, "an error"], [16, "hung up"], [32, "not open"],
		[8192, "half hung up"],
	];

	return names.filter(([bit]) => events & bit).map(([, name]) => name).join(", ");
}

/* "waited 1.018 s to read, waited 0.264 s for children, computed 2.6 ms".  */
function timesWords(waits, cpu, wall) {
	const words = [], inside = waits.reduce((a, b) => a + b, 0) - waits[NONE] + cpu - wall;

	for (const [direction, before, after] of [
		[READ, "waited ", " to read"], [WRITE, "waited ", " to write"], [POLL, "waited ", " in poll"],
		[REQUEST, "waited ", " for its asynchronous I/O"], [LOCK, "waited ", " for locks"], [CHILD, "waited ", " for children"],
		[SIGNAL, "waited ", " for signals"], [SLEEP, "slept ", ""]])
		if (waits[direction])
			words.push(before + duration(waits[direction]) + after);
	if (cpu !== null)
		words.push("computed " + duration(cpu) + (inside > wall / 100 ? ", of it " + duration(inside) + " in these waits" : ""));
	return words.join(", ");
}

/* What a thread did while it did not poll.  */
function stallWords(trace, stall) {
	const waited = stall.waits.reduce((a, b) => a + b, 0), words = [], all = stall.end - stall.start;
	const inCalls = waited - stall.waits[LOCK] - stall.waits[SLEEP];

	if (stall.waits[LOCK])
		words.push("waited " + duration(stall.waits[LOCK]) + " for locks");
	if (stall.waits[SLEEP])
		words.push("slept " + duration(stall.waits[SLEEP]));
	if (stall.longest && inCalls) {
		const fd = trace.fds[stall.fd], call = trace.calls[stall.call].name;

		words.push("waited " + duration(inCalls) + " in calls, longest " + duration(stall.longest) + " in " + call + "()" +
			(fd ? " on " + fdWords(trace, fd) : ""));
	}
	if (stall.cpu === null && all > waited)
		words.push(duration(all - waited) + " computing, or waiting unseen");
	else if (stall.cpu !== null && all > waited + stall.cpu)
		words.push(duration(all - waited - stall.cpu) + (waited ? " else" : " not on a CPU"));
	return words.join("; ");
}

function readyTime(ready) {
	return (ready.flags & IS_LATE ? "at least " : "") + duration(ready.end - ready.start);
}

/* "ready to read for 48.0 ms, until it was taken".  */
function readyWords(ready) {
	return "ready to " + (ready.flags & IS_WRITE ? "write" : "read") + " for " + readyTime(ready) +
		(ready.flags & IS_TAKEN ? ", until it was taken" : ", and not taken before the end");
}

/* What was ready, and waited to be taken by this operation, or null.  */
function takenBy(trace, op) {
	const ops = trace.ops, fd = ops.fd[op];

	return trace.readiness.find(ready => ready.fd === fd && ready.lane === ops.lane[op] && (ready.flags & IS_TAKEN) !== 0 &&
		ready.end >= ops.start[op] && ready.end <= ops.end[op]) || null;
}

function readinessWords(trace, ready) {
	return fdWords(trace, trace.fds[ready.fd], true) + ": " + readyWords(ready);
}

/* "aio_read() of 4096 bytes at 8192".  */
function requestTitle(trace, r) {
	const call = trace.calls[r.call].name + "()", moves = r.length || call !== "aio_fsync()";

	return call + (moves ? " of " + count(r.length, "byte") + " at " + r.offset : "");
}

function requestResult(trace, r) {
	return r.flags & IS_OPEN ? "not over" : resultWords(trace, r.result);
}

/* "op 4: aio_read() of 4096 bytes at 8192 on fd 3, data: 4096 after 1.2 ms, of that 1.0 ms in the kernel".  */
function requestWords(trace, r) {
	const fd = trace.fds[r.fd], took = duration(r.end - r.start);

	return "op " + r.op + ": " + requestTitle(trace, r) + (fd ? " on " + fdWords(trace, fd, true) : "") + ": " +
		requestResult(trace, r) + " after " + took + (r.ran ? ", of that " + duration(r.ran) + " in the kernel" : "") +
		(r.flags & IS_DIRECT ? ", O_DIRECT" : "") + (r.flags & IS_LISTED ? ", of a list" : "");
}

function endWords(process) {
	if (process.signal)
		return "signal " + process.signal;
	return process.status === null ? "" : String(process.status);
}
