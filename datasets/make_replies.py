#!/usr/bin/env python3
"""Writes basics_replies.jsonl: for each problem of basics.jsonl four replies of known outcome, as a reasoning model
might give them.

    python3 datasets/make_replies.py [--seed N]

`expected` holds each reply's outcome: correct, incorrect, truncated or no_answer. How often a reply is right falls
with the problem's level. The letters of choice problems hold for runs with that seed (0 is the default of both), since
a run's seed orders the choices; `match` holds the choices as shown, so that another seed finds no reply instead of a
wrong one. Standard library only.
"""
import argparse
import hashlib
import json
import os
import random
from fractions import Fraction

CORRECT_SHARE = {1: 0.92, 2: 0.82, 3: 0.66, 4: 0.48, 5: 0.3}
# Of the replies that are not right.
OTHERWISE = [("incorrect", 0.62), ("truncated", 0.24), ("no_answer", 0.14)]
REPLIES = 4


def choice_order(problem_id, seed, count):
    """harness/keys.cc, ChoiceOrder: positions sorted by a hash of (seed, id, position)."""
    def part(text):
        return f"{len(text.encode())}:{text}"

    def key(position):
        text = "choice-order/1" + part(str(seed)) + part(problem_id) + part(str(position))
        return hashlib.sha256(text.encode()).digest()[:8], position
    return sorted(range(count), key=key)


def shown_choices(row, seed):
    return [row["choices"][i] for i in choice_order(row["id"], seed, len(row["choices"]))]


def match_text(row, seed):
    if row["kind"] != "choice":
        return row["question"]
    lines = [f"{'ABCDEFGHIJ'[i]}) {text}" for i, text in enumerate(shown_choices(row, seed))]
    return row["question"] + "\n\n" + "\n".join(lines)


def right_answer(row, seed):
    if row["kind"] != "choice":
        return row["answer"]
    return "ABCDEFGHIJ"[shown_choices(row, seed).index(row["choices"][row["answer"]])]


def wrong_number(answer, draw):
    value = Fraction(answer)
    slips = [value + 1, value - 1, value * 2, value / 2, value + 10, value * 10, -value]
    if value.denominator > 1:
        slips += [1 / value, value + Fraction(1, value.denominator), 1 - value]
    slip = draw.choice([s for s in slips if s != value])
    if "/" in answer or slip.denominator not in (1, 2, 4, 5, 10, 20):
        return f"{slip.numerator}/{slip.denominator}" if slip.denominator > 1 else str(slip.numerator)
    return str(slip.numerator) if slip.denominator == 1 else repr(float(slip))


def wrong_answer(row, rows, seed, draw):
    right = right_answer(row, seed)
    if row["kind"] == "choice":
        return draw.choice([c for c in "ABCDEFGHIJ"[:len(row["choices"])] if c != right])
    if row["kind"] == "number":
        return wrong_number(right, draw)
    if right in ("yes", "no"):
        return "no" if right == "yes" else "yes"
    others = {r["answer"] for r in rows if r["kind"] == "words" and r["subject"] == row["subject"]}
    others |= {"zero", "none of them"}
    return draw.choice(sorted(o for o in others if o.lower() != right.lower() and o not in ("yes", "no")))


def latex(number, draw):
    """A number as models write it."""
    if "/" in number:
        over, under = number.lstrip("-").split("/")
        sign = "-" if number.startswith("-") else ""
        return draw.choice([number, f"{sign}\\frac{{{over}}}{{{under}}}", f"{sign}\\dfrac{{{over}}}{{{under}}}"])
    if number.lstrip("-").isdigit() and abs(int(number)) >= 10000 and draw.random() < 0.5:
        return f"{int(number):,}"
    return number


