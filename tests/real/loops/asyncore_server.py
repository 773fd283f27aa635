# asyncore_server.py - lines and HTTP with asyncore and asynchat, as its manual does it.
# usage: asyncore_server.py select|poll
import asynchat
import asyncore
import signal
import sys

class Listener(asyncore.dispatcher):
    def __init__(self, handler):
        super().__init__()
        self.handler = handler
        self.create_socket()
        self.bind(("127.0.0.1", 0))
        self.listen(50)

    def handle_accepted(self, sock, address):
        self.handler(sock)

class Echo(asynchat.async_chat):
    def __init__(self, sock):
        super().__init__(sock)
        self.set_terminator(b"\n")
        self.data = b""

    def collect_incoming_data(self, data):
        self.data += data

    def found_terminator(self):
        line, self.data = self.data, b""
        word, _, size = line.partition(b" ")
        self.push((b"x" * int(size) if word == b"flood" else line) + b"\n")

class Http(asynchat.async_chat):
    ac_in_buffer_size = ac_out_buffer_size = 65536

    def __init__(self, sock):
        super().__init__(sock)
        self.set_terminator(b"\r\n\r\n")
        self.data = []
        self.request = None

    def collect_incoming_data(self, data):
        self.data.append(data)

    def found_terminator(self):
        data, self.data = b"".join(self.data), []
        if self.request:
            self.answer(self.request, data)
            return
        lines = data.decode().split("\r\n")
        fields = dict(line.lower().split(": ") for line in lines[1:])
        if "content-length" in fields:
            self.request = lines[0]
            self.set_terminator(int(fields["content-length"]))
        else:
            self.answer(lines[0], b"")

    def answer(self, request, body):
        path = request.split()[1]
        found = {"/": b"hello\n", "/large": b"large" * 600000, "/reverse": body[::-1]}
        text = found.get(path, b"")
        status = b"200 OK" if path in found else b"404 Not Found"
        self.push(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(text), text))
        self.request = None
        self.set_terminator(b"\r\n\r\n")

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
echo, http = Listener(Echo), Listener(Http)
print(echo.socket.getsockname()[1], http.socket.getsockname()[1], flush=True)
asyncore.loop(use_poll=sys.argv[1] == "poll")
