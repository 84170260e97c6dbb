/* lm_open.c - opening, sharing and describing a language model (contract in leat/lm.h).
 *
 * open: map -> architecture -> hyperparameters -> tensors -> angles -> tokenizer.  Afterwards all is read-only; weights are read where the file is mapped.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/sized_options.h"
#include "cpu/cpu.h"
#include "lm/gguf_impl.h"
#include "lm/lm_impl.h"

void leat_lm_options_default(leat_lm_options *options) {
    if (options) *options = (leat_lm_options){.size = sizeof *options};
}

/* ---- what the file says ---------------------------------------------------------------------------------------------------- */

/* A string of the metadata in the model's arena, "" where there is none. */
static int text_of(leat_lm *lm, const char *key, const char **copy, leat_error *error) {
    const leat_gguf_value *value = leat_gguf_find(lm->file, key);
    const char *text;
    uint64_t at = 0, length;
    *copy = "";
    if (!value || value->kind != LEAT_GGUF_STRING || leat_gguf_string(value, &at, &text, &length) != LEAT_OK || length >= 4096) return LEAT_OK;
    *copy = leat__arena_strndup(&lm->arena, text, (size_t)length);
    return *copy ? LEAT_OK : leat__fail(error, LEAT_ENOMEM, "out of memory while opening a language model");
}

static int find_arch(leat_lm *lm, leat_error *error) {
    const char *name;
    int status = text_of(lm, "general.architecture", &name, error);
    if (status) return status;
    lm->arch = leat__lm_arch_find(name, strlen(name));
    if (lm->arch) return LEAT_OK;
    char known[256] = "";
    for (int i = 0; leat__lm_arch_at(i); i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", leat__lm_arch_at(i)->name);
    }
    return leat__fail(error, *name ? LEAT_EUNSUPPORTED : LEAT_EFORMAT, "GGUF: general.architecture '%.64s' is not supported (%s are)", name, known);
}

static const char *file_type(const leat_lm *lm) {
    static const char *const names[] = {"F32", "F16", "Q4_0", "Q4_1", "", "", "", "Q8_0", "Q5_0", "Q5_1", "Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S", "Q4_K_M",
                                        "Q5_K_S", "Q5_K_M", "Q6_K", "", "", "Q2_K_S", "", "", "", "IQ4_NL", "", "", "", "", "IQ4_XS", "", "BF16"};
    const leat_gguf_value *value = leat_gguf_find(lm->file, "general.file_type");
    int64_t number;
    if (!value || leat_gguf_integer(value, 0, &number) || number < 0 || number >= (int64_t)(sizeof names / sizeof *names)) return "";
    return names[number];
}

/* ---- figures ------------------------------------------------------------------------------------------------------------------- */

/* "blk.3.ffn_up_exps.weight", "blk.3.ffn_up.5.weight" */
static int is_of_experts(const char *name) {
    const char *part = strstr(name, ".ffn_"), *behind = part ? strchr(part + 1, '.') : NULL;
    return strstr(name, "_exps.") || (behind && behind[1] >= '0' && behind[1] <= '9');
}

/* Bytes that one token of decoding reads: of the embedding a row, of the experts those that are used. */
static uint64_t bytes_of_token(const leat_lm *lm) {
    uint64_t bytes = 0;
    const leat_lm_globals *g = &lm->tensors;
    for (uint64_t i = 0; i < lm->file->info.tensors; i++) {
        const leat_gguf_tensor *t = &lm->file->tensors[i];
        if (t->data == g->embedding.data) bytes += (uint64_t)g->embedding.stride + (g->output.data == t->data ? t->bytes : 0);
        else if (t->data == g->positions.data || t->data == g->types.data) continue;
        else bytes += lm->params.experts && is_of_experts(t->name) ? t->bytes * (uint64_t)lm->params.experts_used / (uint64_t)lm->params.experts : t->bytes;
    }
    return bytes;
}

