#!/usr/bin/env python3
"""Writes code_basics.jsonl: our own code problems, with solutions, wrong solutions, tests and checkers.

    python3 datasets/make_code.py

Expected outputs are what the reference solutions give; tests/code_set_test.cc runs every solution and every wrong one
in the sandbox. Standard library only.
"""
import io
import json
import os
import random
import sys

ROWS = []
ASK = {
    ("stdin", "python3"): "Write a Python 3 program that reads standard input and writes standard output.",
    ("stdin", "cpp"): "Write a C++20 program that reads standard input and writes standard output.",
    ("interactive", "python3"): "Write a Python 3 program. It talks over standard input and output; flush after each line.",
    ("call", "python3"): "Write a Python 3 function `%s`.",
    ("assert", "python3"): "Write Python 3 code that defines `%s`.",
    ("assert", "cpp"): "Write C++20 code that defines `%s`; it may include what it needs, and has no main.",
}


def run(source, text):
    """A reference solution's output. These are our own programs; nothing of anybody else runs here."""
    old = sys.stdin, sys.stdout
    sys.stdin, sys.stdout = io.StringIO(text), io.StringIO()
    try:
        exec(source, {"__name__": "__main__"})
        return sys.stdout.getvalue()
    finally:
        sys.stdin, sys.stdout = old


def add(name, kind, level, statement, solution, wrong, language="python3", entry="", **more):
    ask = ASK[kind, language]
    row = {"id": name, "kind": kind, "language": language, "level": level, "statement": statement,
           "ask": ask % entry if entry else ask}
    if entry:
        row["entry_point"] = entry
    row.update({"time_limit_s": 4, "memory_limit_mb": 256})
    row.update(more)
    row["solution"] = solution.strip("\n") + "\n"
    row["wrong"] = [w.strip("\n") + "\n" for w in wrong]
    ROWS.append(row)


def stdin(name, level, statement, solution, wrong, inputs, cpp=None, cpp_wrong=None, **more):
    tests = [{"input": text, "output": run(solution, text)} for text in inputs]
    add(name, "stdin", level, statement, solution, wrong, tests=tests, **more)
    if cpp:
        add(name + "-cpp", "stdin", level, statement, cpp, [cpp_wrong], language="cpp", tests=tests, **more)


def call(name, level, statement, entry, solution, wrong, calls, **more):
    names = {}
    exec(solution, names)
    tests = [{"args": args, "expected": json.loads(json.dumps(names[entry](*json.loads(json.dumps(args)))))} for args in calls]
    add(name, "call", level, statement, solution, wrong, entry=entry, tests=tests, **more)


def lines(*rows):
    return "\n".join(" ".join(map(str, r)) if isinstance(r, (list, tuple)) else str(r) for r in rows) + "\n"


R = random.Random(20)

# ---- programs -------------------------------------------------------------------------------------------------------
stdin("sum-pairs", 1, "Each line holds two integers. For each line print their sum. The input ends with the file.",
      "import sys\nfor line in sys.stdin:\n    a, b = map(int, line.split())\n    print(a + b)\n",
      ["a, b = map(int, input().split())\nprint(a + b)\n", "import sys\nfor line in sys.stdin:\n    a, b = map(int, line.split())\n    print(a - b)\n"],
      [lines((1, 2), (3, 4)), lines((-5, 5)), lines(*[(R.randint(-10**18, 10**18), R.randint(-10**18, 10**18)) for _ in range(50)])],
      cpp="#include <iostream>\nint main() {\n  long long a, b;\n  while (std::cin >> a >> b) std::cout << a + b << '\\n';\n}\n",
      cpp_wrong="#include <iostream>\nint main() {\n  int a, b;\n  while (std::cin >> a >> b) std::cout << a + b << '\\n';\n}\n")
stdin("count-words", 1, "Print how many different words the input holds. Words are divided by blanks; case does not matter.",
      "import sys\nprint(len(set(sys.stdin.read().lower().split())))\n",
      ["import sys\nprint(len(set(sys.stdin.read().split())))\n", "import sys\nprint(len(sys.stdin.read().lower().split()))\n"],
      ["a b A c\n", "\n", "the cat The dog\nCAT cow\n"])
stdin("running-median", 3, "The first line holds n, the second n integers. After each integer print the lower median of those read so far, one per line.",
      "import bisect\nn = int(input())\nseen = []\nfor x in map(int, input().split()):\n    bisect.insort(seen, x)\n    print(seen[(len(seen) - 1) // 2])\n",
      ["n = int(input())\nseen = []\nfor x in map(int, input().split()):\n    seen.append(x)\n    print(sorted(seen)[len(seen) // 2])\n"],
      [lines(5, (3, 1, 2, 5, 4)), lines(1, (7,)), lines(300, [R.randint(-1000, 1000) for _ in range(300)])],
      cpp="#include <iostream>\n#include <set>\nint main() {\n  int n;\n  std::cin >> n;\n  std::multiset<int> low, high;\n  for (int i = 0; i < n; ++i) {\n    int x;\n    std::cin >> x;\n    if (low.empty() || x <= *low.rbegin()) low.insert(x); else high.insert(x);\n    while (low.size() > high.size() + 1) { high.insert(*low.rbegin()); low.erase(std::prev(low.end())); }\n    while (low.size() < high.size()) { low.insert(*high.begin()); high.erase(high.begin()); }\n    std::cout << *low.rbegin() << '\\n';\n  }\n}\n",
      cpp_wrong="#include <iostream>\nint main() {\n  int n, x, m = 0;\n  std::cin >> n;\n  while (std::cin >> x) { m = std::max(m, x); std::cout << m << '\\n'; }\n}\n")
