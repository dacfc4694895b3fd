# Fills the buffers of as many pairs of sockets as it may have, in as many processes.
import os
import socket
import time

block = b"x" * 65536
while True:
    try:
        if os.fork() == 0:
            break
    except OSError:
        time.sleep(3600)
kept = []
try:
    while True:
        pair = socket.socketpair()
        kept.append(pair)
        for end in pair:
            end.setblocking(False)
            try:
                while True:
                    end.send(block)
            except BlockingIOError:
                pass
except OSError:
    time.sleep(3600)
