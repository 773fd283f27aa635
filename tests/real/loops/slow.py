# slow.py - an event loop with one callback that is slow: slow.py asyncio|tornado|twisted-select|twisted-poll|twisted-epoll HOW
# The callback says "begin" and "end" on stderr, and does one of SLOW between.
import asyncio
import os
import sys
import threading
import time

SECONDS = 0.06
lock = threading.Lock()
held = threading.Event()

def compute():
    end = time.thread_time() + SECONDS
    while time.thread_time() < end:
        pass

def hold():
    with lock:
        held.set()
        time.sleep(SECONDS)

def wait_for_lock():
    threading.Thread(target=hold).start()
    held.wait()
    with lock:
        pass

def read_pipe():
    reader, writer = os.pipe()
    threading.Timer(SECONDS, os.write, (writer, b"x")).start()
    os.read(reader, 1)

SLOW = {"compute": compute, "sleep": lambda: time.sleep(SECONDS), "lock": wait_for_lock, "read": read_pipe}

def callback(how, stop):
    os.write(2, b"begin\n")
    SLOW[how]()
    os.write(2, b"end\n")
    stop()

def run_asyncio(how):
    loop = asyncio.new_event_loop()
    loop.call_later(0.01, callback, how, lambda: loop.call_later(0.01, loop.stop))
    loop.run_forever()

def run_tornado(how):
    from tornado.ioloop import IOLoop

    loop = IOLoop()
    loop.call_later(0.01, callback, how, lambda: loop.call_later(0.01, loop.stop))
    loop.start()

def run_twisted(how, reactor_name):
    import importlib

    importlib.import_module("twisted.internet.%sreactor" % reactor_name).install()
    from twisted.internet import reactor

    # From within: what is due when it starts is called before its first poll.
    reactor.callLater(0, lambda: reactor.callLater(0.01, callback, how, lambda: reactor.callLater(0.01, reactor.stop)))
    reactor.run()

name, _, reactor_name = sys.argv[1].partition("-")
if name == "twisted":
    run_twisted(sys.argv[2], reactor_name)
else:
    {"asyncio": run_asyncio, "tornado": run_tornado}[name](sys.argv[2])
