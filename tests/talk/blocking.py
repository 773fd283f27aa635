# blocking.py - the talk's first program: a greeter that reads its lines four bytes at a time, and blocks in each read.
import os

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
        val = os.read(0, 4)
        if not val:
            raise SystemExit
        if val.endswith(b"\n"):
            msg += val[:-1]
            break
        msg += val