stdin("grid-paths", 2, "The first line holds r and c, then r lines of c characters, '.' free and '#' blocked. Print the number of ways from the upper left to the lower right corner that go only right and down, modulo 1000007.",
      "r, c = map(int, input().split())\ng = [input() for _ in range(r)]\nw = [0] * c\nfor i in range(r):\n    for j in range(c):\n        if g[i][j] == '#':\n            w[j] = 0\n        elif i == j == 0:\n            w[j] = 1\n        elif j:\n            w[j] = (w[j] + w[j - 1]) % 1000007\nprint(w[-1])\n",
      ["r, c = map(int, input().split())\nfrom math import comb\nprint(comb(r + c - 2, r - 1) % 1000007)\n"],
      [lines((2, 2), "..", ".."), lines((3, 3), "...", ".#.", "..."), lines((1, 1), "#"), lines((30, 30), *["".join(R.choice("....#") if i + j not in (0, 58) else "." for j in range(30)) for i in range(30)])])
stdin("primes-between", 2, "The input holds a and b, 1 <= a <= b <= 10^6. Print the number of primes p with a <= p <= b.",
      "a, b = map(int, input().split())\ns = bytearray([1]) * (b + 1)\ns[0:2] = b'\\0\\0'\nfor i in range(2, int(b ** 0.5) + 1):\n    if s[i]:\n        s[i * i::i] = bytes(len(range(i * i, b + 1, i)))\nprint(sum(s[a:b + 1]))\n",
      ["a, b = map(int, input().split())\nprint(sum(all(p % d for d in range(2, int(p ** .5) + 1)) for p in range(a, b + 1)))\n",
       "a, b = map(int, input().split())\nprint(sum(p > 1 and all(p % d for d in range(2, int(p ** .5))) for p in range(a, min(b, 3000) + 1)))\n"],
      ["1 10\n", "4 4\n", "1 1\n", "10 3000\n", "1 1000000\n"],
      cpp="#include <cstdio>\n#include <vector>\nint main() {\n  int a, b;\n  if (std::scanf(\"%d %d\", &a, &b) != 2) return 1;\n  std::vector<char> composite(b + 1);\n  int count = 0;\n  for (int i = 2; i <= b; ++i) {\n    if (composite[i]) continue;\n    count += i >= a;\n    for (long long k = 1LL * i * i; k <= b; k += i) composite[k] = 1;\n  }\n  std::printf(\"%d\\n\", count);\n}\n",
      cpp_wrong="#include <cstdio>\nint main() { int a, b; if (std::scanf(\"%d %d\", &a, &b) != 2) return 1; std::printf(\"%d\\n\", b - a); }\n")
stdin("mean-deviation", 2, "The first line holds n, the second n numbers. Print their mean and their standard deviation (divided by n), in one line. An error up to 1e-6 is allowed.",
      "n = int(input())\nx = list(map(float, input().split()))\nm = sum(x) / n\nprint(m, (sum((v - m) ** 2 for v in x) / n) ** 0.5)\n",
      ["n = int(input())\nx = list(map(float, input().split()))\nm = sum(x) / n\nprint('%.2f %.2f' % (m, (sum((v - m) ** 2 for v in x) / n) ** 0.5))\n",
       "import statistics\nn = int(input())\nx = list(map(float, input().split()))\nprint(sum(x) / n, statistics.stdev(x) if n > 1 else 0)\n"],
      [lines(3, (1, 2, 4)), lines(4, (0.5, 0.25, 10, -3)), lines(100, [round(R.uniform(-9, 9), 3) for _ in range(100)])],
      checker={"type": "floats", "absolute": 1e-6, "relative": 1e-6})
stdin("bracket-check", 2, "For each line of the input print YES where its brackets ()[]{} are balanced, else NO. Any case of letters is accepted.",
      "import sys\nP = {')': '(', ']': '[', '}': '{'}\nfor line in sys.stdin.read().splitlines():\n    s, good = [], True\n    for c in line:\n        if c in '([{':\n            s.append(c)\n        elif c in P:\n            good = bool(s) and s.pop() == P[c] and good\n            if not good:\n                break\n    print('Yes' if good and not s else 'No')\n",
      ["import sys\nfor line in sys.stdin.read().splitlines():\n    print('YES' if all(line.count(a) == line.count(b) for a, b in ('()', '[]', '{}')) else 'NO')\n"],
      ["()\n([{}])\n(]\n\n", ")(\n(((\n{[}]\n"], checker="yesno")
