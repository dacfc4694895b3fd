# Executes itself with an environment that doubles until the kernel refuses it.
import os
import sys

size = int(sys.argv[1]) if len(sys.argv) > 1 else 4096
try:
    os.execve("/usr/bin/python3", ["python3", "/box/main.py", str(2 * size)],
              {"V%d" % i: "x" * 100000 for i in range(size // 100000 + 1)})
except OSError:
    print(4)
