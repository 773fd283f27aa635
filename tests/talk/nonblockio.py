# nonblockio.py - the talk's multiplexer: whoever registers an fd is told by its ready(fd, op) when the fd is ready for op.
#
# O_NONBLOCK belongs to the open file, not to the fd: where two registered fds share one (a terminal), the second is found
# non-blocking already, and "restored" to that.  So it is in the talk, and so it stays here, for the tests to show.
import fcntl
import os
import select

POLL_OPS = {"read": select.POLLIN, "write": select.POLLOUT}


class _IoManager:
    def __init__(self):
        self.fd_flags = {}
        self.fd_callbacks = {}
        self.poll = select.poll()

    def register(self, fd, op, ctx):
        if fd not in self.fd_flags:
            ofl = fcntl.fcntl(fd, fcntl.F_GETFL)
            self.fd_flags[fd] = ofl
            fcntl.fcntl(fd, fcntl.F_SETFL, ofl | os.O_NONBLOCK)
        self.fd_callbacks.setdefault(fd, {})[op] = {"fd": fd, "ctx": ctx}
        self._watch(fd)

    def unregister(self, fd, op):
        del self.fd_callbacks[fd][op]
        if self.fd_callbacks[fd]:
            self._watch(fd)
            return
        del self.fd_callbacks[fd]
        self.poll.unregister(fd)
        fcntl.fcntl(fd, fcntl.F_SETFL, self.fd_flags.pop(fd))

    def _watch(self, fd):
        self.poll.register(fd, sum(POLL_OPS[op] for op in self.fd_callbacks[fd]))

    def manage(self):
        try:
            while self.fd_callbacks:
                cbs = []
                for fd, eventmask in self.poll.poll():
                    for op, cb in self.fd_callbacks[fd].items():
                        # A hangup or an error is for everyone: the call itself tells what it is.
                        if eventmask & (POLL_OPS[op] | select.POLLHUP | select.POLLERR):
                            cbs.append((op, cb))
                for op, cb in cbs:
                    cb["ctx"].ready(cb["fd"], op)
        finally:
            for fd, ofl in self.fd_flags.items():
                fcntl.fcntl(fd, fcntl.F_SETFL, ofl)


iomanager = _IoManager()