stdin("longest-common", 3, "Two lines of lower-case letters, each at most 2000 long. Print the length of their longest common subsequence.",
      "a, b = input(), input()\nw = [0] * (len(b) + 1)\nfor x in a:\n    p = 0\n    for j, y in enumerate(b, 1):\n        p, w[j] = w[j], p + 1 if x == y else max(w[j], w[j - 1])\nprint(w[-1])\n",
      ["a, b = input(), input()\nbest = 0\nfor i in range(len(a)):\n    for j in range(i, len(a)):\n        if a[i:j + 1] in b:\n            best = max(best, j - i + 1)\nprint(best)\n"],
      [lines("abcde", "ace"), lines("abc", "xyz"), lines("".join(R.choice("ab") for _ in range(400)), "".join(R.choice("ab") for _ in range(400)))],
      cpp="#include <iostream>\n#include <string>\n#include <vector>\nint main() {\n  std::string a, b;\n  std::cin >> a >> b;\n  std::vector<std::vector<int>> w(a.size() + 1, std::vector<int>(b.size() + 1));\n  for (size_t i = 1; i <= a.size(); ++i)\n    for (size_t j = 1; j <= b.size(); ++j)\n      w[i][j] = a[i - 1] == b[j - 1] ? w[i - 1][j - 1] + 1 : std::max(w[i - 1][j], w[i][j - 1]);\n  std::cout << w[a.size()][b.size()] << '\\n';\n}\n",
      cpp_wrong="#include <iostream>\n#include <string>\nint main() {\n  std::string a, b;\n  std::cin >> a >> b;\n  std::cout << std::min(a.size(), b.size()) << '\\n';\n}\n")
stdin("shortest-path", 3, "The first line holds n and m, then m lines u v w: a road between u and v of length w. Print the length of the shortest way from 1 to n, or -1.",
      "import heapq, sys\nd = list(map(int, sys.stdin.read().split()))\nn, m = d[:2]\ng = [[] for _ in range(n + 1)]\nfor i in range(m):\n    u, v, w = d[2 + 3 * i:5 + 3 * i]\n    g[u].append((v, w))\n    g[v].append((u, w))\nbest = {}\nq = [(0, 1)]\nwhile q:\n    c, u = heapq.heappop(q)\n    if u in best:\n        continue\n    best[u] = c\n    for v, w in g[u]:\n        if v not in best:\n            heapq.heappush(q, (c + w, v))\nprint(best.get(n, -1))\n",
      ["import sys\nfrom collections import deque\nd = list(map(int, sys.stdin.read().split()))\nn, m = d[:2]\ng = [[] for _ in range(n + 1)]\nfor i in range(m):\n    u, v, w = d[2 + 3 * i:5 + 3 * i]\n    g[u].append((v, w))\n    g[v].append((u, w))\nbest = {1: 0}\nq = deque([1])\nwhile q:\n    u = q.popleft()\n    for v, w in g[u]:\n        if v not in best:\n            best[v] = best[u] + w\n            q.append(v)\nprint(best.get(n, -1))\n"],
      [lines((3, 3), (1, 2, 1), (2, 3, 1), (1, 3, 5)), lines((2, 0)), lines((1, 0)), lines((60, 200), *[(R.randint(1, 60), R.randint(1, 60), R.randint(1, 99)) for _ in range(200)])])
stdin("roman", 2, "Each line holds an integer from 1 to 3999. Print it as a Roman numeral, one per line.",
      "import sys\nT = [(1000, 'M'), (900, 'CM'), (500, 'D'), (400, 'CD'), (100, 'C'), (90, 'XC'), (50, 'L'), (40, 'XL'), (10, 'X'), (9, 'IX'), (5, 'V'), (4, 'IV'), (1, 'I')]\nfor n in map(int, sys.stdin.read().split()):\n    s = ''\n    for v, t in T:\n        s += t * (n // v)\n        n %= v\n    print(s)\n",
      ["import sys\nfor n in map(int, sys.stdin.read().split()):\n    s = ''\n    for v, t in ((1000, 'M'), (500, 'D'), (100, 'C'), (50, 'L'), (10, 'X'), (5, 'V'), (1, 'I')):\n        s += t * (n // v)\n        n %= v\n    print(s)\n"],
      ["1\n4\n9\n14\n", "1994\n2024\n3999\n"])
stdin("spiral", 2, "The input holds n, 1 <= n <= 50. Print an n by n square filled with 1, 2, ... in a clockwise spiral from the upper left, numbers divided by a blank.",
      "n = int(input())\ng = [[0] * n for _ in range(n)]\nr, c, dr, dc = 0, 0, 0, 1\nfor k in range(1, n * n + 1):\n    g[r][c] = k\n    a, b = r + dr, c + dc\n    if not (0 <= a < n and 0 <= b < n and g[a][b] == 0):\n        dr, dc = dc, -dr\n    r, c = r + dr, c + dc\nfor row in g:\n    print(*row)\n",
      ["n = int(input())\nfor i in range(n):\n    print(*range(i * n + 1, i * n + n + 1))\n"], ["1\n", "2\n", "5\n", "50\n"], checker="lines")
