#!/usr/bin/python3
"""Writes harness/template_unicode.cc: what Python's str knows of each code point."""
import os
import unicodedata

POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def flags(code):
    char = chr(code)
    # Skipped when Python looks for the letters around a capital sigma.
    ignorable = ('A\u03a3' + char + 'A').lower()[1] == '\u03c3' and ('A\u03a3' + char).lower()[1] == '\u03c2'
    answers = [char.isprintable(), char.isalpha(), char.isdecimal(), char.isdigit(), char.isnumeric(),
               char.isupper(), char.islower(), unicodedata.category(char) == 'Lt', ignorable]
    return sum(answer << bit for bit, answer in enumerate(answers))


def runs():
    before = None
    for code in range(0x110000):
        now = 0 if 0xD800 <= code <= 0xDFFF else flags(code)
        if now != before:
            yield f'{code << 9 | now:#x},'
        before = now


def ranges(change):
    """(first, last, stride, delta) for the code points that change into one code point."""
    found = []
    for code in POINTS:
        other = change(chr(code))
        if len(other) != 1 or ord(other) == code:
            continue
        delta = ord(other) - code
        if found:
            first, last, stride, same = found[-1]
            if delta == same and (code - last == stride or (first == last and code - last <= 2)):
                found[-1] = (first, code, code - last, delta)
                continue
        found.append((code, code, 1, delta))
    return [f'{{{first:#x}, {last:#x}, {stride}, {delta}}},' for first, last, stride, delta in found]


def specials(change):
    def text(value):
        return '"' + ''.join(f'\\x{byte:02x}' for byte in value.encode()) + '"'
    return [f'{{{code:#x}, {text(change(chr(code)))}}},' for code in POINTS if len(change(chr(code))) > 1]


def main():
    out = [
        '// The properties and case changes of code points as Python 3.11 has them (Unicode '
        f'{unicodedata.unidata_version}); written by',
        '// tests/make_template_unicode.py.',
        '#include "harness/template_unicode.h"', '',
        'namespace assay::jinja {', '']
    tables = [
        ('uint32_t kPropertyRuns[]', runs()),
        ('CaseRange kLowerRanges[]', ranges(str.lower)),
        ('CaseRange kUpperRanges[]', ranges(str.upper)),
        ('CaseRange kTitleRanges[]', ranges(str.title)),
        ('CaseSpecial kLowerSpecials[]', specials(str.lower)),
        ('CaseSpecial kUpperSpecials[]', specials(str.upper)),
        ('CaseSpecial kTitleSpecials[]', specials(str.title)),
    ]
    for name, lines in tables:
        lines = list(lines)
        out += [f'static constexpr {name} = {{', *lines, '};', '']
    out += [
        'const UnicodeTables& Unicode() {',
        '  static constexpr UnicodeTables kTables = {kPropertyRuns, kLowerRanges, kUpperRanges, kTitleRanges,',
        '                                            kLowerSpecials, kUpperSpecials, kTitleSpecials};',
        '  return kTables;', '}', '', '}  // namespace assay::jinja', '']
    path = os.path.join(os.path.dirname(__file__), '..', 'harness', 'template_unicode.cc')
    with open(path, 'w', encoding='utf-8') as file:
        file.write('\n'.join(out))


main()