def thoughts(row, answer, draw):
    """A few sentences of thinking; they may name a box that is not the answer."""
    opening = draw.choice([
        "Okay, let me see what is asked here.", "Let me think about this carefully.",
        "First I restate the problem.", "Hmm, I should go through this step by step.",
        "So the question is this one:"])
    lines = [opening, draw.choice([f"\"{row['question']}\"", "I note what is given and what is wanted."])]
    if "expression" in row and draw.random() < 0.7:
        lines.append(f"As a formula this should be {row['expression']}.")
    if row["kind"] == "choice":
        lines.append("I go through the options one after the other and strike out what cannot be.")
    lines.append(draw.choice([
        "I work it out once forwards and once backwards.", "Carrying out the steps one at a time avoids slips.",
        "There is a short way, but I prefer the one that I can check.",
        "The numbers are small enough to try it directly."]))
    if draw.random() < 0.35:
        guess = draw.choice(["0", "1", "7", "12", "100"])
        lines.append(f"My first thought was \\boxed{{{guess}}}, but that ignores a part of the question.")
    if answer and draw.random() < 0.6:
        lines.append(draw.choice([f"This gives {answer}.", f"So it comes to {answer}.", f"I arrive at {answer}."]))
    lines.append(draw.choice([
        "Wait, let me check this once more. Yes, it holds.", "Checking: putting it back in works.",
        "I am fairly confident.", "That settles it."]))
    return "\n".join(lines)


def conclusion(row, answer, draw):
    if row["kind"] == "number":
        box = f"\\boxed{{{latex(answer, draw)}}}"
        return draw.choice([
            f"The answer is {box}.", f"Therefore the result is\n\n$${box}$$", f"**Final answer:** ${box}$",
            f"Working through the steps gives ${box}$."])
    if row["kind"] == "choice":
        return draw.choice([
            f"Answer: {answer}", f"**Answer: {answer}**", f"Only one option fits.\n\nAnswer: {answer}",
            f"The other options can be ruled out.\n\nAnswer: ({answer})", f"Answer: ${answer}$"])
    return draw.choice([f"Answer: {answer}", f"**Answer:** {answer}", f"That is all.\n\nAnswer: {answer}.",
                        f"Answer: **{answer}**"])


def shaped(thinking, rest, draw):
    """With tags, with the closing tag only (the opening one was in the prompt), or without thinking."""
    form = draw.random()
    if form < 0.7:
        return f"<think>\n{thinking}\n</think>\n\n{rest}"
    if form < 0.8:
        return f"{thinking}\n</think>\n\n{rest}"
    return rest


def reply(row, rows, outcome, seed, draw):
    right = right_answer(row, seed)
    if outcome == "truncated":
        tail = draw.choice(["Let me verify this ano", "But wait, is that all? Let me go back to the", "So if I now take the"])
        box = f"So far \\boxed{{{right}}} looks right.\n" if draw.random() < 0.5 else ""
        return f"<think>\n{thoughts(row, None, draw)}\n{box}{tail}", "length"
    if outcome == "no_answer":
        rest = draw.choice([
            "I could not find a way through this problem and would rather not guess.",
            "The statement leaves me in doubt, so I stop here.",
            "I have gone around in circles with this one; more time would be needed."])
        return f"<think>\n{thoughts(row, None, draw)}\n</think>\n\n{rest}", "stop"
    answer = right if outcome == "correct" else wrong_answer(row, rows, seed, draw)
    return shaped(thoughts(row, answer, draw), conclusion(row, answer, draw), draw), "stop"


def draw_outcome(row, draw):
    if draw.random() < CORRECT_SHARE[row["level"]]:
        return "correct"
    point = draw.random()
    for outcome, share in OTHERWISE:
        if point < share:
            return outcome
        point -= share
    return OTHERWISE[0][0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="the run's seed, which orders the choices")
    seed = parser.parse_args().seed
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "basics.jsonl"), encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    counts = {}
    with open(os.path.join(here, "basics_replies.jsonl"), "w", encoding="utf-8") as file:
        for row in rows:
            draw = random.Random(f"replies/1:{row['id']}")
            outcomes = [draw_outcome(row, draw) for _ in range(REPLIES)]
            replies = [reply(row, rows, outcome, seed, draw) for outcome in outcomes]
            for outcome in outcomes:
                counts[outcome] = counts.get(outcome, 0) + 1
            file.write(json.dumps({
                "id": row["id"], "match": match_text(row, seed), "replies": [text for text, _ in replies],
                "finish": [finish for _, finish in replies], "expected": outcomes}, ensure_ascii=False) + "\n")
    total = sum(counts.values())
    print(", ".join(f"{name} {count} ({100 * count / total:.1f} %)" for name, count in sorted(counts.items())))


if __name__ == "__main__":
    main()