stdin("two-squares", 3, "The input holds n up to 10^9. Print two integers a and b with 0 <= a <= b and a*a + b*b = n, or -1 where there are none. Any such pair is accepted.",
      "from math import isqrt\nn = int(input())\nfor a in range(isqrt(n // 2) + 1):\n    b = isqrt(n - a * a)\n    if a * a + b * b == n:\n        print(a, b)\n        break\nelse:\n    print(-1)\n",
      ["print(-1)\n", "from math import isqrt\nn = int(input())\nb = isqrt(n)\nprint(isqrt(n - b * b), b)\n"],
      ["25\n", "3\n", "0\n", "999999937\n", "1000000000\n"], several_answers=True,
      checker={"type": "program", "language": "python3", "source": "import sys\n\ndef end(status, why):\n    sys.stderr.write(why)\n    sys.exit(status)\n\nn = int(open(sys.argv[1]).read())\nright = open(sys.argv[3]).read().split()\ntry:\n    found = list(map(int, open(sys.argv[2]).read().split()))\nexcept ValueError:\n    end(2, 'not integers')\nif right == ['-1']:\n    end(0 if found == [-1] else 1, 'there are none')\nif len(found) != 2:\n    end(1, 'two integers are wanted')\na, b = found\nif not 0 <= a <= b or a * a + b * b != n:\n    end(1, 'not a pair of that sum')\n"})
stdin("topological", 3, "The first line holds n and m, then m lines u v: task u comes before task v. Print the tasks 1..n in any order that respects this, in one line, or IMPOSSIBLE.",
      "import sys\nd = list(map(int, sys.stdin.read().split()))\nn, m = d[:2]\nafter = [[] for _ in range(n + 1)]\nwaits = [0] * (n + 1)\nfor i in range(m):\n    u, v = d[2 + 2 * i:4 + 2 * i]\n    after[u].append(v)\n    waits[v] += 1\nready = [v for v in range(1, n + 1) if not waits[v]]\norder = []\nwhile ready:\n    u = ready.pop()\n    order.append(u)\n    for v in after[u]:\n        waits[v] -= 1\n        if not waits[v]:\n            ready.append(v)\nprint(*order) if len(order) == n else print('IMPOSSIBLE')\n",
      ["n = int(input().split()[0])\nprint(*range(1, n + 1))\n", "print('IMPOSSIBLE')\n"],
      [lines((3, 2), (3, 2), (2, 1)), lines((2, 2), (1, 2), (2, 1)), lines((40, 60), *[(b, a) for a, b in (sorted(R.sample(range(1, 41), 2)) for _ in range(60))])], several_answers=True,
      checker={"type": "program", "language": "cpp", "source": "#include <fstream>\n#include <iostream>\n#include <string>\n#include <vector>\nint end(int status, const char* why) { std::cerr << why; return status; }\nint main(int, char** path) {\n  std::ifstream input(path[1]), output(path[2]), answer(path[3]);\n  std::string right, word;\n  answer >> right;\n  if (right == \"IMPOSSIBLE\") {\n    output >> word;\n    return word == right && !(output >> word) ? 0 : end(1, \"it is impossible\");\n  }\n  int n, m, u, v, count = 0;\n  input >> n >> m;\n  std::vector<int> place(n + 1);\n  while (output >> u) {\n    if (u < 1 || u > n || place[u]) return end(1, \"not an order of the tasks\");\n    place[u] = ++count;\n  }\n  if (!output.eof()) return end(2, \"not integers\");\n  if (count != n) return end(1, \"tasks are missing\");\n  while (input >> u >> v) if (place[u] > place[v]) return end(1, \"a task comes too early\");\n  return 0;\n}\n"})

# ---- programs that talk ---------------------------------------------------------------------------------------------
GUESS = "import sys\n\ndef end(status, why):\n    sys.stderr.write(why)\n    sys.exit(status)\n\nsecret = int(open(sys.argv[1]).read())\nfor turn in range(20):\n    line = sys.stdin.readline()\n    try:\n        guess = int(line)\n    except ValueError:\n        end(2, 'not an integer: %r' % line[:40])\n    if guess == secret:\n        print('correct', flush=True)\n        end(0, '')\n    print('higher' if secret > guess else 'lower', flush=True)\nend(1, 'too many guesses')\n"
add("guess-number", "interactive", 2, "A number from 1 to 1000000 is kept secret. Print a guess; the reply is a line 'higher', 'lower' or 'correct'. You have 20 guesses; end after 'correct'.",
    "low, high = 1, 1000000\nwhile True:\n    guess = (low + high) // 2\n    print(guess, flush=True)\n    reply = input()\n    if reply == 'correct':\n        break\n    if reply == 'higher':\n        low = guess + 1\n    else:\n        high = guess - 1\n",
    ["guess = 1\nwhile True:\n    print(guess, flush=True)\n    if input() == 'correct':\n        break\n    guess += 1\n", "print('five', flush=True)\n", "low, high = 1, 1000000\nraise SystemExit(1)\n", "print(500000)\ninput()\ninput()\n"],
    tests=[{"input": text} for text in ("1\n", "1000000\n", "777\n", "500000\n")], interactor={"language": "python3", "source": GUESS})
