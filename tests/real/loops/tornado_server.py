# tornado_server.py - lines and HTTP with Tornado.
import asyncio
import logging
import signal

from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.tcpserver import TCPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

class Echo(TCPServer):
    async def handle_stream(self, stream, address):
        try:
            while True:
                line = await stream.read_until(b"\n")
                word, _, size = line.partition(b" ")
                await stream.write(b"x" * int(size) + b"\n" if word == b"flood" else line)
        except StreamClosedError:
            pass

class Root(RequestHandler):
    def get(self):
        self.write("hello\n")

class Large(RequestHandler):
    def get(self):
        self.write("large" * 600000)

class Reverse(RequestHandler):
    def post(self):
        self.write(self.request.body[::-1])

async def main():
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    echo, http = bind_unused_port(), bind_unused_port()
    Echo().add_socket(echo[0])
    HTTPServer(Application([("/", Root), ("/large", Large), ("/reverse", Reverse)])).add_socket(http[0])
    print(echo[1], http[1], flush=True)
    await over.wait()

logging.getLogger("tornado.access").setLevel(logging.ERROR)
asyncio.run(main())
