#!/usr/bin/python3
"""Reads a trace in Chrome's JSON as a viewer does, by the rules of the format; fails where one is broken.

usage: chrome.py FILE - prints what is in it, as one JSON object: see the end."""
import collections
import json
import sys


def fail(why, event):
    sys.exit(f"{why}: {json.dumps(event)}")


def ns(microseconds):
    return round(microseconds * 1000)


class Thread:
    """Slices that have not ended, each [event, end in ns or None]."""

    def __init__(self):
        self.stack = []

    def come_to(self, now, event):
        while self.stack and self.stack[-1][1] is not None and self.stack[-1][1] <= now:
            self.stack.pop()
        for _, end in self.stack:
            if end is not None and end < now:
                fail("within a slice that has ended", event)


with open(sys.argv[1], encoding="utf-8") as f:
    trace = json.load(f)
if trace["displayTimeUnit"] not in ("ns", "ms"):
    sys.exit("displayTimeUnit")

threads = collections.defaultdict(Thread)
names, processes, sorts = {}, {}, {}
flows = collections.defaultdict(dict)
slices, instants, counters = [], [], collections.defaultdict(list)
asynchronous = {}

for e in trace["traceEvents"]:
    if e["ph"] == "M":
        if e["name"] == "process_name":
            processes[e["pid"]] = e["args"]["name"]
        elif e["name"] == "thread_name":
            names[e["pid"], e["tid"]] = e["args"]["name"]
        elif e["name"] in ("thread_sort_index", "process_sort_index"):
            sorts[e["name"], e["pid"], e["tid"]] = e["args"]["sort_index"] + 0
        else:
            fail("unknown metadata", e)
    elif not isinstance(e["ts"], float) or e["ts"] < 0:
        fail("ts", e)

# As a viewer: by time, and what has the same in the order of the file.
for e in sorted((e for e in trace["traceEvents"] if e["ph"] != "M"), key=lambda e: ns(e["ts"])):
    now, where = ns(e["ts"]), (e["pid"], e["tid"])
    if e["ph"] in "be":
        # They overlap, and belong to a process.
        key = e["pid"], e["cat"], e["id"]
        if e["pid"] not in processes or (e["ph"] == "b") == (key in asynchronous):
            fail("asynchronous", e)
        if e["ph"] == "b":
            asynchronous[key] = e
            slices.append(e)
        elif asynchronous[key]["name"] != e["name"]:
            fail("an end of another name", e)
        else:
            asynchronous[key]["args"].update(e["args"])
            asynchronous.pop(key)["end"] = now
        continue
    thread = threads[where]
    if e["pid"] not in processes:
        fail("a process without a name", e)
    if e["ph"] != "C" and where not in names:
        fail("a thread without a name", e)
    thread.come_to(now, e)
    top = thread.stack[-1] if thread.stack else None
    if e["ph"] in "XB":
        end = now + ns(e["dur"]) if e["ph"] == "X" else None
        for _, outer in thread.stack:
            if end is not None and outer is not None and end > outer:
                fail("slices overlap", e)
        thread.stack.append([e, end])
        slices.append(e)
        e["args"] = dict(e["args"])
    elif e["ph"] == "E":
        if not top or top[0]["ph"] != "B":
            fail("nothing to end", e)
        top[0]["end"] = now
        top[0]["args"].update(e.get("args", {}))
        thread.stack.pop()
    elif e["ph"] in "sf":
        if e["ph"] in flows[e["id"]] or (e["ph"] == "f" and e["bp"] != "e"):
            fail("flow", e)
        if not top:
            fail("a flow outside of any slice", e)
        flows[e["id"]][e["ph"]] = (e, top[0])
    elif e["ph"] == "i":
        if e["s"] not in "tpg":
            fail("scope", e)
        instants.append(e)
    elif e["ph"] == "C":
        for value in e["args"].values():
            if value < 0:
                fail("counter", e)
            counters[f'{e["pid"]} {e["name"]}'].append(value)
    else:
        fail("unknown phase", e)

arrows = []
for halves in flows.values():
    if set(halves) != {"s", "f"}:
        fail("half a flow", list(halves.values()))
    (start, source), (end, target) = halves["s"], halves["f"]
    if (start["cat"], start["name"]) != (end["cat"], end["name"]) or start["ts"] > end["ts"]:
        fail("halves of different flows", [start, end])
    if source["ts"] > target["ts"]:
        fail("a flow to what began before", [start, end])
    arrows.append([source, target])
for where in names:
    if ("thread_sort_index", *where) not in sorts:
        sys.exit(f"no sort index: {where}")

print(json.dumps({
    "slices": len(slices), "unfinished": sum(s["ph"] in "Bb" and "end" not in s for s in slices), "flows": len(arrows),
    "instants": sorted(i["name"] for i in instants), "counters": {k: [len(v), v[-1]] for k, v in counters.items()},
    "processes": sorted(processes.values()), "threads": sorted(names.values()),
    "requests": sorted(([s["args"]["op"], s["name"], s["args"].get("ret")] for s in slices if s["ph"] == "b"), key=str),
    "names": dict(collections.Counter(s["name"] for s in slices)),
    "arrows": sorted(([s["name"], names[s["pid"], s["tid"]], s["args"].get("ret"), t["name"], names[t["pid"], t["tid"]]] for s, t in arrows), key=str),
}, sort_keys=True))