SORT = "import sys\n\ndef end(status, why):\n    sys.stderr.write(why)\n    sys.exit(status)\n\nvalues = list(map(int, open(sys.argv[1]).read().split()))\nn = len(values)\nprint(n, flush=True)\nfor turn in range(n * 8 + 1):\n    words = sys.stdin.readline().split()\n    try:\n        numbers = [int(w) for w in words[1:]]\n    except ValueError:\n        end(2, 'not integers')\n    if words[:1] == ['?'] and len(numbers) == 2 and all(1 <= x <= n for x in numbers):\n        print('<' if values[numbers[0] - 1] < values[numbers[1] - 1] else '>', flush=True)\n    elif words[:1] == ['!']:\n        right = sorted(range(1, n + 1), key=lambda i: values[i - 1])\n        end(0 if numbers == right else 1, 'not in order')\n    else:\n        end(2, 'no question and no answer')\nend(1, 'too many questions')\n"
add("sort-by-asking", "interactive", 3, "The first line that you read is n, up to 64. There are n different values, which you do not see. Print '? i j' to learn by a line '<' or '>' how value i compares with value j; at most 8n questions. At last print '! ' and the positions in order of value, and end.",
    "from functools import cmp_to_key\n\ndef ask(i, j):\n    print('?', i, j, flush=True)\n    return -1 if input() == '<' else 1\n\nn = int(input())\nprint('!', *sorted(range(1, n + 1), key=cmp_to_key(ask)), flush=True)\n",
    ["n = int(input())\nprint('!', *range(1, n + 1), flush=True)\n", "n = int(input())\norder = []\nfor i in range(1, n + 1):\n    at = 0\n    while at < len(order):\n        print('?', order[at], i, flush=True)\n        if input() == '>':\n            break\n        at += 1\n    order.insert(at, i)\nprint('!', *order, flush=True)\n"],
    tests=[{"input": text} for text in ("3 1 2\n", "5\n", " ".join(map(str, R.sample(range(1000), 64))) + "\n", " ".join(map(str, range(64))) + "\n")],
    interactor={"language": "python3", "source": SORT})

# ---- functions ------------------------------------------------------------------------------------------------------
call("digit-sum", 1, "Return the sum of the decimal digits of an integer n >= 0.", "digit_sum",
     "def digit_sum(n):\n    return sum(map(int, str(n)))\n", ["def digit_sum(n):\n    return n % 9\n"], [[0], [9], [12345], [10**30 + 7]])
call("rotate-list", 1, "Return the list rotated right by k places; k may be larger than the list and negative.", "rotate",
     "def rotate(x, k):\n    if not x:\n        return []\n    k %= len(x)\n    return x[len(x) - k:] + x[:len(x) - k]\n",
     ["def rotate(x, k):\n    return x[-k:] + x[:-k]\n"], [[[1, 2, 3, 4], 1], [[1, 2, 3], 4], [[], 3], [[1, 2, 3], -1], [[1, 2], 0]])
call("group-anagrams", 2, "Return a list of lists: words that are anagrams of each other together. Groups stand in the order of their first word, words in the order given.", "group",
     "def group(words):\n    groups = {}\n    for w in words:\n        groups.setdefault(''.join(sorted(w)), []).append(w)\n    return list(groups.values())\n",
     ["def group(words):\n    groups = {}\n    for w in words:\n        groups.setdefault(frozenset(w), []).append(w)\n    return list(groups.values())\n"],
     [[["eat", "tea", "tan", "ate", "nat", "bat"]], [[]], [["aab", "abb", "aba"]]])
call("merge-intervals", 2, "Intervals [a, b] with a <= b in any order. Return them merged where they touch or overlap, in order.", "merge",
     "def merge(x):\n    out = []\n    for a, b in sorted(x):\n        if out and a <= out[-1][1]:\n            out[-1][1] = max(out[-1][1], b)\n        else:\n            out.append([a, b])\n    return out\n",
     ["def merge(x):\n    out = []\n    for a, b in sorted(x):\n        if out and a <= out[-1][1]:\n            out[-1][1] = b\n        else:\n            out.append([a, b])\n    return out\n"],
     [[[[1, 3], [2, 6], [8, 10]]], [[[1, 4], [4, 5]]], [[[1, 10], [2, 3]]], [[]]])
call("power-mod", 2, "Return a to the power of b modulo m; 0 <= b < 10^18, 1 <= m < 10^18.", "power_mod",
     "def power_mod(a, b, m):\n    return pow(a, b, m)\n", ["def power_mod(a, b, m):\n    r = 1\n    while b:\n        if b & 1:\n            r = r * a % m\n        a = a * a % m\n        b >>= 1\n    return r\n"],
     [[2, 10, 1000], [3, 0, 1], [7, 10**17, 998244353], [-2, 3, 7]])
