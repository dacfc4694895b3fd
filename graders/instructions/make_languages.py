#!/usr/bin/env python3
"""Writes languages.txt, the n-gram model of the language check, from the profiles of Debian's python3-langdetect.

Development only. langdetect's profiles (55 languages, counted in Wikipedia's abstracts by Nakatani Shuyo,
Apache-2.0) are what IFEval's own checker uses. Kept is every n-gram that makes up at least KEEP of its length's
n-grams in some language, in the languages where it makes up a quarter of that; probabilities are rounded to an
eighth of a power of two. Han characters are written out one by one with the probability of their class.

    graders/instructions/make_languages.py > graders/instructions/languages.txt
"""
import collections
import json
import math
import os
import sys

import langdetect
from langdetect.utils.ngram import NGram

KEEP = 1e-4
STEPS = 8  # of a power of two


def is_han(gram):
    return any("\u4e00" <= c <= "\u9fff" for c in gram)


def load():
    """{n-gram: {language: probability}} and the languages."""
    folder = os.path.join(os.path.dirname(langdetect.__file__), "profiles")
    table = collections.defaultdict(dict)
    languages = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            profile = json.load(file)
        languages.append(profile["name"])
        for gram, count in profile["freq"].items():
            table[gram][profile["name"]] = count / profile["n_words"][len(gram) - 1]
    return table, languages


def main():
    table, languages = load()
    kept = {}
    for gram, probabilities in table.items():
        if max(probabilities.values()) < KEEP or (is_han(gram) and len(gram) > 1):
            continue
        if is_han(gram):
            continue
        kept[gram] = {name: p for name, p in probabilities.items() if p >= KEEP / 4}
    for character, representative in NGram.CJK_MAP.items():
        probabilities = table.get(representative, {})
        kept_here = {name: p for name, p in probabilities.items() if p >= KEEP / 4}
        if kept_here:
            kept[character] = kept_here
    lines = collections.defaultdict(list)
    for gram, probabilities in kept.items():
        for name, probability in probabilities.items():
            level = round(-math.log2(probability) * STEPS)
            lines[(name, level)].append(gram.replace(" ", "_"))
    out = sys.stdout
    out.write("# How often n-grams of one to three letters are in 55 languages; made by make_languages.py from the profiles of\n")
    out.write("# langdetect 1.0.9 (Debian python3-langdetect; Nakatani Shuyo, Michal Danilak; Apache-2.0, see languages.LICENSE).\n")
    out.write("# A line: language, -log2(probability) in eighths, n-grams ('_' is the edge of a word).\n")
    for (name, level), grams in sorted(lines.items()):
        out.write("%s %d %s\n" % (name, level, " ".join(sorted(grams))))


main()
