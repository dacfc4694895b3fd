# Runs a problem's own checker or interactor, so that its crash does not read as its word "wrong" (status 1).
#
# python3 guard.py ARGUMENTS...: runs the main.py beside it with them. What it does not catch ends it with status 3, its own
# failure; only where the program that it talks with is gone (the end of standard input, a closed pipe) with 217.
# sys.exit keeps its status.
import os
import sys


def _assay_failed(kind, error, trace):
    sys.__excepthook__(kind, error, trace.tb_next if trace else None)  # without our own frame
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass
    os._exit(217 if issubclass(kind, (EOFError, BrokenPipeError)) else 3)


sys.excepthook = _assay_failed
sys.argv[0] = __file__ = os.path.join(os.path.dirname(sys.argv[0]), "main.py")
with open(__file__, "rb") as _assay_file:
    _assay_code = compile(_assay_file.read(), __file__, "exec", dont_inherit=True)
exec(_assay_code, globals())
