#!/usr/bin/python3
"""Makes the expected texts of the template tests with jinja2, set up as Hugging Face sets it up.

    tests/make_template_goldens.py [SHARED]

Fills in `want` or `error` of every case in tests/template_goldens/own.json, and writes
tests/template_goldens/shared.json: the length and sha256 of each third-party chat template of
SHARED/data/chat_templates (default: ../shared) over each of our conversations. Made with
python3-jinja2 3.1.2 of Debian 12.
"""
import datetime
import glob
import hashlib
import json
import os
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDENS = os.path.join(HERE, 'template_goldens')
NOW = datetime.datetime(2024, 7, 26, 12, 34, 56)  # 1721997296 in Unix seconds, UTC


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                          sort_keys=sort_keys)

    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    env.filters['tojson'] = tojson
    env.globals['raise_exception'] = raise_exception
    env.globals['strftime_now'] = NOW.strftime
    return env


def render(source, context):
    """('want', text) or ('error', what jinja2 raised)."""
    try:
        text = environment().from_string(source).render(**context)
        text.encode()
        return 'want', text
    except Exception as error:  # whatever it raises is the golden
        return 'error', type(error).__name__


def read(name):
    with open(os.path.join(GOLDENS, name), encoding='utf-8') as file:
        return json.load(file)


def write(name, text):
    with open(os.path.join(GOLDENS, name), 'w', encoding='utf-8') as file:
        file.write(text + '\n')


def make_own():
    cases = read('own.json')
    for case in cases:
        case.pop('want', None)
        case.pop('error', None)
        key, value = render(case['template'], case.get('context', {}))
        case[key] = value
    write('own.json', json.dumps(cases, ensure_ascii=False, indent=1))


def make_shared(folder):
    conversations = read('conversations.json')
    goldens = {}
    for path in sorted(glob.glob(os.path.join(folder, 'data', 'chat_templates', '*.jinja'))):
        with open(path, encoding='utf-8', newline='') as file:
            source = file.read()
        rows = goldens[os.path.basename(path)] = {}
        for name, context in conversations.items():
            for prompt in (False, True):
                key, value = render(source, {**context, 'add_generation_prompt': prompt})
                if key == 'want':
                    data = value.encode()
                    value = f'{len(data)} {hashlib.sha256(data).hexdigest()}'
                rows[f'{name}, {"with" if prompt else "without"} prompt'] = {key: value}
    # One conversation a line.
    blocks = [f'{json.dumps(name)}: {{\n' + ',\n'.join(
        f' {json.dumps(row, ensure_ascii=False)}: {json.dumps(golden)}'
        for row, golden in rows.items()) + '\n}' for name, rows in goldens.items()]
    write('shared.json', '{\n' + ',\n'.join(blocks) + '\n}')


if __name__ == '__main__':
    make_own()
    make_shared(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, '..', '..', 'shared'))
