# Sleeps in children only, each woken by the next.
import os
import time

if os.fork() == 0:
    if os.fork() == 0:
        time.sleep(3600)
    os.wait()
    os._exit(0)
os.wait()
