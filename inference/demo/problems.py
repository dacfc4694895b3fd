"""The demo model's problems: an endless generator with its reasoning written out, and the held-out suite made from it.

usage: problems.py --kind math > datasets/demo_math.jsonl      (40 held-out problems of each family of that kind)
       problems.py --kind choice > datasets/demo_choice.jsonl
       problems.py --kind code > datasets/demo_code.jsonl

A problem is held out when a hash of its text says so (one in ten): training never sees it, the suite holds nothing else.
Every reference is computed, never typed.
"""
import argparse
import hashlib
import itertools
import json
import random
from fractions import Fraction

NAMES = ["Ana", "Ben", "Mia", "Tom", "Eva", "Leo", "Ida", "Max"]
THINGS = ["apples", "books", "coins", "cards", "pens", "eggs", "shells", "stamps"]


def held_out(text):
    return hashlib.sha256(text.encode()).digest()[0] % 10 == 0


def times(a, b):
    """Lines that multiply by the digits of the smaller factor; the last one ends in the product."""
    big, small = max(a, b), min(a, b)
    if small < 10 and big < 10 or small <= 1:
        return [f"{a}*{b} = {a * b}"]
    parts = [(int(d) * 10 ** i) for i, d in enumerate(reversed(str(big))) if d != "0"][::-1]
    if small >= 10:
        tens, units = small // 10 * 10, small % 10
        lines = times(big, tens // 10) if tens // 10 > 1 else []
        lines.append(f"{big}*{tens} = {big * tens}")
        if units:
            lines += times(big, units) + [f"{big * tens} + {big * units} = {a * b}"]
        return lines
    lines = [f"{p}*{small} = {p * small}" for p in parts]
    total = parts[0] * small
    for p in parts[1:]:
        lines.append(f"{total} + {p * small} = {total + p * small}")
        total += p * small
    return lines


def arithmetic(r, level):
    top = [10, 50, 100, 300, 999][level - 1]
    count = [2, 2, 3, 3, 4][level - 1]
    terms = [r.randint(1, top)]
    text, lines, value = str(terms[0]), [], terms[0]
    if level >= 2 and r.random() < 0.5:
        a, b = r.randint(2, [9, 12, 30, 60, 99][level - 1]), r.randint(2, [9, 9, 9, 12, 19][level - 1])
        lines += times(a, b)
        text, value = f"{a}*{b}", a * b
        count -= 1
    for _ in range(count - 1):
        n = r.randint(1, top)
        if r.random() < 0.5:
            lines.append(f"{value} + {n} = {value + n}")
            text, value = f"{text} + {n}", value + n
        else:
            lines.append(f"{value} - {n} = {value - n}")
            text, value = f"{text} - {n}", value - n
    if not lines:
        lines.append(f"{value} = {value}")
    ask = r.choice(["Compute {}.", "What is {}?", "Work out {}."])
    return ask.format(text), lines, str(value)


def word(r, level):
    name, thing = r.choice(NAMES), r.choice(THINGS)
    top = [10, 20, 50, 90, 200][level - 1]
    a, lines = r.randint(2, top), []
    text, value = f"{name} has {a} {thing}.", a
    for _ in range([1, 1, 2, 2, 3][level - 1]):
        kind = r.randrange(4)
        b = r.randint(2, top)
        if kind == 0:
            text += f" {r.choice(['A friend gives', 'Later a neighbour brings'])} {b} more."
            lines.append(f"{value} + {b} = {value + b}")
            value += b
        elif kind == 1 and value > 3:
            b = r.randint(1, value - 1)
            text += f" Then {b} {r.choice(['are lost', 'are sold', 'are given away'])}."
            lines.append(f"{value} - {b} = {value - b}")
            value -= b
        elif kind == 2 and value < 100:
            b = r.randint(2, 5)
            text += f" The number then grows to {b} times as many."
            lines += times(value, b)
            value *= b
        else:
            boxes, each = r.randint(2, 9), r.randint(2, 9 if level < 4 else 20)
            text += f" {boxes} boxes with {each} in each are added."
            lines += times(boxes, each) + [f"{value} + {boxes * each} = {value + boxes * each}"]
            value += boxes * each
    return f"{text} How many {thing} are there now?", lines, str(value)


def signed(n):
    return f"+ {n}" if n >= 0 else f"- {-n}"


def equation(r, level):
    x = r.randint(1, [9, 12, 12, 20, 30][level - 1]) * (1 if level < 3 or r.random() < 0.6 else -1)
    a, b = r.randint(2, [5, 9, 9, 9, 12][level - 1]), r.randint(1, 20) * (1 if level < 2 or r.random() < 0.5 else -1)
    if level < 4:
        c = a * x + b
        lines = [f"{a}x = {c} {signed(-b)} = {c - b}", f"x = {c - b}/{a} = {x}"]
        return f"Solve {a}x {signed(b)} = {c}.", lines, str(x)
    d = r.randint(1, a - 1)
    c = (a - d) * x + b
    left = a - d
    lines = [f"{a}x - {d}x = {left}x", f"{left}x = {c} {signed(-b)} = {c - b}", f"x = {c - b}/{left} = {x}"]
    return f"Solve {a}x {signed(b)} = {d}x {signed(c)}.", lines, str(x)


def fraction(r, level):
    g = r.randint(2, [3, 5, 9, 12, 15][level - 1])
    p, q = r.randint(1, [5, 9, 9, 12, 20][level - 1]), r.randint(2, [6, 9, 12, 15, 20][level - 1])
    if level <= 3 or r.random() < 0.5:
        a, b = p * g, q * g
        text = r.choice(["Simplify {}/{}.", "Write {}/{} in lowest terms."]).format(a, b)
        lines = []
    else:
        s, t = r.randint(1, 9), r.randint(2, 9)
        a, b = p * t + s * q, q * t
        text = f"Compute {p}/{q} + {s}/{t}."
        lines = [f"{p}*{t} = {p * t}", f"{s}*{q} = {s * q}", f"{p * t} + {s * q} = {a}", f"{q}*{t} = {b}"]
    m, n = max(a, b), min(a, b)
    while n:
        lines.append(f"{m} = {m // n}*{n} + {m % n}")
        m, n = n, m % n
    lines += [f"gcd {m}", f"{a}/{m} = {a // m}", f"{b}/{m} = {b // m}"]
    value = Fraction(a, b)
    answer = str(value.numerator) if value.denominator == 1 else f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
    return text, lines, answer


def choice(r, level):
    question, lines, answer = (arithmetic if r.random() < 0.6 else word)(r, max(1, level - 1))
    value = int(answer)
    wrong = set()
    while len(wrong) < 3:
        near = value + r.choice([-10, -2, -1, 1, 2, 3, 5, 10, 20])
        if near != value:
            wrong.add(near)
    options = [value, *sorted(wrong)]
    r.shuffle(options)
    letter = "ABCD"[options.index(value)]
    lines = lines + [f"{'ABCD'[i]}: {option} {'yes' if option == value else 'no'}" for i, option in enumerate(options)]
    return question, lines, letter, [str(option) for option in options]


def code(r, level):
    a, b = r.randint(2, 9), r.randint(1, 20)
    p, q = r.randint(3, 9), r.randint(11, 99)
    simple = [
        (f"returns x times {a} plus {b}", f"x * {a} + {b}"),
        (f"returns {b} minus x", f"{b} - x"),
        (f"returns the square of x plus {b}", f"x * x + {b}"),
        (f"tells whether x is divisible by {a}", f"x % {a} == 0"),
        (f"returns the remainder of x divided by {a}", f"x % {a}"),
    ]
    double = [
        (f"tells whether x is divisible by {a} and greater than {b}", f"x % {a} == 0 and x > {b}"),
        (f"tells whether x is less than {b} or divisible by {a}", f"x < {b} or x % {a} == 0"),
        (f"returns x times {a} if x is greater than {b} and x minus {b} otherwise", f"x * {a} if x > {b} else x - {b}"),
        (f"returns the larger of x and {b}, times {a}", f"max(x, {b}) * {a}"),
        (f"returns the smaller of x plus {a} and {b}", f"min(x + {a}, {b})"),
        (f"returns the sum of the whole numbers from {a} to x", f"sum(range({a}, x + 1))"),
        (f"returns x plus {p} times {q}, the product worked out", f"x + {p * q}"),
        (f"returns {q} times {p} minus x, the product worked out", f"{p * q} - x"),
        (f"counts the numbers from 1 to x that are divisible by {a}", f"sum(1 for i in range(1, x + 1) if i % {a} == 0)"),
    ]
    what, body = r.choice(simple if level <= 2 else double)
    name = r.choice(["f", "g", "h", "calc", "solve"])
    return f"Write a Python function {name}(x) that {what}.", [f"return {body}"], f"def {name}(x):\n    return {body}\n"


FAMILIES = {"arithmetic": arithmetic, "word": word, "equation": equation, "fraction": fraction, "choice": choice, "code": code}


def make(r, family=None, level=None):
    """One problem: a dict with family, level, question, think, answer (text), reference and, for choices, options."""
    family = family or r.choice(list(FAMILIES))
    level = level or r.randint(1, 5)
    made = FAMILIES[family](r, level)
    stem, lines, reference = made[0], made[1], made[2]
    question = stem
    options = made[3] if len(made) > 3 else []
    if options:
        question += "\n" + "\n".join(f"{'ABCD'[i]}) {option}" for i, option in enumerate(options))
    if family == "code":
        answer = f"```python\n{reference}```"
    else:
        answer = f"The answer is \\boxed{{{reference}}}."
    return {"family": family, "level": level, "question": question, "think": "\n".join(lines), "answer": answer,
            "reference": reference, "options": options, "stem": stem}


KINDS = {"math": ["arithmetic", "word", "equation", "fraction"], "choice": ["choice"], "code": ["code"]}


def row_of(problem, number):
    """A row of the suite: what the task needs, no reasoning."""
    family = problem["family"]
    row = {"id": f"demo-{family}-{number:03d}", "family": family, "level": problem["level"], "question": problem["stem"]}
    if family == "choice":
        return row | {"choices": problem["options"], "answer": "ABCD".index(problem["reference"])}
    if family != "code":
        return row | {"answer": problem["reference"]}
    scope = {}
    exec(problem["reference"], scope)  # our own one-line function
    name = problem["reference"][4:problem["reference"].index("(")]
    tests = [{"args": [x], "expected": scope[name](x)} for x in (0, 1, 2, 7, 12, 30)]
    return row | {"answer": problem["reference"], "kind": "call", "language": "python3", "entry_point": name,
                  "time_limit_s": 4, "tests": tests}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=list(KINDS), required=True)
    parser.add_argument("--suite", type=int, default=40, help="held-out problems of each family")
    parser.add_argument("--seed", type=int, default=2026)
    args = parser.parse_args()
    seen = set()
    for family in KINDS[args.kind]:
        r = random.Random(f"{args.seed} {family}")
        for i in range(args.suite):
            for attempt in itertools.count():
                # The lowest levels have few problems: where they are used up, the next level gives more.
                problem = make(r, family, min(5, i % 5 + 1 + attempt // 2000))
                # What is asked, options and all, is what training must not have seen.
                if held_out(problem["question"]) and problem["question"] not in seen:
                    break
            seen.add(problem["question"])
            print(json.dumps(row_of(problem, i)))


if __name__ == "__main__":
    main()