call("evaluate-rpn", 2, "Evaluate an expression in reverse Polish notation given as a list of strings: integers and + - * /. Division gives a float.", "evaluate",
     "def evaluate(tokens):\n    s = []\n    for t in tokens:\n        if t in ('+', '-', '*', '/'):\n            b, a = s.pop(), s.pop()\n            s.append(a + b if t == '+' else a - b if t == '-' else a * b if t == '*' else a / b)\n        else:\n            s.append(int(t))\n    return s[0]\n",
     ["def evaluate(tokens):\n    s = []\n    for t in tokens:\n        if t in '+-*/':\n            a, b = s.pop(), s.pop()\n            s.append(a + b if t == '+' else a - b if t == '-' else a * b if t == '*' else a / b)\n        else:\n            s.append(int(t))\n    return s[0]\n"],
     [[["2", "3", "+"]], [["5", "1", "2", "+", "4", "*", "+", "3", "-"]], [["1", "3", "/"]], [["-7"]]], checker={"type": "floats", "absolute": 1e-9, "relative": 1e-9})
call("quadratic-roots", 2, "Return the real roots of a*x*x + b*x + c (a is not 0) as a list in ascending order, a double root once.", "roots",
     "def roots(a, b, c):\n    d = b * b - 4 * a * c\n    if d < 0:\n        return []\n    if d == 0:\n        return [-b / (2 * a)]\n    r = d ** 0.5\n    return sorted([(-b - r) / (2 * a), (-b + r) / (2 * a)])\n",
     ["def roots(a, b, c):\n    d = b * b - 4 * a * c\n    if d < 0:\n        return []\n    r = d ** 0.5\n    return [(-b - r) / (2 * a), (-b + r) / (2 * a)]\n"],
     [[1, -3, 2], [1, 2, 1], [1, 0, 1], [-1, 0, 2]], checker={"type": "floats", "absolute": 1e-9, "relative": 1e-9})
call("count-letters", 1, "Return a dictionary from each character of the text to how often it occurs.", "count",
     "def count(text):\n    out = {}\n    for c in text:\n        out[c] = out.get(c, 0) + 1\n    return out\n", ["def count(text):\n    return {c: 1 for c in text}\n"],
     [["banana"], [""], ["aA a"]])
call("transpose", 1, "Return the transpose of a matrix given as a list of rows.", "transpose",
     "def transpose(m):\n    return [list(r) for r in zip(*m)]\n", ["def transpose(m):\n    return [r[::-1] for r in m]\n"], [[[[1, 2], [3, 4]]], [[[1, 2, 3]]], [[]]])
call("edit-distance", 3, "Return the least number of insertions, deletions and replacements that make text a into text b.", "distance",
     "def distance(a, b):\n    w = list(range(len(b) + 1))\n    for i, x in enumerate(a, 1):\n        p, w[0] = w[0], i\n        for j, y in enumerate(b, 1):\n            p, w[j] = w[j], min(w[j] + 1, w[j - 1] + 1, p + (x != y))\n    return w[-1]\n",
     ["def distance(a, b):\n    return abs(len(a) - len(b)) + sum(x != y for x, y in zip(a, b))\n"], [["kitten", "sitting"], ["", "abc"], ["abcd", "bcd"], ["flaw", "lawn"]])
call("knapsack", 3, "Items are pairs [weight, value] of positive integers. Return the greatest value that fits into a capacity; each item once.", "best",
     "def best(items, capacity):\n    w = [0] * (capacity + 1)\n    for a, v in items:\n        for c in range(capacity, a - 1, -1):\n            w[c] = max(w[c], w[c - a] + v)\n    return w[-1]\n",
     ["def best(items, capacity):\n    total = 0\n    for a, v in sorted(items, key=lambda i: -i[1] / i[0]):\n        if a <= capacity:\n            capacity -= a\n            total += v\n    return total\n",
      "def best(items, capacity):\n    w = [0] * (capacity + 1)\n    for a, v in items:\n        for c in range(a, capacity + 1):\n            w[c] = max(w[c], w[c - a] + v)\n    return w[-1]\n"],
     [[[[2, 3], [3, 4], [4, 5], [5, 6]], 5], [[], 10], [[[1, 1]], 5], [[[6, 30], [3, 14], [4, 16], [2, 9]], 10], [[[5, 10], [4, 7], [4, 7]], 8]])
call("base-convert", 2, "Return a non-negative integer written in base b, 2 <= b <= 36, lower-case digits.", "to_base",
     "def to_base(n, b):\n    s = ''\n    while True:\n        n, r = divmod(n, b)\n        s = '0123456789abcdefghijklmnopqrstuvwxyz'[r] + s\n        if not n:\n            return s\n",
     ["def to_base(n, b):\n    s = ''\n    while n:\n        n, r = divmod(n, b)\n        s = '0123456789abcdefghijklmnopqrstuvwxyz'[r] + s\n    return s\n"], [[255, 16], [0, 2], [35, 36], [10**25, 7]])
