#!/usr/bin/python3
"""Reads a trace of Perfetto's with what protoc has made of trace.proto; fails where it is not well formed.

usage: perfetto.py DIRECTORY-OF-trace_pb2.py FILE - prints what is in it, as one JSON object, as chrome.py does."""
import collections
import json
import sys

sys.path.insert(0, sys.argv[1])
import trace_pb2  # noqa: E402


def fail(why, packet):
    sys.exit(f"{why}: {packet}")


trace = trace_pb2.Trace()
with open(sys.argv[2], "rb") as f:
    trace.ParseFromString(f.read())
if trace.UnknownFields() if hasattr(trace, "UnknownFields") else False:
    sys.exit("unknown fields")

event_names, annotation_names, tracks = {}, {}, {}
stacks = collections.defaultdict(list)
flows, ended_flows, arrows = {}, set(), []
slices, instants, counters = [], [], collections.defaultdict(list)
last = 0


def name_of(track):
    t = tracks[track]
    return t.process.process_name or t.thread.thread_name or t.name


def is_requests(t):
    """Tracks of one name that are shown as one."""
    return t.sibling_merge_behavior != 2 and not any(t.HasField(f) for f in ("process", "thread", "counter"))


def process_of(track):
    t = tracks[track]
    return (tracks[t.parent_uuid] if t.parent_uuid else t).process


def arguments(event):
    return {annotation_names[a.name_iid]: a.string_value if a.HasField("string_value") else a.int_value for a in event.debug_annotations}


def take_flows(event, inner, begins):
    """The first that names a flow is its source."""
    for flow in list(event.flow_ids) + list(event.terminating_flow_ids):
        if flow in ended_flows:
            fail("a flow that had ended", event)
        if flow in flows:
            if flows[flow]["ts"] > inner["ts"]:
                fail("a flow to what began before", event)
            arrows.append([flows[flow], inner])
        elif flow in event.terminating_flow_ids or not begins:
            fail("a flow from nowhere", event)
        else:
            flows[flow] = inner
    ended_flows.update(event.terminating_flow_ids)


for i, p in enumerate(trace.packet):
    if p.trusted_packet_sequence_id != 1 or p.sequence_flags != (1 if i == 0 else 2):
        fail("sequence", p)
    if i == 0 and {c.clock_id for c in p.clock_snapshot.clocks} != {1, 3}:
        fail("clocks", p)
    for table, entries in ((event_names, p.interned_data.event_names), (annotation_names, p.interned_data.debug_annotation_names)):
        for n in entries:
            if n.iid in table or not n.iid:
                fail("a number that is taken", p)
            table[n.iid] = n.name
    if p.HasField("track_descriptor"):
        t = p.track_descriptor
        if not t.uuid or (t.parent_uuid and t.parent_uuid not in tracks):
            fail("track", p)
        tracks[t.uuid] = t
    if not p.HasField("track_event"):
        continue
    e = p.track_event
    if p.timestamp < last or p.timestamp_clock_id != 3:
        fail("time goes back", p)
    last = p.timestamp
    if e.track_uuid not in tracks:
        fail("a track without a description", p)
    stack = stacks[e.track_uuid]
    if e.type == e.SLICE_BEGIN:
        stack.append({"name": event_names[e.name_iid], "ts": p.timestamp, "track": e.track_uuid, "args": arguments(e)})
        slices.append(stack[-1])
        take_flows(e, stack[-1], True)
    elif e.type == e.SLICE_END:
        if not stack:
            fail("nothing to end", p)
        stack[-1]["args"].update(arguments(e))
        take_flows(e, stack[-1], False)
        stack.pop()["end"] = p.timestamp
    elif e.type == e.INSTANT:
        instants.append(event_names[e.name_iid])
    elif e.type == e.COUNTER and tracks[e.track_uuid].counter.unit == 3:
        counters[e.track_uuid].append(e.counter_value)
    else:
        fail("unknown type", p)

print(json.dumps({
    "slices": len(slices), "unfinished": sum("end" not in s for s in slices), "flows": len(arrows), "instants": sorted(instants),
    "counters": {f"{process_of(k).pid} {tracks[k].name}": [len(v), v[-1]] for k, v in counters.items()},
    "processes": sorted(t.process.process_name for t in tracks.values() if t.HasField("process")),
    "threads": sorted(t.thread.thread_name or t.name for t in tracks.values() if not t.HasField("process") and not t.HasField("counter") and not is_requests(t)),
    "requests": sorted(([s["args"]["op"], s["name"], s["args"].get("ret")] for s in slices if is_requests(tracks[s["track"]])), key=str),
    "names": dict(collections.Counter(s["name"] for s in slices)),
    "arrows": sorted(([s["name"], name_of(s["track"]), s["args"].get("ret"), t["name"], name_of(t["track"])] for s, t in arrows), key=str),
}, sort_keys=True))
