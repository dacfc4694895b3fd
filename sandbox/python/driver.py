# Calls a solution's functions and writes down what they return; also the trusted side of assert tests.
#
# python3 driver.py call             one call: request on standard input, reply on standard output
# python3 driver.py candidate        serves calls: requests on descriptor 3, replies on 4
# python3 driver.py tester           runs /box/test.json, calling the candidate over 3 and 4
# python3 driver.py lcb              all tests in one process, as LiveCodeBench's runner does it
#
# In the first two the solution runs in this process and can do with it what it likes; all it can
# reach is its own reply. What is right is decided elsewhere. Values go as JSON: null, true, "s",
# [lists] and integers as they are, everything else as {"tag": ...}. Types are taken exactly: a
# subclass that lies about itself is an error.
import sys

MOST_BYTES = 4 << 20
MOST_DEPTH = 60


class CannotEncode(Exception):
    pass


def encode(value, depth=0):
    kind = type(value)
    if depth > MOST_DEPTH:
        raise CannotEncode("too deep")
    if value is None or kind is bool:
        return value
    if kind is int:
        if value.bit_length() > 40000:
            raise CannotEncode("an integer of %d bits" % value.bit_length())
        return value
    if kind is str:
        return value
    if kind is float:
        return {"float": repr(value)}
    if kind is list:
        return [encode(v, depth + 1) for v in value]
    if kind is tuple:
        return {"tuple": [encode(v, depth + 1) for v in value]}
    if kind is set or kind is frozenset:
        return {kind.__name__: [encode(v, depth + 1) for v in value]}
    if kind is bytes or kind is bytearray:
        return {"bytes": value.hex()}
    if kind is complex:
        return {"complex": [repr(value.real), repr(value.imag)]}
    if kind is range:
        return {"range": [value.start, value.stop, value.step]}
    name = kind.__module__ + "." + kind.__qualname__
    if kind is dict or name in ("collections.Counter", "collections.defaultdict", "collections.OrderedDict"):
        pairs = [[encode(k, depth + 1), encode(v, depth + 1)] for k, v in dict.items(value)]
        return {{"Counter": "counter", "OrderedDict": "ordered"}.get(kind.__name__, "dict"): pairs}
    if name == "collections.deque":
        return {"deque": [encode(v, depth + 1) for v in value]}
    if name in ("builtins.map", "builtins.filter", "builtins.zip", "builtins.reversed", "builtins.generator",
                "builtins.list_iterator", "builtins.enumerate", "builtins.dict_keys", "builtins.dict_values",
                "builtins.dict_items", "builtins.list_reverseiterator", "itertools.chain"):
        items = []
        for item in value:
            items.append(encode(item, depth + 1))
            if len(items) > 1000000:
                raise CannotEncode("an endless iterator")
        return {"view" if name.startswith("builtins.dict_") else "iterator": items}
    raise CannotEncode("a value of type " + name)


def decode(value):
    kind = type(value)
    if kind is list:
        return [decode(v) for v in value]
    if kind is not dict:
        return value
    (tag, body), = value.items()
    if tag == "float":
        return float(body)
    if tag == "tuple":
        return tuple(decode(v) for v in body)
    if tag == "set":
        return set(decode(v) for v in body)
    if tag == "frozenset":
        return frozenset(decode(v) for v in body)
    if tag == "bytes":
        return bytes.fromhex(body)
    if tag == "complex":
        return complex(float(body[0]), float(body[1]))
    if tag == "range":
        return range(*body)
    if tag in ("dict", "counter", "ordered"):
        pairs = [(decode(k), decode(v)) for k, v in body]
        if tag == "dict":
            return dict(pairs)
        import collections
        return (collections.Counter if tag == "counter" else collections.OrderedDict)(dict(pairs))
    if tag == "deque":
        import collections
        return collections.deque(decode(v) for v in body)
    if tag == "view":
        return [decode(v) for v in body]
    if tag == "iterator":
        return iter([decode(v) for v in body])
    raise ValueError("unknown tag " + repr(tag))


def plain(value):
    """A test's JSON as Python reads it: objects are dictionaries, unless they are tagged."""
    if type(value) is list:
        return [plain(v) for v in value]
    if type(value) is dict:
        if len(value) == 1 and next(iter(value)) in ("tuple", "set", "frozenset", "float", "dict", "bytes", "complex"):
            return decode(value)
        return {k: plain(v) for k, v in value.items()}
    return value


def write_all(descriptor, data):
    import os
    while data:
        data = data[os.write(descriptor, data):]


