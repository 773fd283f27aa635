# buffered.py - the talk's program for the multiplexer: copies its input to its output, 20 bytes at a time.
import os

from nonblockio import iomanager


class MyFD:
    def __init__(self, fd, to=None):
        self._fd = fd
        self._to = to
        self._writeBuf = b""

    def send(self, data):
        if not self._writeBuf:
            iomanager.register(self._fd, "write", self)
        self._writeBuf += data

    def ready(self, fd, op):
        if op == "read":
            readBuf = os.read(fd, 20)
            if readBuf:
                self._to.send(readBuf)
            else:
                iomanager.unregister(fd, "read")
        elif op == "write":
            cnt = os.write(fd, self._writeBuf[:20])
            self._writeBuf = self._writeBuf[cnt:]
            if not self._writeBuf:
                iomanager.unregister(fd, "write")


output = MyFD(1)
iomanager.register(0, "read", MyFD(0, to=output))
iomanager.register(1, "write", output)
iomanager.manage()
