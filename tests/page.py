# page.py - what `eagain export html` has packed into its page, read anew from the description in tracer/export_html.c.
import base64
import hashlib
import html.parser
import re

VOID = {"meta", "input", "br", "img", "link", "hr"}


class Parts(html.parser.HTMLParser):
    """The page's elements; that they close in order is asserted."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.content, self.policy = [], [], {}, None
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "meta" and dict(attributes).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attributes)["content"]
        if tag not in VOID:
            self.open.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        tag, attributes = self.open[-1] if self.open else ("", {})
        key = (tag, attributes.get("id"))
        self.content.setdefault(key, []).append(data)


class Packing:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self):
        n = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return n

    def numbers(self, count):
        return [self.number() for _ in range(count)]

    def signed(self):
        n = self.number()
        return -(n + 1) // 2 if n % 2 else n // 2

    def text(self):
        size = self.number()
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def list(self, read):
        return [read() for _ in range(self.number())]


FACTS = "version wall realtime events lost dropped lost_processes unread vanished all short shortest lanes_more fds_more stalls_all directions".split()
DIRECTIONS = [None, "read", "write", "poll", "sleep", "child", "lock", "signal", "aio"]


def operation(p, t):
    o = dict(zip(("took", "call", "way", "flags", "fd"), p.numbers(5)))
    flags = o["flags"]
    o["call"], o["direction"], o["waited"] = t["calls"][o["call"]], DIRECTIONS[flags >> 7 & 15], 0
    is_lock = flags >> 14 & 1
    if flags & 4 or is_lock:
        o["result"] = p.signed()
    if flags & 3 == 3:
        o["parked"], _, o["waited"] = p.numbers(3)
    elif flags & 1:
        o["waited"] = o["took"]
    if is_lock:
        o["address"] = p.number()
    if flags & 2:
        o["number"], o["length"], count, o["more"] = p.numbers(4)
        o["steps"] = [(n >> 2, after) for n, after in (p.numbers(2) for _ in range(count))]
    if flags & 8:
        count, o["ready_more"] = p.numbers(2)
        o["ready"] = [p.numbers(2) for _ in range(count)]
    return o


def operations(p, t, lane):
    start, lane["operations"] = 0, []
    for _ in range(p.number()):
        start += p.number()
        lane["operations"].append({"start": start, **operation(p, t)})


def request(p, t):
    r = dict(zip(("row", "fd", "op", "call", "start", "took", "flags", "length"), p.numbers(8)))
    r.update(call=t["calls"][r["call"]], offset=p.signed(), result=p.signed(), ran=p.number())
    return r


def bin_(p, t):
    _, count, used = p.numbers(3)
    return {"count": count, "ns": [p.number() if used >> d & 1 else 0 for d in range(t["directions"])]}


def read(path):
    parts = Parts(open(path, encoding="utf-8", errors="strict").read())
    (block,) = parts.content["script", "data"]
    assert re.fullmatch(r"[A-Za-z0-9+/=\n]*", block), "more than base64"
    p = Packing(base64.b64decode(block))
    t = dict(zip(FACTS, p.numbers(len(FACTS))))
    t["calls"] = [c[0] for c in p.list(lambda: (p.text(), p.number(), p.number()))]
    t["ways"], t["whys"], t["kinds"], t["errors"] = (p.list(p.text) for _ in range(4))
    t["processes"] = p.list(lambda: {
        "pid": p.number(), "ppid": p.number(), "command": p.text(), "previous": p.number(), "start": p.number(), "end": p.number(),
        "cpu": p.number(), "status": p.number(), "signal": p.number(), "threads": p.number(), "waits": [0] + p.numbers(t["directions"] - 1)})
    t["lanes"] = p.list(lambda: {
        "process": p.number(), "tid": p.number(), "name": p.text(), "start": p.number(), "wall": p.number(), "cpu": p.number(),
        "unknown": p.number(), "waits": [0] + p.numbers(t["directions"] - 1)})
    t["fds"] = p.list(lambda: {
        "process": p.number(), "fd": p.number() - 1, "kind": p.number(), "way": p.number(), "name": p.text(), "peer": p.number(),
        "others": p.number(), "calls": p.number(), "would_block": p.number(), "read": p.number(), "written": p.number(),
        "waits": p.numbers(3), "longest": p.number(), "flags": p.number()})
    t["kept"] = p.number()
    for lane in t["lanes"]:
        operations(p, t, lane)
    t["bin_ns"] = p.number()
    for lane in t["lanes"]:
        lane["bins"] = p.list(lambda: bin_(p, t))
    t["stalls"] = p.list(lambda: {
        "lane": p.number(), "start": p.number(), "took": p.number(), "cpu": p.number(), "waits": [0] + p.numbers(t["directions"] - 1), "longest": p.number(),
        "call": t["calls"][p.number()], "fd": p.number()})
    t["ready_all"] = p.number() - 1
    t["readiness"] = p.list(lambda: dict(zip(("lane", "fd", "start", "took", "flags"), p.numbers(5))))
    t["flight_ns"] = p.number()
    t["flights"] = p.list(lambda: {"process": p.number(), "count": p.number(), "bins": p.list(lambda: p.numbers(2))})
    t["requests_all"] = p.number()
    t["requests"] = p.list(lambda: request(p, t))
    assert p.at == len(p.data), "something is left"
    t["parts"] = parts
    return t


def digest(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