def dump(reply):
    import json
    text = json.dumps(reply).encode("ascii") + b"\n"
    if len(text) > MOST_BYTES:
        raise CannotEncode("a value of %d bytes" % len(text))
    return text


def quiet():
    """Standard streams go nowhere; returns a descriptor of the old output."""
    import os
    out = os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    return out


LEETCODE_NAMES = (
    "import collections, heapq, bisect, math, itertools, functools, random, re, string, operator\n"
    "from typing import *\nfrom collections import *\nfrom functools import *\nfrom itertools import *\n"
    "from heapq import *\nfrom bisect import *\nfrom math import inf, gcd, sqrt, ceil, floor, comb\n")


def load():
    with open("/box/solution.py", encoding="utf-8", errors="surrogateescape") as file:
        source = file.read()
    names = {"__name__": "solution", "__builtins__": __builtins__}
    if "class Solution" in source:
        exec(LEETCODE_NAMES, names)
    exec(compile(source, "/box/solution.py", "exec"), names)
    return names


def find(names, entry):
    if "Solution" in names and isinstance(names["Solution"], type) and hasattr(names["Solution"], entry):
        return getattr(names["Solution"](), entry)
    if entry not in names:
        raise NameError("name %r is not defined" % entry)
    return names[entry]


def describe(error):
    text = "%s: %s" % (type(error).__name__, error)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")[:500]


def call():
    import json
    import os
    request = json.loads(sys.stdin.buffer.read())
    out = quiet()
    sys.stdin = open(0)
    sys.setrecursionlimit(50000)
    try:
        value = find(load(), request["entry"])(*[plain(a) for a in request["args"]])
        reply = dump({"value": encode(value)})
    except CannotEncode as error:
        reply = dump({"strange": str(error)})
    except BaseException as error:
        reply = dump({"raised": describe(error)})
    write_all(out, reply)
    os._exit(0)


def candidate():
    import json
    import os
    quiet()
    requests = os.fdopen(3, "rb")
    try:
        names = load()
    except BaseException as error:
        write_all(4, dump({"gone": describe(error)}))
        os._exit(0)
    write_all(4, dump({"ready": True}))
    while True:
        line = requests.readline()
        if not line:
            os._exit(0)
        request = json.loads(line)
        args = [decode(a) for a in request["args"]]
        keywords = {k: decode(v) for k, v in request["keywords"].items()}
        try:
            value = find(names, request["name"])(*args, **keywords)
            reply = {"value": encode(value)}
            after = [encode(a) if type(a) in (list, dict, set) else None for a in args]
            if any(a is not None and a != b for a, b in zip(after, request["args"])):
                reply["args"] = after
            data = dump(reply)
        except CannotEncode as error:
            data = dump({"strange": str(error)})
        except BaseException as error:
            data = dump({"raised": type(error).__name__, "text": describe(error)})
        write_all(4, data)


class Gone(BaseException):
    """The candidate's process ended, or said what no candidate says."""


class Strange(Exception):
    """The candidate returned what is no plain value."""


class Proxy:
    """A function of the candidate's, which lives in another sandbox."""
    calls = 0
    last = ""
    requests = None

    def __init__(self, name):
        self.__name__ = self.__qualname__ = name

    @classmethod
    def read(cls):
        import json
        line = cls.requests.readline(MOST_BYTES + 2)
        if not line.endswith(b"\n"):
            raise Gone("the program ended")
        try:
            reply = json.loads(line)
        except ValueError:
            raise Gone("a reply that cannot be read")
        if type(reply) is not dict:
            raise Gone("a reply that is none")
        return reply

    def __call__(self, *args, **keywords):
        Proxy.calls += 1
        request = {"name": self.__name__, "args": [encode(a) for a in args],
                   "keywords": {k: encode(v) for k, v in keywords.items()}}
        Proxy.last = "%s(%s)" % (self.__name__, ", ".join([repr(a) for a in args])[:300])
        try:
            write_all(4, dump(request))
        except OSError:
            raise Gone("the program ended")
        reply = Proxy.read()
        if "raised" in reply:
            raise self.error(reply)
        if "strange" in reply:
            raise Strange(str(reply["strange"]))
        if "value" not in reply:
            raise Gone(str(reply.get("gone", "a reply without a value")))
        try:
            value = decode(reply["value"])
            self.update(args, reply.get("args"))
        except Exception:
            raise Gone("a value that cannot be read")
        Proxy.last += " returned " + repr(value)[:300]
        return value

    @staticmethod
    def update(args, after):
        for old, new in zip(args, after or []):
            if new is None:
                continue
            new = decode(new)
            if type(old) is list and type(new) is list:
                old[:] = new
            elif type(old) in (dict, set) and type(new) is type(old):
                old.clear()
                old.update(new)

    @staticmethod
    def error(reply):
        import builtins
        kind = getattr(builtins, str(reply["raised"]), None)
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            kind = RuntimeError
        try:
            error = kind(str(reply.get("text", "")))
        except Exception:
            error = RuntimeError(str(reply.get("text", "")))
        error.from_candidate = True
        return error


