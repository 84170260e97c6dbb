#!/usr/bin/env python3
"""leat_lm_bench.py - Leat as the worker that llama_bench.py is for llama.cpp: the same commands, the same conditions, through libleat.so.

  leat_lm_bench.py M.gguf -t THREADS --library libleat.so [--kv f16]        LEAT_ISA=avx2 takes the kernels of that level
"""
import argparse
import ctypes as c
import random
import sys
import time

KV = {'f16': 0, 'f32': 1, 'q8_0': 2}


class Options(c.Structure):
    _fields_ = [('size', c.c_size_t), ('threads', c.c_int), ('flags', c.c_uint32), ('pool', c.c_void_p)]


class SessionOptions(c.Structure):
    _fields_ = [('size', c.c_size_t), ('context', c.c_int32), ('batch', c.c_int32), ('kv_type', c.c_int), ('threads', c.c_int)]


class TokenizerInfo(c.Structure):
    _fields_ = [('kind', c.c_char_p), ('pre', c.c_char * 64), ('tokens', c.c_int32)] + [(n, c.c_int32) for n in ('bos', 'eos', 'eot', 'unk', 'sep', 'pad')]
    _fields_ += [(n, c.c_int) for n in ('add_bos', 'add_eos', 'add_space_prefix')]


class Sampling(c.Structure):
    _fields_ = [('size', c.c_size_t), ('temperature', c.c_float), ('top_k', c.c_int32)] + [(n, c.c_float) for n in ('top_p', 'min_p', 'typical_p', 'repeat_penalty',
                'presence_penalty', 'frequency_penalty')] + [('penalty_last', c.c_int32), ('mirostat', c.c_int32), ('mirostat_tau', c.c_float),
                ('mirostat_eta', c.c_float), ('seed', c.c_uint64), ('bias', c.c_void_p), ('n_bias', c.c_int64)]


class Request(c.Structure):
    _fields_ = [('size', c.c_size_t), ('prompt', c.c_char_p), ('prompt_bytes', c.c_size_t), ('tokens', c.POINTER(c.c_int32)), ('n_tokens', c.c_int64),
                ('flags', c.c_uint32), ('max_tokens', c.c_int64), ('sampling', Sampling), ('stop', c.c_void_p), ('n_stop', c.c_int32), ('n_top', c.c_int32),
                ('grammar', c.c_char_p), ('json_schema', c.c_char_p)]


class Result(c.Structure):
    _fields_ = [('size', c.c_size_t), ('tokens', c.c_void_p), ('token_capacity', c.c_int64), ('text', c.c_void_p), ('text_capacity', c.c_size_t),
                ('probs', c.c_void_p), ('top', c.c_void_p), ('prompt_logits', c.c_void_p), ('logits_capacity', c.c_int64), ('n_tokens', c.c_int64),
                ('text_bytes', c.c_size_t), ('prompt_tokens', c.c_int64), ('cached_tokens', c.c_int64), ('finish', c.c_int), ('seed', c.c_uint64)]
    _fields_ += [(n, c.c_int64) for n in ('prompt_ns', 'first_token_ns', 'decode_ns', 'total_ns')]


class Machine(c.Structure):
    _fields_ = [('cpu_name', c.c_char * 64)] + [(n, c.c_int) for n in ('cpus', 'l1d_kib', 'l2_kib', 'l3_kib')]
    _fields_ += [(f'{n}_{t}', c.c_double) for n in ('fma_gflops', 'int8_gops', 'read_gbps', 'copy_gbps') for t in ('1t', 'nt')] + [('threads_nt', c.c_int)]


class Info(c.Structure):
    _fields_ = [(n, c.c_char_p) for n in ('architecture', 'name', 'file_type')] + [(n, c.c_int32) for n in ('encoder', 'layers', 'width', 'heads', 'kv_heads',
                'head_width', 'ffn_width', 'experts', 'experts_used', 'vocabulary', 'train_context', 'window', 'pooling')]
    _fields_ += [(n, c.c_uint64) for n in ('parameters', 'weight_bytes', 'file_bytes', 'weight_bytes_token', 'kv_bytes_token')] + [('open_ns', c.c_int64)]


IGNORE_EOS = 4