static int describe(leat_lm *lm, leat_error *error) {
    const leat_lm_params *p = &lm->params;
    leat_lm_info *info = &lm->info;
    *info = (leat_lm_info){.architecture = lm->arch->name, .file_type = file_type(lm)};
    info->encoder = (lm->arch->traits & LM_TRAIT_ENCODER) != 0;
    info->layers = p->layers, info->width = p->width, info->heads = p->heads, info->kv_heads = p->kv_heads, info->head_width = p->k_width;
    info->ffn_width = p->experts ? p->expert_width : p->ffn_width;
    info->experts = p->experts, info->experts_used = p->experts_used, info->vocabulary = p->vocabulary;
    info->train_context = p->train_context, info->window = p->window, info->pooling = p->pooling;
    info->parameters = lm->file->info.parameters;
    for (uint64_t i = 0; i < lm->file->info.tensors; i++) info->weight_bytes += lm->file->tensors[i].bytes;
    info->file_bytes = lm->file->bytes;
    info->weight_bytes_token = bytes_of_token(lm);
    info->kv_bytes_token = (uint64_t)p->layers * (uint64_t)p->kv_heads * (uint64_t)(p->k_width + p->v_width) * 2;
    return text_of(lm, "general.name", &info->name, error);
}

/* ---- opening ----------------------------------------------------------------------------------------------------------------- */

static int init_pool(leat_lm *lm, const leat_lm_options *options, leat_error *error) {
    if (options->pool) {
        lm->pool = leat_tpool_ref(options->pool);
        return LEAT_OK;
    }
    int threads = options->threads > 0 ? options->threads : leat_cpu_count();
    int status = threads > 1 ? leat_tpool_new(threads, &lm->pool) : LEAT_OK;
    return status ? leat__fail(error, status, "cannot make a pool of %d threads", threads) : LEAT_OK;
}

static int open_tokenizer(leat_lm *lm, leat_error *error) {
    leat_tokenizer_info info;
    int status = leat_tokenizer_open(lm->file, &lm->tokenizer, error);
    if (status) return status;
    leat_tokenizer_get_info(lm->tokenizer, &info);
    if (info.tokens == lm->params.vocabulary) return LEAT_OK;
    return leat__fail(error, LEAT_ESHAPE, "GGUF: 'token_embd.weight' has %d rows, the tokenizer %d tokens", (int)lm->params.vocabulary, (int)info.tokens);
}

/* Both are for the whole mapping: weights are nearly all of it. */
static int keep_in_memory(leat_lm *lm, leat_error *error) {
    void *data = (void *)(uintptr_t)lm->file->mapping.data;
    size_t bytes = lm->file->mapping.bytes;
    if (!data) return LEAT_OK;
    if (lm->flags & LEAT_LM_PREFETCH) (void)madvise(data, bytes, MADV_WILLNEED);
    if ((lm->flags & LEAT_LM_LOCK) && mlock(data, bytes) != 0)
        return leat__fail(error, LEAT_ELIMIT, "cannot lock %zu bytes of weights in memory: raise the limit (ulimit -l) or leave LEAT_LM_LOCK out", bytes);
    return LEAT_OK;
}

static int load(leat_lm *lm, const leat_lm_options *options, leat_error *error) {
    leat__cpu_init();
    leat__cpu_hold();
    lm->holds_level = 1;
    if (lm->file->info.tensors == 0)
        return leat__fail(error, LEAT_EUNSUPPORTED, "GGUF: the file has no tensors: it is a vocabulary alone, with which text can be tokenised (leat_tokenizer_open(), leat tokenize)");
    int status = find_arch(lm, error);
    if (status == LEAT_OK) status = leat__lm_read_params(lm->file, lm->arch, &lm->params, error);
    if (status == LEAT_OK) status = leat__lm_bind_tensors(lm, error);
    if (status == LEAT_OK) status = leat__lm_make_ropes(lm, error);
    if (status == LEAT_OK) status = open_tokenizer(lm, error);
    if (status == LEAT_OK) status = init_pool(lm, options, error);
    if (status == LEAT_OK) status = keep_in_memory(lm, error);
    return status == LEAT_OK ? describe(lm, error) : status;
}

