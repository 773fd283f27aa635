# client.py - talks to one of the servers here: on one port it answers lines, on the other it speaks HTTP.
# usage: client.py ECHO_PORT HTTP_PORT
import http.client
import socket
import struct
import sys
import threading

ECHO, HTTP = int(sys.argv[1]), int(sys.argv[2])
LARGE = 8000000

def connect(receive_buffer=0):
    s = socket.socket()
    if receive_buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.connect(("127.0.0.1", ECHO))
    return s, s.makefile("rb")

# Lines in two parts, so that the server finds half a line.
def talk(n, results):
    s, f = connect()
    for i in range(50):
        s.sendall(b"line %d " % i)
        s.sendall(b"of %d\n" % n)
        results[n] += f.readline() == b"line %d of %d\n" % (i, n)
    s.shutdown(socket.SHUT_WR)
    results[n] += f.read() == b""
    s.close()

results = [0] * 20
threads = [threading.Thread(target=talk, args=(n, results)) for n in range(20)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("talked:", results)

# Answers that nobody reads yet hold up nobody else; that more is asked for meanwhile finds the server's buffers full.
slow = [connect(4096) for _ in range(2)]
for s, _ in slow:
    s.sendall(b"flood %d\n" % LARGE)
for s, _ in slow:
    s.recv(1, socket.MSG_PEEK)
    s.sendall(b"after it\n" * 100)
s, f = connect()
for _ in range(2):
    s.sendall(b"meanwhile\n")
    print(f.readline())
for _, f in slow:
    flood = f.readline()
    print("flood:", len(flood), flood.count(b"x"), {f.readline() for _ in range(100)})

# An end in mid-line, and one in mid-answer by a reset.
s.sendall(b"half a line")
s.close()
s, _ = connect(4096)
s.sendall(b"flood %d\n" % LARGE)
s.recv(1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
s.close()

def ask(c, method, path, body=None):
    c.request(method, path, body)
    r = c.getresponse()
    text = r.read()
    print(method, path, r.status, len(text), text[:20])

for _ in range(2):
    c = http.client.HTTPConnection("127.0.0.1", HTTP)
    for _ in range(10):
        ask(c, "GET", "/")
    ask(c, "GET", "/large")
    ask(c, "POST", "/reverse", b"0123456789" * 20000)
    ask(c, "GET", "/none")
    c.close()
