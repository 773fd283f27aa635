"""soak.py SECONDS CSV - loads servers for so long, checks each byte that they answer, and looks at what they use meanwhile.

stdin has a line for each: NAME WATCHER KIND PORT PID TRACE (- where there is none).  Every request is checked, connections come and
go.  A sample is taken SAMPLES times; of the samples, the second tenth is the beginning (the first is to get warm), the last the end."""
import asyncio
import csv
import hashlib
import os
import random
import statistics
import sys
import time

SAMPLES = 60
CONNECTIONS = 4         # of each server, at a time
RATE = 40               # requests a second, to each
REUSED = 25             # requests for which a connection serves
FILES = {name: size for name, size in (("small", 1000), ("medium", 50000), ("large", 500000))}


class Target:
    def __init__(self, line):
        self.name, self.watcher, self.kind, port, pid, trace = line.split()
        self.port, self.pid, self.trace = int(port), int(pid), None if trace == "-" else trace
        self.took, self.requests, self.wrong, self.samples = [], 0, 0, []


async def get_file(reader, writer, target):
    name = random.choices(list(FILES), (10, 3, 1))[0]
    writer.write(f"GET /{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(FILES[name])
    return head.startswith(b"HTTP/1.1 200") and hashlib.sha256(body).digest() == target.sums[name]


async def set_and_get(reader, writer, target):
    key, value = b"key%d" % random.randrange(1000), random.randbytes(random.randrange(1, 8000))
    # Together: nobody else sets it in between.
    writer.write(b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n"
                 % (len(key), key, len(value), value, len(key), key))
    wanted = b"+OK\r\n$%d\r\n%b\r\n" % (len(value), value)
    return await reader.readexactly(len(wanted)) == wanted


async def echo(reader, writer, target):
    data = random.randbytes(random.randrange(1, 20000))
    writer.write(data)
    return await reader.readexactly(len(data)) == data


ASK = {"http": get_file, "redis": set_and_get, "echo": echo}


async def load(target):
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        for _ in range(random.randrange(1, 2 * REUSED)):
            since = time.perf_counter()
            right = await ASK[target.kind](reader, writer, target)
            target.took.append((time.perf_counter() - since) * 1e6)
            target.requests += 1
            target.wrong += not right
            await asyncio.sleep(random.random() * 2 * CONNECTIONS / RATE)
        writer.close()
        await writer.wait_closed()


def lines_of(path):
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.readlines()
    except OSError:
        return []


def tree(pid):
    """pid and what it has started."""
    pids = [pid]
    for at in pids:
        try:
            tasks = os.listdir(f"/proc/{at}/task")
        except OSError:
            continue
        for task in tasks:
            for line in lines_of(f"/proc/{at}/task/{task}/children"):
                pids += map(int, line.split())
    return pids


def is_observer(pid):
    return lines_of(f"/proc/{pid}/comm") == ["eagain-observer\n"]


def memory(pid, trace):
    """KiB that are its own, and its share of others; without the trace."""
    size, counts = 0, True
    for line in lines_of(f"/proc/{pid}/smaps"):
        words = line.split()
        if not words[0].endswith(":"):
            counts = not trace or trace not in line
        elif words[0] == "Pss:" and counts:
            size += int(words[1])
    return size


def fds(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def percentile(values, share):
    return sorted(values)[int(len(values) * share)] if values else float("nan")


def sample(target):
    pids = tree(target.pid)
    observers = [pid for pid in pids if is_observer(pid)]
    own = [pid for pid in pids if pid not in observers]
    seen = {
        "memory, KiB": sum(memory(pid, target.trace) for pid in own),
        "fds": sum(map(fds, own)),
        "median, us": percentile(target.took, 0.5),
        "99th percentile, us": percentile(target.took, 0.99),
    }
    if observers:
        seen["observer: memory, KiB"] = sum(memory(pid, target.trace) for pid in observers)
        seen["observer: fds"] = sum(map(fds, observers))
    if target.trace:
        seen["trace, KiB"] = sum(os.stat(entry.path).st_blocks for entry in os.scandir(target.trace)) // 2
    target.took = []
    target.samples.append(seen)


def tenth(target, what, n):
    """Of a target's samples: the median of the nth tenth, from 0 on."""
    part = len(target.samples) / 10
    return statistics.median(s[what] for s in target.samples[int(n * part):max(int((n + 1) * part), int(n * part) + 1)])


def judge(target, what, limit_kib, natives):
    """What came of it: flat, or not."""
    begin, end = tenth(target, what, 1), tenth(target, what, 9)
    if what.startswith("trace"):
        most = max(s[what] for s in target.samples)
        # The file system may need a block for the list of a file's pieces.
        limit_kib += 4 * len(os.listdir(target.trace))
        return f"within {limit_kib}" if most <= limit_kib else f"ABOVE {limit_kib}: {most}"
    if what.endswith("KiB"):
        return "flat" if end <= begin * 1.02 + 512 else "GROWS"
    if what.endswith("fds"):
        return "flat" if end <= begin + 2 else "GROWS"
    if target.watcher == "native":
        return ""
    native = natives[target.name]
    begin, end = begin / tenth(native, what, 1), end / tenth(native, what, 9)
    return f"{begin:.2f}, {end:.2f} x native: " + ("flat" if end <= begin * (1.25 if what.startswith("median") else 2) else "GROWS")


def show(targets, limit_kib, seconds):
    natives = {t.name: t for t in targets if t.watcher == "native"}
    print(f"{seconds} seconds, {sum(t.requests for t in targets)} requests, {sum(t.wrong for t in targets)} of them answered wrong;"
          f" medians of the second, the fifth and the last tenth of {SAMPLES} samples")
    print(f"{'':46}{'begin':>10}{'middle':>10}{'end':>10}")
    for t in targets:
        for what in t.samples[0]:
            row = "".join(f"{tenth(t, what, n):>10.0f}" for n in (1, 4, 9))
            print(f"{t.name + ', ' + t.watcher + ': ' + what:<46}{row}  {judge(t, what, limit_kib, natives)}".rstrip())
        print(f"{t.name + ', ' + t.watcher + ': requests, wrong':<46}{t.requests:>20}{t.wrong:>10}")
    print("flat: the end is at most 2 % and 512 KiB, or 2 fds, above the beginning; a median, against the native server's in the same\n"
          "samples, at most 1.25 times what that was at the beginning; a 99th percentile at most twice")


async def soak(targets, seconds, path):
    names = list(dict.fromkeys(what for kind in ("record", "readiness") for what in (
        "memory, KiB", "fds", "median, us", "99th percentile, us", "observer: memory, KiB", "observer: fds", "trace, KiB")))
    tasks = [asyncio.create_task(load(t)) for t in targets for _ in range(CONNECTIONS)]
    begin = time.monotonic()
    with open(path, "w", newline="", encoding="ascii") as file:
        out = csv.writer(file)
        out.writerow(["seconds", "name", "watcher", *names])
        for n in range(1, SAMPLES + 1):
            done, _ = await asyncio.wait(tasks, timeout=max(0, begin + seconds * n / SAMPLES - time.monotonic()),
                                         return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            for t in targets:
                sample(t)
                out.writerow([round(time.monotonic() - begin), t.name, t.watcher, *(t.samples[-1].get(name, "") for name in names)])
            file.flush()
    for task in tasks:
        task.cancel()


def main():
    seconds, path, limit_kib, www = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    targets = [Target(line) for line in sys.stdin]
    sums = {}
    for name, size in FILES.items():
        content = random.randbytes(size)
        with open(f"{www}/{name}", "wb") as file:
            file.write(content)
        sums[name] = hashlib.sha256(content).digest()
    for target in targets:
        target.sums = sums
    asyncio.run(soak(targets, seconds, path))
    show(targets, limit_kib, seconds)
    sys.exit(any(t.wrong for t in targets))


main()
