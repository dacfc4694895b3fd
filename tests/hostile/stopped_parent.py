# Stops itself, so that whoever waits for its turn waits; a child of another session burns the time.
import os
import signal

if os.fork() == 0:
    os.setsid()
    while True:
        pass
os.kill(os.getpid(), signal.SIGSTOP)
