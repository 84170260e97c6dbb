/* test_lm_embed.c - vectors of texts: BERT and nomic-bert with random weights, written in memory, against a plain forward pass in float64; poolings, norms, errors;
 * decoders by the shared story model.  Every level of instructions, one thread and two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "leat/leat.h"
#include "lm_case.h"

enum { WIDTH = 48, HEADS = 3, HEAD = WIDTH / HEADS, FFN = 80, LAYERS = 2, VOCABULARY = 37, CONTEXT = 60, TYPES = 2, MOST_TENSORS = 64, ALIGN = 32 };
static const double eps = 1e-6, rope_base = 1000;

/* ---- a file in memory ------------------------------------------------------------------------------------------------------- */

typedef struct weights { /* as the file has them, row-major [rows, columns] */
    float *q, *k, *v, *o, *up, *gate, *down, *q_bias, *k_bias, *v_bias, *o_bias, *up_bias, *down_bias, *norm1, *norm1_bias, *norm2, *norm2_bias;
} weights;

typedef struct file {
    char     text[1 << 20]; /* header, then data */
    size_t   n;
    uint64_t offset;
    float   *data[MOST_TENSORS];
    size_t   floats[MOST_TENSORS];
    int      tensors;
    float   *embedding, *types, *positions, *norm, *norm_bias;
    weights  layer[LAYERS];
    int      nomic;
} file;

static void put(file *f, const void *data, size_t bytes) {
    assert_true(f->n + bytes <= sizeof f->text);
    memcpy(f->text + f->n, data, bytes);
    f->n += bytes;
}
static void put_u32(file *f, uint32_t v) { put(f, &v, 4); }
static void put_u64(file *f, uint64_t v) { put(f, &v, 8); }
static void put_text(file *f, const char *text) {
    put_u64(f, strlen(text));
    put(f, text, strlen(text));
}
static void put_number(file *f, const char *arch, const char *key, uint32_t value) {
    char name[96];
    snprintf(name, sizeof name, "%s%s", arch, key);
    put_text(f, name), put_u32(f, 4), put_u32(f, value);
}
static void put_real(file *f, const char *arch, const char *key, double value) {
    char  name[96];
    float number = (float)value;
    snprintf(name, sizeof name, "%s%s", arch, key);
    put_text(f, name), put_u32(f, 6), put(f, &number, 4);
}