call("max-subarray", 2, "Return the greatest sum of a non-empty stretch of neighbouring members.", "greatest",
     "def greatest(x):\n    best = here = x[0]\n    for v in x[1:]:\n        here = max(v, here + v)\n        best = max(best, here)\n    return best\n",
     ["def greatest(x):\n    best = here = 0\n    for v in x:\n        here = max(0, here + v)\n        best = max(best, here)\n    return best\n"], [[[-2, 1, -3, 4, -1, 2, 1, -5, 4]], [[-3, -1, -2]], [[5]]])
call("permutations", 2, "Return all different orders of the text's characters, in alphabetical order.", "orders",
     "from itertools import permutations\n\ndef orders(text):\n    return sorted({''.join(p) for p in permutations(text)})\n",
     ["from itertools import permutations\n\ndef orders(text):\n    return sorted(''.join(p) for p in permutations(text))\n"], [["abc"], ["aab"], [""]])
call("island-count", 3, "A grid as a list of strings of '0' and '1'. Return the number of groups of '1' that touch along edges.", "islands",
     "def islands(grid):\n    g = [list(r) for r in grid]\n    count = 0\n    for i in range(len(g)):\n        for j in range(len(g[i])):\n            if g[i][j] != '1':\n                continue\n            count += 1\n            stack = [(i, j)]\n            while stack:\n                a, b = stack.pop()\n                if 0 <= a < len(g) and 0 <= b < len(g[a]) and g[a][b] == '1':\n                    g[a][b] = '0'\n                    stack += [(a + 1, b), (a - 1, b), (a, b + 1), (a, b - 1)]\n    return count\n",
     ["def islands(grid):\n    return sum(r.count('1') for r in grid)\n"], [[["110", "010", "001"]], [[]], [["101", "010", "101"]], [["111", "101", "111"]]])

# ---- tested by asserts ----------------------------------------------------------------------------------------------
def asserts(name, level, statement, entry, solution, wrong, tests, **more):
    add(name, "assert", level, statement, solution, wrong, entry=entry, tests=[{"code": t} for t in tests], **more)


asserts("is-palindrome", 1, "`is_palindrome(text)`: whether the text reads the same backwards, letters and digits only, case ignored.", "is_palindrome",
        "def is_palindrome(text):\n    t = [c.lower() for c in text if c.isalnum()]\n    return t == t[::-1]\n",
        ["def is_palindrome(text):\n    return text == text[::-1]\n", "def is_palindrome(text):\n    return True\n"],
        ["assert is_palindrome('A man, a plan, a canal: Panama')", "assert not is_palindrome('race a car')", "assert is_palindrome('') is True"])
asserts("fibonacci", 1, "`fibonacci(n)`: the n-th Fibonacci number, fibonacci(0) == 0, fibonacci(1) == 1. A negative n raises ValueError.", "fibonacci",
        "def fibonacci(n):\n    if n < 0:\n        raise ValueError(n)\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n",
        ["def fibonacci(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n", "def fibonacci(n):\n    return 1 if n < 3 else fibonacci(n - 1) + fibonacci(n - 2)\n"],
        ["assert [fibonacci(i) for i in range(10)] == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]", "assert fibonacci(200) == 280571172992510140037611932413038677189525",
         "try:\n    fibonacci(-1)\n    raise AssertionError('no ValueError')\nexcept ValueError:\n    pass"])
asserts("flatten", 2, "`flatten(x)`: a nested list as a flat one.", "flatten",
        "def flatten(x):\n    out = []\n    for v in x:\n        out += flatten(v) if isinstance(v, list) else [v]\n    return out\n",
        ["def flatten(x):\n    return [w for v in x for w in (v if isinstance(v, list) else [v])]\n"],
        ["assert flatten([1, [2, [3, [4]]], []]) == [1, 2, 3, 4]", "assert flatten([]) == []", "assert flatten([[['a']], 'bc']) == ['a', 'bc']"])
asserts("sort-in-place", 2, "`bubble(x)`: sorts the list in place and returns how many neighbours a bubble sort swaps.", "bubble",
        "def bubble(x):\n    swaps = 0\n    for i in range(len(x)):\n        for j in range(len(x) - 1 - i):\n            if x[j] > x[j + 1]:\n                x[j], x[j + 1] = x[j + 1], x[j]\n                swaps += 1\n    return swaps\n",
        ["def bubble(x):\n    return sum(x[i] > x[j] for i in range(len(x)) for j in range(i + 1, len(x)))\n", "def bubble(x):\n    x.sort()\n    return 0\n"],
        ["x = [3, 1, 2]\nassert bubble(x) == 2\nassert x == [1, 2, 3]", "y = []\nassert bubble(y) == 0 and y == []", "z = [5, 4, 3, 2, 1]\nassert bubble(z) == 10 and z == [1, 2, 3, 4, 5]"])