class Timed:
    def __init__(self, args):
        self.args = args
        self.lib = c.CDLL(args.library)
        self.lib.leat_lm_tokenizer.restype = c.c_void_p
        self.lib.leat_lm_tokenizer.argtypes = [c.c_void_p]
        options = Options()
        self.lib.leat_lm_options_default(c.byref(options))
        options.threads = args.threads
        self.lm, self.error = c.c_void_p(), c.create_string_buffer(4096)
        self.check(self.lib.leat_lm_open(args.model.encode(), c.byref(options), c.byref(self.lm), self.error))
        self.words = TokenizerInfo()
        self.lib.leat_tokenizer_get_info(c.c_void_p(self.lib.leat_lm_tokenizer(self.lm)), c.byref(self.words))
        self.sessions, self.key = [], None

    def check(self, status):
        if status:
            raise RuntimeError(f'leat: status {status}: ' + self.error.raw[:400].decode(errors='replace'))

    def open(self, count, size):
        """`count` sessions of `size` tokens, emptied"""
        if self.key != (count, size):
            for s in self.sessions:
                self.lib.leat_lm_session_close(s)
            options = SessionOptions()
            self.lib.leat_lm_session_options_default(c.byref(options))
            options.context, options.kv_type = size, KV[self.args.kv]
            self.sessions = [c.c_void_p() for _ in range(count)]
            for s in self.sessions:
                self.check(self.lib.leat_lm_session_open(self.lm, c.byref(options), c.byref(s), self.error))
            self.key = count, size
        for s in self.sessions:
            self.check(self.lib.leat_lm_sync(s, None, c.c_int64(0), self.error))
        return self.sessions

    def tokens(self, count):
        out = [random.randrange(self.words.tokens) for _ in range(count)]
        if self.words.add_bos:
            out[0] = self.words.bos
        return (c.c_int32 * count)(*out)

    def pp(self, count, _=None):
        count = int(count)
        session, tokens = self.open(1, count)[0], self.tokens(count)
        start = time.perf_counter()
        self.check(self.lib.leat_lm_sync(session, tokens, c.c_int64(count), self.error))
        return time.perf_counter() - start

    def tg(self, count, _=None):
        count = int(count)
        session, tokens = self.open(1, count)[0], self.tokens(count)
        start = time.perf_counter()
        for i in range(1, count + 1):
            self.check(self.lib.leat_lm_sync(session, tokens, c.c_int64(i), self.error))
        return time.perf_counter() - start

    def read(self, _=None):
        """seconds in which the memory gives the weights of one token"""
        info, machine = Info(), Machine()
        self.lib.leat_lm_get_info(self.lm, c.byref(info))
        self.check(self.lib.leat_machine_measure(200, self.args.threads, c.byref(machine)))
        return info.weight_bytes_token / 1e9 / (machine.read_gbps_1t if self.args.threads == 1 else machine.read_gbps_nt)

    def batch(self, sessions, count, _=None):
        """one call; greedy sampling is part of it"""
        sessions, count = int(sessions), int(count)
        handles = (c.c_void_p * sessions)(*[s.value for s in self.open(sessions, count + 1)])
        requests, results, tokens = (Request * sessions)(), (Result * sessions)(), self.tokens(sessions)
        for i in range(sessions):
            self.lib.leat_lm_request_default(c.byref(requests[i]))
            self.lib.leat_lm_result_init(c.byref(results[i]))
            requests[i].tokens = c.cast(c.byref(tokens, 4 * i), c.POINTER(c.c_int32))
            requests[i].n_tokens, requests[i].max_tokens, requests[i].flags, requests[i].sampling.temperature = 1, count, IGNORE_EOS, 0
        start = time.perf_counter()
        self.check(self.lib.leat_lm_generate_batch(handles, sessions, requests, results, c.c_int64(sessions), None, None, None, self.error))
        return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('model')
    parser.add_argument('-t', '--threads', type=int, default=1)
    parser.add_argument('--kv', default='f16')
    parser.add_argument('--library', required=True)
    args = parser.parse_args()
    timed = Timed(args)
    print('ready', timed.lib.leat_isa_selected(), flush=True)
    for line in sys.stdin:
        what, *rest = line.split()
        try:
            print({'pp': timed.pp, 'tg': timed.tg, 'batch': timed.batch, 'read': timed.read}[what](*rest), flush=True)
        except (RuntimeError, KeyError, TypeError, ValueError, AttributeError) as error:
            print('error', error, flush=True)


if __name__ == '__main__':
    main()
