# nonblocking2.py [SECONDS] - the greeter on a non-blocking fd, with a read that sleeps and retries for as long as it would block.
import errno
import fcntl
import os
import sys
import time

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1


def nread(fd, length):
    val = None
    while val is None:
        try:
            val = os.read(fd, length)
        except OSError as e:
            if e.errno != errno.EWOULDBLOCK:
                raise
            time.sleep(seconds)
    return val


ofl = fcntl.fcntl(0, fcntl.F_GETFL)
fcntl.fcntl(0, fcntl.F_SETFL, ofl | os.O_NONBLOCK)
try:
    msg = b""
    while True:
        if msg == b"exit":
            os.write(1, b"Goodbye\n")
            break
        elif msg:
            os.write(1, b"Hello [%s]\n" % msg)
            msg = b""
        os.write(1, b":")
        while True:
            val = nread(fd=0, length=4)
            if not val:
                raise SystemExit
            if val.endswith(b"\n"):
                msg += val[:-1]
                break
            msg += val
finally:
    fcntl.fcntl(0, fcntl.F_SETFL, ofl)
