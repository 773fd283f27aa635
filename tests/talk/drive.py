# drive.py pipe|socket|terminal [EXPECT SEND]... -- CMD... - runs CMD with slow input of that kind.
#
# Each SEND goes out only when EXPECT has come from CMD since the last one, and CMD has read all that was sent and sleeps: no
# clock decides whether it has to wait.  An empty SEND is the end of the input.  On a terminal CMD has its stdout, too.
# What CMD wrote is shown at the end, then whether it left its input non-blocking; the status is CMD's.
import array
import fcntl
import os
import pty
import select
import socket
import subprocess
import sys
import termios
import tty


def make_input(kind):
    """Our end, and CMD's."""
    if kind == "pipe":
        return os.pipe()[::-1]
    if kind == "socket":
        return [s.detach() for s in socket.socketpair()]
    ours, theirs = pty.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[tty.OFLAG] &= ~termios.OPOST
    attributes[tty.LFLAG] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    return ours, theirs


class Driver:
    def __init__(self, kind, command):
        self.kind = kind
        self.ours, self.theirs = make_input(kind)
        stdout = self.theirs if kind == "terminal" else subprocess.PIPE
        self.program = subprocess.Popen(command, stdin=self.theirs, stdout=stdout)
        self.output = self.ours if kind == "terminal" else self.program.stdout.fileno()
        self.seen = b""
        self.unmatched = b""

    def take_output(self, milliseconds):
        """False at its end."""
        poll = select.poll()
        poll.register(self.output, select.POLLIN)
        if not poll.poll(milliseconds):
            return True
        try:
            data = os.read(self.output, 65536)
        except OSError:
            # The terminal's last user has gone.
            return False
        self.seen += data
        self.unmatched += data
        return bool(data)

    def unread(self):
        """Whether CMD has yet to read what was sent.  Of a terminal only its answers tell."""
        if self.kind == "terminal":
            return False
        count = array.array("i", [0])
        fcntl.ioctl(self.ours, termios.FIONREAD if self.kind == "pipe" else termios.TIOCOUTQ, count)
        return count[0] > 0

    def state(self):
        """The letter of proc(5): S sleeps, Z has ended."""
        with open("/proc/%d/stat" % self.program.pid) as stat:
            return stat.read().rpartition(") ")[2][0]

    def converse(self, expect, send):
        while self.state() != "Z":
            if expect in self.unmatched and not self.unread() and self.state() == "S":
                self.unmatched = self.unmatched[self.unmatched.index(expect) + len(expect):]
                self.send(send)
                return
            self.take_output(1)

    def send(self, data):
        if self.kind == "terminal":
            os.write(self.ours, data or b"\x04")
        elif data:
            os.write(self.ours, data)
        else:
            os.close(self.ours)

    def finish(self):
        while self.state() != "Z":
            self.take_output(1)
        left = fcntl.fcntl(self.theirs, fcntl.F_GETFL) & os.O_NONBLOCK
        os.close(self.theirs)
        while self.take_output(None):
            pass
        os.write(1, self.seen)
        if left:
            os.write(2, b"left non-blocking\n")
        status = self.program.wait()
        return status if status >= 0 else 128 - status


kind = sys.argv[1]
end = sys.argv.index("--")
script = [os.fsencode(word) for word in sys.argv[2:end]]
driver = Driver(kind, sys.argv[end + 1:])
for expect, send in zip(script[::2], script[1::2]):
    driver.converse(expect, send)
sys.exit(driver.finish())
