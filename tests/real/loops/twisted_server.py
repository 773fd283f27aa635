# twisted_server.py - lines and HTTP with Twisted.
# usage: twisted_server.py select|poll|epoll
import importlib
import sys

importlib.import_module("twisted.internet.%sreactor" % sys.argv[1]).install()

from twisted.internet import protocol, reactor
from twisted.protocols import basic
from twisted.web import resource, server

class Echo(basic.LineReceiver):
    delimiter = b"\n"

    def lineReceived(self, line):
        word, _, size = line.partition(b" ")
        self.sendLine(b"x" * int(size) if word == b"flood" else line)

class Text(resource.Resource):
    isLeaf = True

    def render_GET(self, request):
        found = {b"/": b"hello\n", b"/large": b"large" * 600000}
        if request.path not in found:
            request.setResponseCode(404)
        return found.get(request.path, b"")

    def render_POST(self, request):
        return request.content.read()[::-1]

echo = reactor.listenTCP(0, protocol.Factory.forProtocol(Echo), interface="127.0.0.1")
http = reactor.listenTCP(0, server.Site(Text()), interface="127.0.0.1")
print(echo.getHost().port, http.getHost().port, flush=True)
reactor.run()