def unbound(tree):
    """Names that a test reads and does not make itself."""
    import ast
    import builtins
    read, made = [], set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read.append if isinstance(node.ctx, ast.Load) else made.add)(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            made.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            made.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.arg):
            made.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            made.add(node.name)
    return [name for name in read if name not in made]


def calls_check(tree):
    import ast
    return any(isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
               and getattr(node.value.func, "id", "") == "check" for node in tree.body)


def run_test(code, spec, report):
    import ast
    names = {"__name__": "test", "__builtins__": __builtins__}
    if spec.get("context"):
        try:
            exec(compile(spec["context"], "context", "exec"), names)
        except SyntaxError:
            pass  # the beginning of a function whose rest was asked for
    tree = ast.parse(code)
    for name in unbound(tree):
        if name in names:
            continue
        names[name] = Proxy(name)
        if name != spec["entry"]:
            report["weak"] = True  # a name of the candidate's besides the one asked for
    names[spec["entry"]] = Proxy(spec["entry"])
    names["candidate"] = names[spec["entry"]]
    exec(compile(tree, "test", "exec"), names)
    if "check" in names and not isinstance(names["check"], Proxy) and not calls_check(tree):
        names["check"](names[spec["entry"]])


def line_of(error, code):
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "test":
            line = trace.tb_lineno
        trace = trace.tb_next
    lines = code.split("\n")
    return lines[line - 1].strip()[:500] if 0 < line <= len(lines) else ""


def tester():
    import json
    import os
    with open("/box/test.json", encoding="utf-8") as file:
        spec = json.load(file)
    out = quiet()
    Proxy.requests = os.fdopen(3, "rb")
    report = {"passed": 0}
    sys.setrecursionlimit(20000)
    code = ""
    try:
        hello = Proxy.read()
        if hello != {"ready": True}:
            raise Gone(str(hello.get("gone", "no greeting")))
        for code in spec["tests"]:
            run_test(code, spec, report)
            report["passed"] += 1
    except Gone as error:
        report["gone"] = str(error)
    except Strange as error:
        report["strange"] = str(error)
    except BaseException as error:
        if getattr(error, "from_candidate", False):
            report["raised"] = str(error)
        elif isinstance(error, AssertionError):
            report["failed"] = line_of(error, code)
        elif Proxy.calls == 0:
            report["broken"] = describe(error)
        else:
            report["failed"] = line_of(error, code) + "  # " + describe(error)
    report["calls"] = Proxy.calls
    report["last"] = Proxy.last
    report["done"] = True
    write_all(out, json.dumps(report).encode("ascii"))
    os._exit(0)


# ---- the profile `lcb` ---------------------------------------------------------------------------------------------
#
# What LiveCodeBench's runner makes a program see, written from its behaviour (research: 134 small programs): imports in
# front, everything else the body of one function that is called for each test in one process; a stand-in for sys.stdin
# (two eras of it); some functions taken away; names of many modules already there.

STARS = ("string re datetime collections heapq bisect copy math random statistics itertools functools operator io sys "
         "json builtins typing").split()


def lcb_preamble():
    return ("".join("from %s import *\n" % m for m in STARS)
            + "".join("import %s\n" % m for m in STARS if m not in ("builtins", "typing"))
            + "sys.setrecursionlimit(50000)\n")


def lcb_program(source):
    import ast
    try:
        tree = ast.parse(source)
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.If) and ast.unparse(last.test).strip() == "__name__ == '__main__'":
            tree = ast.parse(ast.unparse(ast.Module(tree.body[:-1] + last.body, [])))
        imports = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
        others = [n for n in tree.body if not isinstance(n, (ast.Import, ast.ImportFrom))]
        function = ast.FunctionDef("wrapped_function", ast.arguments([], [], None, [], [], None, []), others, [])
        function.lineno = 1
        return lcb_preamble() + ast.unparse(imports) + "\n" + ast.unparse(function)
    except Exception:
        return source


class FirstLineBuffer:
    """Bytes of the later era: readline gives the first line for ever."""

    def __init__(self, text):
        self.bytes = text.encode("utf-8")

    def read(self, *args):
        return self.bytes

    def readline(self, *args):
        return self.bytes.split(b"\n")[0] + b"\n"