static void put_vocabulary(file *f) {
    put_text(f, "tokenizer.ggml.model"), put_u32(f, 8), put_text(f, "bert");
    put_text(f, "tokenizer.ggml.tokens"), put_u32(f, 9), put_u32(f, 8), put_u64(f, VOCABULARY);
    static const char *const special[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    for (int i = 0; i < VOCABULARY; i++) {
        char piece[16];
        snprintf(piece, sizeof piece, "\xe2\x96\x81%c", 'a' + i - 5);
        put_text(f, i < 5 ? special[i] : piece);
    }
    put_number(f, "", "tokenizer.ggml.cls_token_id", 2);
    put_number(f, "", "tokenizer.ggml.bos_token_id", 2);
    put_number(f, "", "tokenizer.ggml.seperator_token_id", 3);
    put_number(f, "", "tokenizer.ggml.eos_token_id", 3);
    put_number(f, "", "tokenizer.ggml.unknown_token_id", 1);
}

/* Adds a tensor of random numbers around `centre`; the header's entry now, the data later. */
static float *tensor(file *f, const char *name, int columns, int rows, double spread, double centre) {
    size_t n = (size_t)columns * (size_t)(rows ? rows : 1);
    float *data = malloc(n * sizeof *data);
    for (size_t i = 0; i < n; i++) data[i] = (float)(centre + spread * (leat__rng_uniform(7, (uint64_t)f->tensors, i) * 2 - 1));
    put_text(f, name), put_u32(f, rows ? 2 : 1), put_u64(f, (uint64_t)columns);
    if (rows) put_u64(f, (uint64_t)rows);
    put_u32(f, 0), put_u64(f, f->offset);
    f->offset += (n * sizeof *data + ALIGN - 1) / ALIGN * ALIGN;
    f->floats[f->tensors] = n;
    return f->data[f->tensors++] = data;
}

static void put_layer(file *f, int index) {
    char     name[64];
    weights *w = &f->layer[index];
#define NAMED(text) (snprintf(name, sizeof name, "blk.%d." text, index), name)
    if (f->nomic) {
        w->q = tensor(f, NAMED("attn_qkv.weight"), WIDTH, 3 * WIDTH, 0.3, 0);
        w->k = w->q + WIDTH * WIDTH;
        w->v = w->k + WIDTH * WIDTH;
        w->gate = tensor(f, NAMED("ffn_gate.weight"), WIDTH, FFN, 0.3, 0);
    } else {
        w->q = tensor(f, NAMED("attn_q.weight"), WIDTH, WIDTH, 0.3, 0), w->q_bias = tensor(f, NAMED("attn_q.bias"), WIDTH, 0, 0.3, 0);
        w->k = tensor(f, NAMED("attn_k.weight"), WIDTH, WIDTH, 0.3, 0), w->k_bias = tensor(f, NAMED("attn_k.bias"), WIDTH, 0, 0.3, 0);
        w->v = tensor(f, NAMED("attn_v.weight"), WIDTH, WIDTH, 0.3, 0), w->v_bias = tensor(f, NAMED("attn_v.bias"), WIDTH, 0, 0.3, 0);
        w->o_bias = tensor(f, NAMED("attn_output.bias"), WIDTH, 0, 0.3, 0);
        w->up_bias = tensor(f, NAMED("ffn_up.bias"), FFN, 0, 0.3, 0);
        w->down_bias = tensor(f, NAMED("ffn_down.bias"), WIDTH, 0, 0.3, 0);
    }
    w->o = tensor(f, NAMED("attn_output.weight"), WIDTH, WIDTH, 0.3, 0);
    w->up = tensor(f, NAMED("ffn_up.weight"), WIDTH, FFN, 0.3, 0);
    w->down = tensor(f, NAMED("ffn_down.weight"), FFN, WIDTH, 0.3, 0);
    w->norm1 = tensor(f, NAMED("attn_output_norm.weight"), WIDTH, 0, 0.3, 1), w->norm1_bias = tensor(f, NAMED("attn_output_norm.bias"), WIDTH, 0, 0.3, 0);
    w->norm2 = tensor(f, NAMED("layer_output_norm.weight"), WIDTH, 0, 0.3, 1), w->norm2_bias = tensor(f, NAMED("layer_output_norm.bias"), WIDTH, 0, 0.3, 0);
}

/* The header's number of tensors is only known afterwards. */
static file *make_file(int nomic, int pooling) {
    file *f = calloc(1, sizeof *f);
    const char *arch = nomic ? "nomic-bert" : "bert";
    f->nomic = nomic;
    put(f, "GGUF", 4), put_u32(f, 3), put_u64(f, 0), put_u64(f, 15 + (uint64_t)nomic);
    put_text(f, "general.architecture"), put_u32(f, 8), put_text(f, arch);
    put_number(f, arch, ".block_count", LAYERS), put_number(f, arch, ".embedding_length", WIDTH), put_number(f, arch, ".feed_forward_length", FFN);
    put_number(f, arch, ".context_length", CONTEXT), put_number(f, arch, ".attention.head_count", HEADS), put_real(f, arch, ".attention.layer_norm_epsilon", eps);
    put_vocabulary(f);
    if (nomic) put_real(f, arch, ".rope.freq_base", rope_base);
    if (pooling >= 0) put_number(f, arch, ".pooling_type", (uint32_t)pooling);
    else put_number(f, arch, ".unused", 0);
    f->embedding = tensor(f, "token_embd.weight", WIDTH, VOCABULARY, 1, 0);
    f->types = tensor(f, "token_types.weight", WIDTH, TYPES, 1, 0);
    if (!nomic) f->positions = tensor(f, "position_embd.weight", WIDTH, CONTEXT, 1, 0);
    f->norm = tensor(f, "token_embd_norm.weight", WIDTH, 0, 0.3, 1), f->norm_bias = tensor(f, "token_embd_norm.bias", WIDTH, 0, 0.3, 0);
    for (int i = 0; i < LAYERS; i++) put_layer(f, i);
    uint64_t tensors = (uint64_t)f->tensors;
    memcpy(f->text + 8, &tensors, sizeof tensors);
    for (int i = 0; i < f->tensors; i++) {
        while (f->n % ALIGN) f->text[f->n++] = 0;
        put(f, f->data[i], f->floats[i] * sizeof(float));
    }
    return f;
}

static void drop_file(file *f) {
    for (int i = 0; i < f->tensors; i++) free(f->data[i]);
    free(f);
}

/* ---- the same in float64 ---------------------------------------------------------------------------------------------------- */

static void norm64(double *x, const float *weight, const float *bias) {
    double mean = 0, square = 0;
    for (int i = 0; i < WIDTH; i++) mean += x[i] / WIDTH;
    for (int i = 0; i < WIDTH; i++) square += (x[i] - mean) * (x[i] - mean) / WIDTH;
    for (int i = 0; i < WIDTH; i++) x[i] = (x[i] - mean) / sqrt(square + eps) * (double)weight[i] + (double)bias[i];
}

static void product64(const float *w, const float *bias, const double *x, int columns, int rows, double *y) {
    for (int r = 0; r < rows; r++) {
        y[r] = bias ? (double)bias[r] : 0;
        for (int c = 0; c < columns; c++) y[r] += (double)w[r * columns + c] * x[c];
    }
}

static void rotate64(double *x, int position) {
    for (int h = 0; h < HEADS; h++, x += HEAD)
        for (int i = 0; i < HEAD / 2; i++) {
            double angle = position * pow(rope_base, -2.0 * i / HEAD), a = x[i], b = x[i + HEAD / 2];
            x[i] = a * cos(angle) - b * sin(angle);
            x[i + HEAD / 2] = a * sin(angle) + b * cos(angle);
        }
}

typedef struct states {
    double x[CONTEXT][WIDTH], q[CONTEXT][WIDTH], k[CONTEXT][WIDTH], v[CONTEXT][WIDTH];
} states;

static void attend64(const states *s, int n, int t, double *out) {
    double score[CONTEXT];
    for (int h = 0; h < WIDTH; h += HEAD) {
        double sum = 0;
        for (int p = 0; p < n; p++) {
            score[p] = 0;
            for (int i = h; i < h + HEAD; i++) score[p] += s->q[t][i] * s->k[p][i] / sqrt(HEAD);
            sum += score[p] = exp(score[p]);
        }
        for (int i = h; i < h + HEAD; i++) {
            out[i] = 0;
            for (int p = 0; p < n; p++) out[i] += score[p] / sum * s->v[p][i];
        }
    }
}

static void ffn64(const file *f, const weights *w, const double *x, double *out) {
    double up[FFN], gate[FFN];
    product64(w->up, w->up_bias, x, WIDTH, FFN, up);
    if (f->nomic) product64(w->gate, NULL, x, WIDTH, FFN, gate);
    for (int i = 0; i < FFN; i++) up[i] = f->nomic ? gate[i] / (1 + exp(-gate[i])) * up[i] : 0.5 * up[i] * erfc(-up[i] / sqrt(2.0));
    product64(w->down, w->down_bias, up, FFN, WIDTH, out);
}

static void layer64(const file *f, const weights *w, states *s, int n) {
    double mixed[WIDTH], more[WIDTH];
    for (int t = 0; t < n; t++) {
        product64(w->q, w->q_bias, s->x[t], WIDTH, WIDTH, s->q[t]);
        product64(w->k, w->k_bias, s->x[t], WIDTH, WIDTH, s->k[t]);
        product64(w->v, w->v_bias, s->x[t], WIDTH, WIDTH, s->v[t]);
        if (f->nomic) rotate64(s->q[t], t), rotate64(s->k[t], t);
    }
    for (int t = 0; t < n; t++) {
        attend64(s, n, t, mixed);
        product64(w->o, w->o_bias, mixed, WIDTH, WIDTH, more);
        for (int i = 0; i < WIDTH; i++) s->x[t][i] += more[i];
        norm64(s->x[t], w->norm1, w->norm1_bias);
        ffn64(f, w, s->x[t], more);
        for (int i = 0; i < WIDTH; i++) s->x[t][i] += more[i];
        norm64(s->x[t], w->norm2, w->norm2_bias);
    }
}

static void embed64(const file *f, const int32_t *tokens, int n, leat_pooling pooling, int normalise, double *out) {
    states *s = calloc(1, sizeof *s);
    double  length = 0;
    for (int t = 0; t < n; t++) {
        for (int i = 0; i < WIDTH; i++) {
            s->x[t][i] = (double)f->embedding[tokens[t] * WIDTH + i] + (double)f->types[i];
            if (!f->nomic) s->x[t][i] += (double)f->positions[t * WIDTH + i];
        }
        norm64(s->x[t], f->norm, f->norm_bias);
    }
    for (int l = 0; l < LAYERS; l++) layer64(f, &f->layer[l], s, n);
    for (int i = 0; i < WIDTH; i++) {
        out[i] = pooling == LEAT_POOLING_CLS ? s->x[0][i] : pooling == LEAT_POOLING_LAST ? s->x[n - 1][i] : 0;
        for (int t = 0; t < n && pooling == LEAT_POOLING_MEAN; t++) out[i] += s->x[t][i] / n;
        length += out[i] * out[i];
    }
    for (int i = 0; i < WIDTH && normalise; i++) out[i] /= sqrt(length);
    free(s);
}

/* ---- tests ------------------------------------------------------------------------------------------------------------------ */

static leat_lm *open_file(const file *f, int threads) {
    leat_lm_options options;
    leat_error error = {0};
    leat_lm   *lm = NULL;
    leat_lm_options_default(&options);
    options.threads = threads;
    if (leat_lm_open_memory(f->text, f->n, &options, &lm, &error)) fail_msg("%s", error.message);
    return lm;
}

static void check_vector(const file *f, leat_lm_session *session, const int32_t *tokens, int n, leat_pooling pooling, int normalise) {
    double want[WIDTH];
    const float *got;
    int64_t      size;
    leat_error   error = {0};
    if (leat_lm_embed_tokens(session, tokens, n, pooling, normalise, &got, &size, &error)) fail_msg("%s", error.message);
    assert_int_equal(size, WIDTH);
    embed64(f, tokens, n, pooling, normalise, want);
    for (int i = 0; i < WIDTH; i++)
        if (!(fabs((double)got[i] - want[i]) <= 1e-5))
            fail_msg("%s, nomic %d, %d tokens, pooling %d: [%d] = %.9g, not %.9g", leat_isa_name(leat_isa_selected()), f->nomic, n, pooling, i, got[i], want[i]);
}

static void check_encoder(int nomic, int threads) {
    static const int counts[] = {1, 2, 3, 8, 9, 17, 33, CONTEXT};
    file    *f = make_file(nomic, 1);
    leat_lm *lm = open_file(f, threads);
    leat_lm_session *session = lm_session(lm, LEAT_KV_F16, 0, 0);
    leat_lm_session_stats stats;
    int32_t tokens[CONTEXT];
    for (int i = 0; i < CONTEXT; i++) tokens[i] = (int32_t)(leat__rng_u64(3, 4, (uint64_t)i) % VOCABULARY);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (int pooling = LEAT_POOLING_MEAN; pooling <= LEAT_POOLING_LAST; pooling++)
            for (int normalise = 0; normalise < 2; normalise++) check_vector(f, session, tokens, counts[c], (leat_pooling)pooling, normalise);
    leat_lm_session_get_stats(session, &stats);
    assert_int_equal(stats.allocations, 0);
    leat_lm_session_close(session);
    leat_lm_unref(lm);
    drop_file(f);
}

static void test_encoders(void **state) {
    (void)state;
    for (leat_isa level = LEAT_ISA_REF; level < LEAT_ISA_COUNT; level = leat_isa_next(level))
        for (int nomic = 0; nomic < 2; nomic++)
            for (int threads = 1; threads <= 2; threads++) {
                assert_int_equal(leat_isa_select(level), LEAT_OK);
                check_encoder(nomic, threads);
            }
}

/* Text goes between [CLS] and [SEP]; the pooling is the file's unless the caller says another. */
static void test_texts(void **state) {
    static const int32_t tokens[] = {2, 5, 6, 1, 3}; /* a b ? */
    (void)state;
    for (int kind = -1; kind <= 3; kind++) {
        file    *f = make_file(0, kind);
        leat_lm *lm = open_file(f, 1);
        leat_lm_session *session = lm_session(lm, LEAT_KV_F16, 16, 0);
        leat_lm_info info;
        const float *vector;
        double  want[WIDTH];
        int64_t size;
        leat_lm_get_info(lm, &info);
        assert_int_equal(info.encoder, 1);
        assert_int_equal(info.pooling, kind < 0 ? LEAT_POOLING_MODEL : kind);
        assert_int_equal(leat_lm_embed(session, "A b !", 5, LEAT_POOLING_MODEL, 1, &vector, &size, NULL), LEAT_OK);
        embed64(f, tokens, 5, kind < 1 ? LEAT_POOLING_MEAN : (leat_pooling)kind, 1, want);
        for (int i = 0; i < WIDTH; i++) assert_true(fabs((double)vector[i] - want[i]) <= 1e-5);
        leat_lm_session_close(session);
        leat_lm_unref(lm);
        drop_file(f);
    }
}

static void test_refusals(void **state) {
    file    *f = make_file(0, 1);
    leat_lm *lm = open_file(f, 1);
    leat_lm_session *session = lm_session(lm, LEAT_KV_F16, 8, 0);
    int32_t tokens[9] = {2, 5, 6, 7, 8, 9, 10, 11, 3}, wrong[] = {2, VOCABULARY, 3};
    const float *vector;
    int64_t    size, count;
    leat_error error = {0};
    (void)state;
    assert_int_equal(leat_lm_embed_tokens(session, tokens, 0, LEAT_POOLING_MEAN, 1, &vector, &size, &error), LEAT_EINVAL);
    assert_int_equal(leat_lm_embed_tokens(session, wrong, 3, LEAT_POOLING_MEAN, 1, &vector, &size, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "token 1 is 37"));
    assert_int_equal(leat_lm_embed_tokens(session, tokens, 9, LEAT_POOLING_MEAN, 1, &vector, &size, &error), LEAT_ELIMIT);
    assert_non_null(strstr(error.message, "9 tokens"));
    assert_int_equal(leat_lm_embed_tokens(session, tokens, 8, (leat_pooling)9, 1, &vector, &size, &error), LEAT_EINVAL);
    assert_int_equal(leat_lm_embed(session, "a b c d e f g h i j", 19, LEAT_POOLING_MEAN, 1, &vector, &size, &error), LEAT_ELIMIT);
    assert_non_null(strstr(error.message, "12 tokens"));
    assert_null(vector);
    assert_int_equal(leat_lm_sync(session, tokens, 2, &error), LEAT_EUNSUPPORTED); /* encoders do not go on */
    assert_int_equal(leat_lm_embed_tokens(session, tokens, 8, LEAT_POOLING_MEAN, 1, &vector, &size, &error), LEAT_OK);
    const int32_t *held;
    leat_lm_session_tokens(session, &held, &count);
    assert_int_equal(count, 0);
    leat_lm_session_close(session);
    leat_lm_unref(lm);
    drop_file(f);
}

/* A decoder's vector does not depend on how the text is cut into steps; the first token's sees nothing else. */
static void test_decoder(void **state) {
    leat_lm *lm = lm_open_stories(2);
    leat_lm_session *whole = lm_session(lm, LEAT_KV_F32, 128, 128), *cut = lm_session(lm, LEAT_KV_F32, 128, 7);
    int32_t tokens[50], n = lm_vocabulary(lm);
    (void)state;
    for (int i = 0; i < 50; i++) tokens[i] = (int32_t)(leat__rng_u64(5, 6, (uint64_t)i) % (uint64_t)n);
    for (int pooling = LEAT_POOLING_MEAN; pooling <= LEAT_POOLING_LAST; pooling++) {
        const float *a, *b;
        int64_t size;
        assert_int_equal(leat_lm_embed_tokens(whole, tokens, 50, (leat_pooling)pooling, 1, &a, &size, NULL), LEAT_OK);
        assert_int_equal(leat_lm_embed_tokens(cut, tokens, 50, (leat_pooling)pooling, 1, &b, &size, NULL), LEAT_OK);
        assert_true(lm_largest_difference(a, b, size) <= 1e-5);
        double length = 0;
        for (int64_t i = 0; i < size; i++) length += (double)a[i] * (double)a[i];
        assert_true(fabs(length - 1) <= 1e-5);
        if (pooling != LEAT_POOLING_CLS) continue;
        assert_int_equal(leat_lm_embed_tokens(cut, tokens, 1, LEAT_POOLING_LAST, 1, &b, &size, NULL), LEAT_OK);
        assert_true(lm_largest_difference(a, b, size) <= 1e-5);
    }
    lm_sync(cut, tokens, 5); /* and the session is as good as new */
    leat_lm_session_close(whole);
    leat_lm_session_close(cut);
    leat_lm_unref(lm);
}

/* The same bits whatever the threads. */
static void test_threads(void **state) {
    int32_t tokens[CONTEXT];
    float   first[WIDTH];
    (void)state;
    for (int i = 0; i < CONTEXT; i++) tokens[i] = (i * 7 + 3) % VOCABULARY;
    for (int threads = 1; threads <= 3; threads++) {
        file    *f = make_file(0, 1);
        leat_lm *lm = open_file(f, threads);
        leat_lm_session *session = lm_session(lm, LEAT_KV_F16, 0, 0);
        const float *vector;
        int64_t      size;
        assert_int_equal(leat_lm_embed_tokens(session, tokens, CONTEXT, LEAT_POOLING_MEAN, 0, &vector, &size, NULL), LEAT_OK);
        if (threads == 1) memcpy(first, vector, sizeof first);
        assert_memory_equal(first, vector, sizeof first);
        leat_lm_session_close(session);
        leat_lm_unref(lm);
        drop_file(f);
    }
}

typedef struct canceller {
    leat_lm_session *session;
    atomic_int       stop;
} canceller;

static void *cancel_again_and_again(void *arg) {
    canceller *c = arg;
    while (!atomic_load(&c->stop)) leat_lm_cancel(c->session);
    return NULL;
}

/* Cancelled or finished, nothing between; and the next text is as if nothing had been. */
static void test_cancelling(void **state) {
    file    *f = make_file(0, 1);
    leat_lm *lm = open_file(f, 1);
    canceller c = {.session = lm_session(lm, LEAT_KV_F16, 0, 0)};
    int32_t   tokens[CONTEXT];
    int       cancelled = 0;
    pthread_t thread;
    (void)state;
    for (int i = 0; i < CONTEXT; i++) tokens[i] = i % VOCABULARY;
    assert_int_equal(pthread_create(&thread, NULL, cancel_again_and_again, &c), 0);
    for (int i = 0; i < 100000 && cancelled < 20; i++) {
        const float *vector;
        int64_t      size;
        int status = leat_lm_embed_tokens(c.session, tokens, CONTEXT, LEAT_POOLING_MEAN, 1, &vector, &size, NULL);
        assert_true(status == LEAT_OK || (status == LEAT_ECANCELLED && vector == NULL));
        cancelled += status == LEAT_ECANCELLED;
    }
    atomic_store(&c.stop, 1);
    pthread_join(thread, NULL);
    assert_int_equal(cancelled, 20);
    check_vector(f, c.session, tokens, CONTEXT, LEAT_POOLING_MEAN, 1);
    leat_lm_session_close(c.session);
    leat_lm_unref(lm);
    drop_file(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_encoders), cmocka_unit_test(test_texts), cmocka_unit_test(test_refusals), cmocka_unit_test(test_decoder),
                                       cmocka_unit_test(test_threads), cmocka_unit_test(test_cancelling)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
