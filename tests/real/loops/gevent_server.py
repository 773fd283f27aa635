# gevent_server.py - lines and HTTP with gevent: blocking code on top of libev.
import contextlib
import signal

import gevent
import gevent.event
from gevent.pywsgi import WSGIServer
from gevent.server import StreamServer

def echo(sock, address):
    with contextlib.suppress(ConnectionError), sock, sock.makefile("rb") as lines:
        for line in lines:
            word, _, size = line.partition(b" ")
            sock.sendall(b"x" * int(size) + b"\n" if word == b"flood" else line)

def answer(environ, start_response):
    path = environ["PATH_INFO"]
    found = {"/": b"hello\n", "/large": b"large" * 600000}
    if path == "/reverse":
        found[path] = environ["wsgi.input"].read()[::-1]
    text = found.get(path, b"")
    start_response("200 OK" if path in found else "404 Not Found", [("Content-Length", str(len(text)))])
    return [text]

lines, http = StreamServer(("127.0.0.1", 0), echo), WSGIServer(("127.0.0.1", 0), answer, log=None)
lines.start()
http.start()
print(lines.server_port, http.server_port, flush=True)
over = gevent.event.Event()
gevent.signal_handler(signal.SIGTERM, over.set)
over.wait()