class LaterStdin:
    """sys.stdin of the later era: no iteration, lines without their ends in readlines, read() gives all."""

    def __init__(self, text):
        import io
        self.inputs = text
        self._stringio = io.StringIO(text)
        self.buffer = FirstLineBuffer(text)

    def read(self, *args):
        return self.inputs

    def readline(self, *args):
        return self._stringio.readline(*args)

    def readlines(self, *args):
        return self.inputs.split("\n")

    def __getattr__(self, name):
        return getattr(self._stringio, name)


def lcb_guard():
    import builtins
    import os
    import shutil
    import subprocess
    builtins.quit = None
    for name in ("kill system putenv remove removedirs rmdir fchdir setuid fork forkpty killpg rename renames truncate "
                 "replace unlink fchmod fchown chmod chown chroot lchflags lchmod lchown getcwd chdir").split():
        setattr(os, name, None)
    shutil.rmtree = shutil.move = shutil.chown = None
    subprocess.Popen = None
    for name in ("ipdb", "joblib", "resource", "psutil", "tkinter"):
        sys.modules[name] = None


def lcb_module():
    """The runner's own module by its name: programs that replace its functions were believed."""
    import types
    names = ("lcb_runner", "lcb_runner.evaluation", "lcb_runner.evaluation.testing_util")
    modules = [types.ModuleType(name) for name in names]
    for name, module in zip(names, modules):
        sys.modules[name] = module
    modules[0].evaluation = modules[1]
    modules[1].testing_util = modules[2]
    modules[2].get_stripped_lines = None
    return modules[2]


def is_plain(encoded):
    if type(encoded) is list:
        return all(is_plain(v) for v in encoded)
    return type(encoded) is not dict or "float" in encoded


def lcb():
    import io
    import json
    import os
    import signal
    import types
    write, leave, dumps, loads = os.write, os._exit, json.dumps, json.loads
    request = json.loads(sys.stdin.buffer.read())
    out = quiet()
    sys.stdin = open(0)

    class TimeoutException(Exception):
        pass

    def on_alarm(number, frame):
        raise TimeoutException

    def tell(**reply):
        data = (dumps(reply) + "\n").encode("ascii")
        while data:
            data = data[write(out, data):]

    def failed(error):
        late = "timeoutexception" in repr(error).lower()
        tell(code=-3 if late else -4, why=describe(error))
        leave(0)

    signal.signal(signal.SIGALRM, on_alarm)
    name = request["fn_name"]
    source = request["source"]
    if "numpy" in source:
        import numpy  # the runner has it loaded before it takes functions away
    lcb_guard()
    runner = lcb_module()
    sys.set_int_max_str_digits(50000)
    signal.alarm(request["timeout"])
    try:
        module = types.ModuleType("tmp_sol", "")
        exec(lcb_preamble() + source if name else lcb_program(source), module.__dict__)
        owner = module.Solution() if name and "class Solution" in source else module
        method = getattr(owner, name or "wrapped_function")
    except Exception as error:
        failed(error)
    signal.alarm(0)
    for i, given in enumerate(request["inputs"]):
        expected = request["expected"][i] if request.get("expected") else None
        old = sys.stdin, sys.stdout
        signal.alarm(request["timeout"])
        try:
            if name:
                value = method(*given)
                if isinstance(value, tuple):
                    value = list(value)
                if expected is not None:
                    reply = {"equal": bool(value == loads(expected))}
                else:
                    try:
                        encoded = encode(value)
                        reply = {"value": encoded} if is_plain(encoded) else {"ask": True}
                    except Exception:
                        reply = {"ask": True}
            else:
                sys.stdin = io.StringIO(given) if request["era"] == "stringio" else LaterStdin(given)
                sys.stdout = io.StringIO()
                sys.stdout.close = lambda x: 1
                captured = sys.stdout
                try:
                    method()
                except SystemExit:
                    pass
                text = captured.getvalue()
                reply = {"out": text.encode("utf-8", "surrogatepass").decode("latin-1")}
                if runner.get_stripped_lines is not None:
                    reply = {"ask": True}
                    if expected is not None:
                        reply = {"equal": runner.get_stripped_lines(text) == runner.get_stripped_lines(expected)}
            signal.alarm(0)
        except Exception as error:
            signal.alarm(0)
            sys.stdin, sys.stdout = old
            failed(error)
        sys.stdin, sys.stdout = old
        tell(**reply)
    leave(0)


if __name__ == "__main__":
    {"call": call, "candidate": candidate, "tester": tester, "lcb": lcb}[sys.argv[1]]()