static int take_options(leat_lm_options *wanted, const leat_lm_options *options, leat_error *error) {
    leat_lm_options_default(wanted);
    int status = leat__take_options(wanted, sizeof *wanted, options, "leat_lm_options", error);
    if (status) return status;
    if (wanted->threads < 0 || wanted->threads > LEAT_MAX_THREADS) return leat__fail(error, LEAT_EINVAL, "threads is %d, not in 0..%d", wanted->threads, LEAT_MAX_THREADS);
    if (wanted->flags & ~(LEAT_LM_PREFETCH | LEAT_LM_LOCK | LEAT_LM_COPY)) return leat__fail(error, LEAT_EINVAL, "flags is %#x: it has bits that mean nothing", (unsigned)wanted->flags);
    return LEAT_OK;
}

static int new_model(const leat_lm_options *wanted, leat_lm **out, leat_error *error) {
    leat_lm *lm = leat__calloc(1, sizeof *lm, LEAT_MEMORY_GRAPH);
    if (!lm) return leat__fail(error, LEAT_ENOMEM, "out of memory while opening a language model");
    atomic_init(&lm->references, 1);
    leat__arena_init(&lm->arena, LEAT_MEMORY_GRAPH);
    lm->flags = wanted->flags;
    *out = lm;
    return LEAT_OK;
}

/* Takes lm, and its file when that is open. */
static int finish(leat_lm *lm, int status, int64_t start, leat_lm **out) {
    if (status) {
        leat_lm_unref(lm);
        return status;
    }
    lm->info.open_ns = leat__now_ns() - start;
    *out = lm;
    return LEAT_OK;
}

int leat_lm_open(const char *path, const leat_lm_options *options, leat_lm **out, leat_error *error) {
    leat_lm_options wanted;
    leat_lm *lm;
    int64_t start = leat__now_ns();
    if (out) *out = NULL;
    if (!path || !out) return leat__fail(error, LEAT_EINVAL, "leat_lm_open: path and lm may not be NULL");
    int status = take_options(&wanted, options, error);
    if (status == LEAT_OK) status = new_model(&wanted, &lm, error);
    if (status) return status;
    status = leat__gguf_open(path, (wanted.flags & LEAT_LM_COPY) != 0, &lm->file, error);
    if (status == LEAT_OK) {
        status = load(lm, &wanted, error);
        if (status) leat__fail_prefix(error, status, "%s", path);
    }
    return finish(lm, status, start, out);
}

int leat_lm_open_memory(const void *data, size_t bytes, const leat_lm_options *options, leat_lm **out, leat_error *error) {
    leat_lm_options wanted;
    leat_lm *lm;
    int64_t start = leat__now_ns();
    if (out) *out = NULL;
    if (!data || !out) return leat__fail(error, LEAT_EINVAL, "leat_lm_open_memory: data and lm may not be NULL");
    int status = take_options(&wanted, options, error);
    if (status == LEAT_OK) status = new_model(&wanted, &lm, error);
    if (status) return status;
    status = leat_gguf_open_memory(data, bytes, &lm->file, error);
    if (status == LEAT_OK) status = load(lm, &wanted, error);
    return finish(lm, status, start, out);
}

leat_lm *leat_lm_ref(leat_lm *lm) {
    if (lm) atomic_fetch_add_explicit(&lm->references, 1, memory_order_relaxed);
    return lm;
}

void leat_lm_unref(leat_lm *lm) {
    if (!lm || atomic_fetch_sub_explicit(&lm->references, 1, memory_order_acq_rel) != 1) return;
    if (lm->holds_level) leat__cpu_release();
    leat_grammar_vocab_unref(atomic_load(&lm->grammar_vocab));
    leat_tokenizer_close(lm->tokenizer);
    leat__arena_fini(&lm->arena);
    leat_gguf_close(lm->file);
    leat_tpool_unref(lm->pool);
    leat__free(lm);
}

void leat_lm_get_info(const leat_lm *lm, leat_lm_info *info) {
    if (info) *info = lm ? lm->info : (leat_lm_info){0};
}

const leat_tokenizer *leat_lm_tokenizer(const leat_lm *lm) { return lm ? lm->tokenizer : NULL; }
const leat_gguf *leat_lm_gguf(const leat_lm *lm) { return lm ? lm->file : NULL; }
