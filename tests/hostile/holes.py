# Asks for files that are larger than the disk, with and without blocks.
import os
import signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for number in range(300):
    try:
        file = os.open("/tmp/f%d" % number, os.O_CREAT | os.O_RDWR)
        for act in (lambda: os.ftruncate(file, 1 << 50), lambda: os.posix_fallocate(file, 0, 1 << 40),
                    lambda: os.pwrite(file, b"x", 1 << 45), lambda: os.posix_fallocate(file, 0, 1 << 20)):
            try:
                act()
            except OSError:
                pass
        if os.fstat(file).st_size > 64 << 20:
            print("LARGE", os.fstat(file).st_size)
        os.close(file)
    except OSError:
        break
print(4)
