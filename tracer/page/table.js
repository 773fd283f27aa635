/* table.js - the tables below the picture.  A column has a title, the value that it is sorted by, and the text that is shown.  */
"use strict";

/* A table that is sorted by the column whose head is clicked.  */
class Table {
	constructor(columns, rows, sorted, pick) {
		this.columns = columns;
		this.all = rows;
		this.sorted = sorted;
		this.down = columns[sorted].down;
		this.pick = pick;
		this.shown = 200;
	}

	sort(column) {
		this.down = column === this.sorted ? !this.down : this.columns[column].down;
		this.sorted = column;
	}

	rows(filter) {
		const {value} = this.columns[this.sorted], sign = this.down ? -1 : 1;
		const has = row => this.columns.some(c => c.name && c.text(row).toLowerCase().includes(filter));
		const compare = (a, b) => typeof a === "string" ? a.localeCompare(b) : a - b;

		return this.all.filter(row => !filter || has(row)).sort((a, b) => sign * compare(value(a), value(b)));
	}

	head(again) {
		const head = element("thead"), row = element("tr");

		this.columns.forEach((column, i) => {
			const th = element("th", column.number ? "number" : ""), button = element("button", "", column.title);

			button.type = "button";
			th.setAttribute("aria-sort", i !== this.sorted ? "none" : this.down ? "descending" : "ascending");
			button.addEventListener("click", () => {
				this.sort(i);
				again();
			});
			th.append(button);
			row.append(th);
		});
		head.append(row);
		return head;
	}

	row(item, isPicked) {
		const tr = element("tr");

		if (isPicked(item))
			tr.setAttribute("aria-selected", "true");
		for (const column of this.columns) {
			const td = element("td", (column.number ? "number " : "") + (column.name || ""));

			if (column.press && column.value(item)) {
				const button = element("button", "", column.text(item));

				button.type = "button";
				button.addEventListener("click", event => {
					event.stopPropagation();
					column.press(item);
				});
				td.append(button);
			} else {
				td.textContent = column.shown ? column.shown(item) : column.text(item);
			}
			if (column.name === "name")
				td.title = column.text(item);
			tr.append(td);
		}
		tr.addEventListener("click", () => this.pick(item));
		return tr;
	}

	element(filter, isPicked, again) {
		const table = element("table"), rows = this.rows(filter), body = element("tbody"), box = element("div");

		for (const item of rows.slice(0, this.shown))
			body.append(this.row(item, isPicked));
		table.append(this.head(again), body);
		box.append(table);
		if (rows.length > this.shown) {
			const left = count(rows.length - this.shown, "row is left", "rows are left");
			const more = element("button", "", "Show more: " + left);

			more.type = "button";
			more.addEventListener("click", () => {
				this.shown += 2000;
				again();
			});
			box.append(more);
		}
		return box;
	}
}

/* Largest first.  */
function numberColumn(title, value, text) {
	const words = text || (n => n.toLocaleString("en"));

	return {
		title, number: true, down: true, value: item => value(item) || 0,
		text: item => value(item) === null ? "" : words(value(item)),
	};
}

function timeColumn(title, value) {
	return numberColumn(title, value, duration);
}

function nameColumn(title, text) {
	return {title, name: "name", down: false, value: text, text};
}

/* Smallest first.  */
function orderColumn(title, value, text) {
	return {title, number: true, down: false, value, text: item => text(value(item))};
}

function wordColumn(title, text) {
	return {title, down: false, value: text, text};
}

function fdTable(trace, pick, showLongest) {
	return new Table([
		timeColumn("waited", fd => fd.waited),
		Object.assign(timeColumn("longest", fd => fd.longest), {press: showLongest}),
		numberColumn("calls", fd => fd.calls),
		numberColumn("would block", fd => fd.wouldBlock),
		numberColumn("read", fd => fd.bytesRead, bytes),
		numberColumn("written", fd => fd.bytesWritten, bytes),
		orderColumn("fd", fd => fd.fd === null ? Infinity : fd.fd, n => n === Infinity ? "more" : String(n)),
		Object.assign(nameColumn("name", fd => fd.name), {shown: fd => endOf(fd.name, 42)}),
		nameColumn("other end", fd => peerWords(trace, fd) || ""),
		nameColumn("process", fd => processWords(trace.processes[fd.process])),
		wordColumn("kind", fd => trace.kinds[fd.kind]),
	], trace.fds.slice(1), 0, pick);
}

function stallTable(trace, pick) {
	return new Table([
		timeColumn("away for", stall => stall.end - stall.start),
		orderColumn("from", stall => stall.start, moment),
		timeColumn("on a CPU", stall => stall.cpu),
		nameColumn("thread", stall => laneWords(trace, trace.lanes[stall.lane], stall.start)),
		Object.assign(wordColumn("meanwhile", stall => stallWords(trace, stall)), {name: "words"}),
	], trace.stalls, 0, pick);
}

function readinessTable(trace, pick) {
	return new Table([
		timeColumn("ready for", ready => ready.end - ready.start),
		orderColumn("since", ready => ready.start, moment),
		wordColumn("for", ready => ready.flags & IS_WRITE ? "write" : "read"),
		nameColumn("fd", ready => fdWords(trace, trace.fds[ready.fd])),
		nameColumn("taken by", ready => (ready.flags & IS_TAKEN ? "" : "nobody: ") +
			laneWords(trace, trace.lanes[ready.lane], ready.end)),
	], trace.readiness, 0, pick);
}

function requestTable(trace, pick) {
	return new Table([
		timeColumn("in flight", r => r.end - r.start),
		orderColumn("from", r => r.start, moment),
		timeColumn("in the kernel", r => r.ran),
		orderColumn("op", r => r.op, String),
		wordColumn("request", r => trace.calls[r.call].name),
		numberColumn("bytes", r => r.length),
		orderColumn("at", r => r.offset, String),
		wordColumn("result", r => requestResult(trace, r)),
		nameColumn("fd", r => fdWords(trace, trace.fds[r.fd])),
		nameColumn("process", r => processWords(trace.processes[trace.flights[r.row].process])),
	], trace.requests, 0, pick);
}

function processTable(trace, pick) {
	return new Table([
		timeColumn("waited", p => p.waited),
		timeColumn("to read", p => p.waits[READ]),
		timeColumn("to write", p => p.waits[WRITE]),
		timeColumn("in poll", p => p.waits[POLL]),
		timeColumn("for children", p => p.waits[CHILD]),
		timeColumn("slept", p => p.waits[SLEEP]),
		timeColumn("computed", p => p.cpu),
		timeColumn("in all", p => p.end - p.start),
		Object.assign(orderColumn("pid", p => p.pid, String), {name: "pid"}),
		numberColumn("threads", p => p.threads),
		nameColumn("command", p => p.command),
		wordColumn("status", endWords),
	], trace.processes, 0, pick);
}