asserts("divisors", 1, "`divisors(n)`: the set of positive divisors of n >= 1.", "divisors",
        "def divisors(n):\n    return {d for k in range(1, int(n ** 0.5) + 1) if n % k == 0 for d in (k, n // k)}\n",
        ["def divisors(n):\n    return {k for k in range(1, n // 2 + 1) if n % k == 0}\n", "def divisors(n):\n    return sorted({d for k in range(1, int(n ** 0.5) + 1) if n % k == 0 for d in (k, n // k)})\n"],
        ["def check(candidate):\n    assert candidate(1) == {1}\n    assert candidate(28) == {1, 2, 4, 7, 14, 28}\n    assert candidate(97) == {1, 97}\n    assert len(candidate(720720)) == 240"])
asserts("harmonic", 1, "`harmonic(n)`: 1 + 1/2 + ... + 1/n as a float; 0.0 for n = 0.", "harmonic",
        "def harmonic(n):\n    return float(sum(1 / k for k in range(1, n + 1)))\n", ["def harmonic(n):\n    return float(sum(1 // k for k in range(1, n + 1)))\n"],
        ["assert harmonic(0) == 0.0 and isinstance(harmonic(0), float)", "assert abs(harmonic(10) - 2.9289682539682538) < 1e-12"])
CPP_HEAD = "#include <cassert>\n"
asserts("cpp-gcd", 1, "`long gcd_of(long a, long b)`: the greatest common divisor, not negative; gcd_of(0, 0) is 0.", "gcd_of",
        "long gcd_of(long a, long b) {\n  while (b != 0) {\n    long r = a % b;\n    a = b;\n    b = r;\n  }\n  return a < 0 ? -a : a;\n}\n",
        ["long gcd_of(long a, long b) { return b == 0 ? a : gcd_of(b, a % b); }\n"],
        ["int main() {\n  assert(gcd_of(12, 18) == 6);\n  assert(gcd_of(0, 0) == 0);\n  assert(gcd_of(-4, 6) == 2);\n  assert(gcd_of(7, 0) == 7);\n  assert(gcd_of(-7, 0) == 7);\n}\n"], language="cpp")
asserts("cpp-split", 2, "`std::vector<std::string> split(const std::string& text, char mark)`: the parts between marks, empty ones too.", "split",
        "#include <string>\n#include <vector>\nstd::vector<std::string> split(const std::string& text, char mark) {\n  std::vector<std::string> parts(1);\n  for (char c : text) {\n    if (c == mark) parts.emplace_back(); else parts.back() += c;\n  }\n  return parts;\n}\n",
        ["#include <sstream>\n#include <string>\n#include <vector>\nstd::vector<std::string> split(const std::string& text, char mark) {\n  std::vector<std::string> parts;\n  std::istringstream in(text);\n  for (std::string part; std::getline(in, part, mark);) parts.push_back(part);\n  return parts;\n}\n"],
        ["int main() {\n  using V = std::vector<std::string>;\n  assert((split(\"a,b\", ',') == V{\"a\", \"b\"}));\n  assert((split(\"\", ',') == V{\"\"}));\n  assert((split(\"a,,\", ',') == V{\"a\", \"\", \"\"}));\n}\n"], language="cpp")
asserts("cpp-matrix", 2, "`using Matrix = std::vector<std::vector<double>>; Matrix multiply(const Matrix& a, const Matrix& b)`: the product.", "multiply",
        "#include <cstddef>\n#include <vector>\nusing std::size_t;\nusing Matrix = std::vector<std::vector<double>>;\nMatrix multiply(const Matrix& a, const Matrix& b) {\n  Matrix c(a.size(), std::vector<double>(b.empty() ? 0 : b[0].size()));\n  for (size_t i = 0; i < a.size(); ++i)\n    for (size_t k = 0; k < b.size(); ++k)\n      for (size_t j = 0; j < b[k].size(); ++j) c[i][j] += a[i][k] * b[k][j];\n  return c;\n}\n",
        ["#include <cstddef>\n#include <vector>\nusing std::size_t;\nusing Matrix = std::vector<std::vector<double>>;\nMatrix multiply(const Matrix& a, const Matrix& b) {\n  Matrix c = a;\n  for (size_t i = 0; i < a.size(); ++i)\n    for (size_t j = 0; j < a[i].size(); ++j) c[i][j] = a[i][j] * b[i][j];\n  return c;\n}\n"],
        ["int main() {\n  assert((multiply({{1, 2}, {3, 4}}, {{0, 1}, {1, 0}}) == Matrix{{2, 1}, {4, 3}}));\n  assert((multiply({{2}}, {{3}}) == Matrix{{6}}));\n}\n"], language="cpp")

# power-mod's second solution is right too: it is no wrong one.
for row in ROWS:
    if row["id"] == "power-mod":
        row["wrong"] = ["def power_mod(a, b, m):\n    return int(float(a) ** min(b, 300)) % m\n"]

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "code_basics.jsonl")
with open(path, "w") as file:
    for row in ROWS:
        file.write(json.dumps(row) + "\n")
print(len(ROWS), "problems,", sum(len(r["wrong"]) for r in ROWS), "wrong solutions,", sum(len(r["tests"]) for r in ROWS), "tests")
