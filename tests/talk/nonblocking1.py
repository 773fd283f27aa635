# nonblocking1.py [SECONDS] - the greeter on a non-blocking fd, as far as the flag alone goes: it sleeps before it reads, and dies
# of its BlockingIOError if there is nothing to read by then.  With 0 it does not sleep: time.sleep(0) would, for a moment.
import fcntl
import os
import sys
import time

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1

ofl = fcntl.fcntl(0, fcntl.F_GETFL)
fcntl.fcntl(0, fcntl.F_SETFL, ofl | os.O_NONBLOCK)

msg = b""
while True:
    if msg == b"exit":
        os.write(1, b"Goodbye\n")
        break
    elif msg:
        os.write(1, b"Hello [%s]\n" % msg)
        msg = b""
    os.write(1, b":")
    if seconds:
        time.sleep(seconds)
    while True:
        val = os.read(0, 4)
        if not val:
            raise SystemExit
        if val.endswith(b"\n"):
            msg += val[:-1]
            break
        msg += val
