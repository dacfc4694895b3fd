# A Python that is warm: forks for each run, puts the child into its cell, confines it, runs the file.
#
# Started by assay-sandboxd in its worker, in whose namespaces it stays; runs nothing but this file
# and the standard library itself. Descriptor 3: requests, 4: the filter of system calls.
import atexit
import ast
import bisect
import builtins
import collections
import copy
import ctypes
import datetime
import decimal
import fractions
import functools
import gc
import heapq
import io
import itertools
import json
import math
import operator
import os
import random
import re
import resource
import signal
import socket
import statistics
import string
import sys
import threading
import traceback
import types
import typing
from importlib.util import decode_source

NEW_CELL = 0x00020000 | 0x08000000  # mount and ipc namespaces
NEW_PID = 0x20000000
libc = ctypes.CDLL(None, use_errno=True)


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def load_filter():
    data = os.pread(4, 1 << 20, 0)
    os.close(4)
    buffer = ctypes.create_string_buffer(data, len(data))
    return buffer, Program(len(data) // 8, ctypes.addressof(buffer))


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def confine(limits, program):
    for number, value in limits:
        resource.setrlimit(number, (value, value))
    check(libc.prctl(47, 4, 0, 0, 0), "clear ambient capabilities")
    check(libc.capset((ctypes.c_uint * 2)(0x20080522, 0), (ctypes.c_uint * 6)()), "capset")
    check(libc.prctl(38, 1, 0, 0, 0), "no_new_privs")
    check(libc.syscall(317, 1, 0, ctypes.byref(program)), "seccomp")


def arrange(descriptors, report):
    """`descriptors` become 0, 1, 2, ...; the report comes after them."""
    import fcntl
    count = len(descriptors)
    high = [fcntl.fcntl(d, fcntl.F_DUPFD, 64) for d in descriptors + [report]]
    for number, descriptor in enumerate(high):
        os.dup2(descriptor, number)
    check(libc.close_range(count + 1, 0xFFFFFFFF, 0), "close_range")
    return count


def run_file(path, arguments):
    sys.argv = [path] + arguments
    sys.path[0:1] = [os.path.dirname(path)]
    main = types.ModuleType("__main__")
    main.__file__ = path
    main.__builtins__ = builtins
    main.__annotations__ = {}
    sys.modules["__main__"] = main
    for name in ("ctypes", "_ctypes", "resource", "socket", "_socket", "selectors"):
        sys.modules.pop(name, None)
    status = 0
    try:
        with open(path, "rb") as file:
            source = decode_source(file.read())  # bytes that are no UTF-8 are an error, as in a file
        exec(compile(source, path, "exec", dont_inherit=True), main.__dict__)
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
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status & 0xFF)


def be_program(request, descriptors, cell, report, program):
    try:
        check(libc.setns(cell, NEW_CELL), "setns into the cell")
        report = arrange(descriptors, report)
        os.setsid()
        os.chdir("/tmp")
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
        for stream, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
            errors = "backslashreplace" if number == 2 else "surrogateescape"
            made = open(number, mode, encoding="utf-8", errors=errors, closefd=False)
            if number == 2:
                made.reconfigure(line_buffering=True)
            setattr(sys, stream, made)
            setattr(sys, "__%s__" % stream, made)
        confine(request["limits"], program)
        os.write(report, b"+")
        os.close(report)
    except BaseException as error:
        os.write(report, ("python: %r" % (error,)).encode())
        os._exit(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run_file(request["file"], request["arguments"])


def serve():
    buffer, program = load_filter()
    requests = socket.socket(fileno=3)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    requests.send(b"ready")
    while True:
        data, descriptors, _, _ = socket.recv_fds(requests, 65536, 16)
        if not data:
            os._exit(0)
        request = json.loads(data)
        report, cell = descriptors[0], descriptors[1]
        if libc.setns(cell, NEW_PID) != 0:
            requests.send(b"setns to the cell's pid namespace: errno %d" % ctypes.get_errno())
            os._exit(1)
        child = os.fork()
        if child == 0:
            be_program(request, descriptors[2:], cell, report, program)
        for descriptor in descriptors:
            os.close(descriptor)
        requests.send(b"%d" % child)
        requests.recv(1)  # the worker holds its pidfd: only now may the child be reaped
        _, status, usage = os.wait4(child, 0)
        cpu = int((usage.ru_utime + usage.ru_stime) * 1e6)
        requests.send(b"%d %d %d" % (status, cpu, usage.ru_maxrss * 1024))


serve()
