#!/usr/bin/env python3
"""compare_chat.py - conversations as Leat writes them beside the authors' templates run by Jinja2, as transformers runs them.

  compare_chat.py TEMPLATE.jinja|LIST.json... [--library build/libleat.so] [--show]

LIST.json: [{"src": where from, "t": the template}, ...].  For each template: the format that Leat recognises, and in how many conversations the texts are equal, differ, are
refused by Leat or by the template.  Conversations end with a user's message and the prompt for a reply, or with a reply and none.  BOS and EOS are "<s>" and "</s>"; a BOS in
front is left out, for it belongs to tokenising.  --show prints what differs.  Needs jinja2.
"""
import argparse
import ctypes as c
import datetime
import json
import os
import pathlib

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

THOUGHT = '<think>\nhm\n</think>\n\nb'
TALKS = {
    'user': ['u:Hello'], 'system': ['s:You are brief.', 'u:Hello'], 'turns': ['u:Hello', 'a:Hi there', 'u:Who are you?'],
    'system turns': ['s:You are brief.', 'u:Hello', 'a:Hi there', 'u:Who are you?'], 'long': ['s:S', 'u:1', 'a:2', 'u:3', 'a:4', 'u:5'],
    'blank user': ['u:  Hello \n there \n', 'a:Hi', 'u:\n x'], 'blank reply': ['u:Hello', 'a: \n Hi there  \n', 'u:b'], 'blank system': ['s: \n Be brief. \n ', 'u:Hello'],
    'lines': ['s:line 1\nline 2\n\nline 4', 'u:a\n\nb', 'a:```c\nint x;\n```', 'u:{"a": [1, 2]}'], 'thoughts': ['u:a', 'a:' + THOUGHT, 'u:c'],
    'empty user': ['u:'], 'empty system': ['s:', 'u:Hello'], 'system alone': ['s:Only.'],
    'done': ['u:Hello', 'a:Hi there'], 'system done': ['s:You are brief.', 'u:Hello', 'a:Hi there'], 'thoughts done': ['u:a', 'a:' + THOUGHT],
}
ROLES = {'s': 'system', 'u': 'user', 'a': 'assistant'}
SPELLINGS = {'<｜end▁of▁sentence｜>': '</s>', '<｜begin▁of▁sentence｜>': '<s>', '<|begin_of_text|>': '<s>'}


class Message(c.Structure):
    _fields_ = [('role', c.c_char_p), ('content', c.c_char_p)]


class Generation(jinja2.ext.Extension):
    """{% generation %} marks replies for training; nothing is written"""
    tags = {'generation'}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(['name:endgeneration'], drop_needle=True)


def environment():
    def refuse(message):
        raise jinja2.exceptions.TemplateError(message)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=['jinja2.ext.loopcontrols', Generation])
    env.globals['raise_exception'] = refuse
    os.environ.setdefault('LEAT_DATE', '2024-02-09')  # one day for both
    env.globals['strftime_now'] = datetime.date.fromisoformat(os.environ['LEAT_DATE']).strftime
    env.filters['tojson'] = lambda x, indent=None, **_: json.dumps(x, ensure_ascii=False, indent=indent)
    return env


def theirs(template, messages, prompt):
    text = template.render(messages=messages, bos_token='<s>', eos_token='</s>', add_generation_prompt=prompt, tools=None)
    for a, b in SPELLINGS.items():
        text = text.replace(a, b)
    return text.removeprefix('<s>')


class Leat:
    def __init__(self, library):
        self.lib = c.CDLL(library)
        self.lib.leat_chat_recognise.restype = c.c_char_p

    def recognise(self, template):
        data = template.encode()
        return self.lib.leat_chat_recognise(data, c.c_size_t(len(data)))

    def write(self, name, messages, prompt):
        """None: refused"""
        array = (Message * len(messages))(*[Message(m['role'].encode(), m['content'].encode()) for m in messages])
        room, count = c.create_string_buffer(1 << 16), c.c_size_t()
        failed = self.lib.leat_chat_render(name, None, array, c.c_int64(len(messages)), c.c_uint32(prompt), room, c.c_size_t(len(room)), c.byref(count), None)
        return None if failed else room.raw[:count.value].decode()


def compare(leat, env, source, text, show):
    """'unknown', 'equal' or 'differs'"""
    name = leat.recognise(text)
    if not name:
        print(f'unknown           {source}')
        return 'unknown'
    template, counts, which = env.from_string(text), {'equal': 0, 'differs': 0, 'refused': 0, 'raised': 0}, []
    for talk, lines in TALKS.items():
        messages = [{'role': ROLES[line[0]], 'content': line[2:]} for line in lines]
        prompt = lines[-1][0] != 'a'
        mine = leat.write(name, messages, prompt)
        try:
            other = theirs(template, messages, prompt)
        except Exception:  # a template may fail in any way
            counts['raised'] += 1
            continue
        outcome = 'refused' if mine is None else 'equal' if mine == other else 'differs'
        counts[outcome] += 1
        if outcome == 'differs':
            which.append(talk)
            if show:
                print(f'  {talk}\n    {other!r}\n    {mine!r}')
    print(f'{name.decode():18}' + ', '.join(f'{n} {k}' for k, n in counts.items() if n) + (f' ({", ".join(which)})' if which else '') + f'  {source}')
    return 'differs' if counts['differs'] else 'equal'


def read(path):
    if path.suffix == '.json':
        return [(entry['src'], entry['t']) for entry in json.loads(path.read_text())]
    return [(path.name, path.read_text())]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('templates', nargs='+', type=pathlib.Path)
    parser.add_argument('--library', default='build/libleat.so')
    parser.add_argument('--show', action='store_true')
    args = parser.parse_args()
    leat, env, totals = Leat(args.library), environment(), {'equal': 0, 'differs': 0, 'unknown': 0}
    for path in args.templates:
        for source, text in read(path):
            totals[compare(leat, env, source, text, args.show)] += 1
    print(', '.join(f'{n} {k}' for k, n in totals.items()))


if __name__ == '__main__':
    main()
