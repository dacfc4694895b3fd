# A Python that is warm: its children are confined in cells and run the file that was asked for.
#
# python3 zygote.py [TEXT-OF-DRIVER [tools]]. Started by assay-sandboxd in its worker, in whose namespaces it stays; runs
# nothing but this file, the driver's definitions and the standard library itself. Descriptor 3: requests, 4: the filter
# of system calls, 5: the library of sandbox/python/fork.c, which waits, forks and confines.
#
# What is imported and made before a fork is what a run does not wait for; but each page is one that a fork copies the
# entry of, and each page that a child touches is copied (2 us): hence no more modules than programs often use, and the
# odd ways between the fork and the program.
import atexit
import bisect
import builtins
import collections
import copy
import ctypes
import functools
import gc
import heapq
import io
import itertools
import math
import operator
import os
import random
import re
import string
import sys
import threading
import types
import typing
from importlib.util import decode_source
from _signal import SIG_DFL, SIGINT, default_int_handler, signal

def finish(status, main):
    """What Py_Finalize does that can be seen from outside, without its walk through all memory."""
    if status is None:
        status = 0
    interrupted = status == "interrupted"
    if not isinstance(status, int):
        if not interrupted:
            print(status, file=sys.stderr)
        status = 1
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    try:
        if sys.stdout is not None and not sys.stdout.closed:
            sys.stdout.flush()
    except BaseException:
        status = 120
    names = main.__dict__
    for name in [n for n in names if not n.startswith("__")]:
        names[name] = None
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except BaseException:
            status = status or 120
    if interrupted:
        signal(SIGINT, SIG_DFL)
        os.kill(os.getpid(), SIGINT)
    os._exit(status & 0xFF)


def run_file(path, main, driver):
    status = 0
    try:
        with open(path, "rb", buffering=0) as file:
            source = file.readall()
        if not source.isascii():
            source = decode_source(source)  # bytes that are no UTF-8 are an error, as in a file
        code = driver[1] if source == driver[0] else compile(source, path, "exec", dont_inherit=True)
        exec(code, main.__dict__)
    except SystemExit as error:
        status = error.code
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        status = "interrupted"
    except BaseException as error:
        trace = error.__traceback__
        error.__traceback__ = trace.tb_next if trace else None  # without our own frame
        sys.excepthook(type(error), error, error.__traceback__)
        status = 1
    return finish(status, main)


def streams():
    """sys.stdin, stdout and stderr as a run has them: on a file in memory and two pipes. What they learn of their
    descriptors when they are made (whether one can seek) holds for the run's own."""
    memory, (read, write) = os.memfd_create("stdin"), os.pipe()
    for descriptor, number in ((memory, 0), (write, 1), (write, 2)):
        os.dup2(descriptor, number)
    for descriptor in (memory, read, write):
        os.close(descriptor)
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        errors = "backslashreplace" if number == 2 else "surrogateescape"
        stream = open(number, mode, encoding="utf-8", errors=errors, closefd=False)
        if number == 2:
            stream.reconfigure(line_buffering=True)
        setattr(sys, name, stream)
        setattr(sys, "__%s__" % name, stream)


def refresh_stdin():
    """Standard input is a pipe, or standard streams lie elsewhere: what is known of the file in memory is wrong."""
    try:
        os.lseek(0, 0, os.SEEK_CUR)
    except OSError:
        sys.stdin = sys.__stdin__ = open(0, "r", encoding="utf-8", errors="surrogateescape", closefd=False)


def fresh_main():
    main = types.ModuleType("__main__")
    main.__builtins__ = builtins
    main.__annotations__ = {}
    sys.modules["__main__"] = main
    return main


def compiled(text):
    """In another process: what a compiler leaves in memory would be part of every fork."""
    import marshal
    read, write = os.pipe()
    if os.fork() == 0:
        with open(write, "wb") as file:
            file.write(marshal.dumps(compile(text, "/box/main.py", "exec", dont_inherit=True)))
        os._exit(0)
    os.close(write)
    with open(read, "rb") as file:
        code = marshal.loads(file.read())
    os.wait()
    return code


def serve(driver):
    native = ctypes.PyDLL("/proc/self/fd/5")  # PyDLL: nobody else waits for the interpreter
    filters = os.pread(4, 1 << 20, 0)
    held = ctypes.create_string_buffer(filters, len(filters))
    room = ctypes.create_string_buffer(65536)
    os.close(4)
    os.close(5)
    streams()
    for name in ("ctypes", "_ctypes"):  # programs that import them get fresh ones
        sys.modules.pop(name, None)
    main = fresh_main()
    main.__file__ = ""
    sys.path[0:1] = ["/box"]
    wait = native.assay_serve
    arguments = (3, ctypes.byref(held), ctypes.c_ushort(len(filters) // 8), ctypes.byref(room),
                 ctypes.c_size_t(len(room)))
    text = memoryview(room).cast("B")
    compile(b"0", "", "exec")  # the first makes a class for each kind of syntax tree
    os.write(3, b"ready")
    gc.collect()
    gc.freeze()
    while True:
        random.seed()
        length = wait(*arguments)
        if length > 0:
            break
    # From here on: a child, in its cell.
    signal(SIGINT, default_int_handler)
    refresh_stdin()
    sys.argv = str(text[:length], "utf-8", "surrogateescape").split("\0")
    main.__file__ = sys.argv[0]
    run_file(main.__file__, main, driver)


if len(sys.argv) > 2:
    import ast
    import datetime
    import shutil
    import statistics
    import subprocess
if len(sys.argv) > 1:
    import json
    text = sys.argv[1].encode()
    serve((text, compiled(text)))
serve((None, None))
