"""echo.py WAY PORT - a server that sends each line back, and waits by select.poll(), select.select(), select.epoll(), asyncio or
Twisted on one of these; or in a thread for each connection."""
import select
import selectors
import socket
import sys

BACKLOG = 4096


def listen(port):
    listener = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    listener.setblocking(False)
    return listener


def serve(listener, fd, connections, add, remove):
    """What is to be done when fd is ready."""
    if fd == listener.fileno():
        connection, _ = listener.accept()
        connections[connection.fileno()] = connection
        add(connection.fileno())
        return
    try:
        data = connections[fd].recv(65536)
    except ConnectionResetError:
        data = b""
    if data:
        connections[fd].sendall(data)
    else:
        remove(fd)
        connections.pop(fd).close()


def by_object(listener, waiter, events):
    """select.poll() and select.epoll(): the same methods."""
    connections = {}
    waiter.register(listener.fileno(), events)
    while True:
        for fd, _ in waiter.poll():
            serve(listener, fd, connections, lambda fd: waiter.register(fd, events), waiter.unregister)


def by_select(listener):
    connections, fds = {}, [listener.fileno()]
    while True:
        for fd in select.select(fds, [], [])[0]:
            serve(listener, fd, connections, fds.append, fds.remove)


def by_asyncio(port, selector):
    import asyncio

    async def echo(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def main():
        server = await asyncio.start_server(echo, "127.0.0.1", port, backlog=BACKLOG)
        await server.serve_forever()

    asyncio.set_event_loop(loop := asyncio.SelectorEventLoop(selector))
    loop.run_until_complete(main())


def by_threads(listener):
    import threading

    def echo(connection):
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    listener.setblocking(True)
    while True:
        threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()


def by_twisted(port, name):
    import importlib

    importlib.import_module(f"twisted.internet.{name}reactor").install()
    from twisted.internet import protocol, reactor

    class Echo(protocol.Protocol):
        def dataReceived(self, data):
            self.transport.write(data)

    reactor.listenTCP(port, protocol.Factory.forProtocol(Echo), backlog=BACKLOG, interface="127.0.0.1")
    reactor.run()


way, port = sys.argv[1], int(sys.argv[2])
kind, _, name = way.rpartition("-")
if kind == "asyncio":
    by_asyncio(port, {"poll": selectors.PollSelector, "select": selectors.SelectSelector, "epoll": selectors.EpollSelector}[name]())
elif kind == "twisted":
    by_twisted(port, name)
elif way == "select":
    by_select(listen(port))
elif way == "threads":
    by_threads(listen(port))
elif way == "poll":
    by_object(listen(port), select.poll(), select.POLLIN)
else:
    by_object(listen(port), select.epoll(), select.EPOLLIN)
