/* rope.c - the angles of rotary position embedding, and how contexts are stretched.
 *
 * Pair i of a head turns by position * base^(-2i / width).  To use more positions than a model was trained for, the angles are
 *   linear    divided by a factor;
 *   yarn      divided where a pair turns less than once in the original context, kept where it turns more than 32 times, between these mixed; and the
 *             vectors grow by 1 + 0.1 ln(factor), which sharpens the attention (Peng et al. 2023);
 *   by a table in the file, one divisor for each pair: llama 3's rope_freqs, phi-3's short and long factors.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "lm/lm_impl.h"

#define BETA_FAST 32.0 /* turns in the original context */
#define BETA_SLOW 1.0

typedef enum scaling_kind { SCALING_NONE, SCALING_LINEAR, SCALING_YARN } scaling_kind;

typedef struct scaling {
    scaling_kind kind;
    double       base, factor, magnitude, beta_fast, beta_slow;
} scaling;

typedef struct reader {
    const leat_lm *lm;
    leat_error    *error;
    int            status;
} reader;

static double real(reader *r, const char *name, double least, double most, double otherwise) {
    char key[128];
    double number = otherwise;
    snprintf(key, sizeof key, "%s.rope.%s", r->lm->arch->name, name);
    const leat_gguf_value *value = leat_gguf_find(r->lm->file, key);
    if (value && (leat_gguf_real(value, 0, &number) || !(number >= least && number <= most)))
        r->status = leat__fail(r->error, LEAT_EFORMAT, "GGUF: '%s' is not a number in %g..%g", key, least, most);
    return number;
}

static scaling_kind kind_of(reader *r) {
    char key[128];
    const char *text;
    uint64_t at = 0, length;
    snprintf(key, sizeof key, "%s.rope.scaling.type", r->lm->arch->name);
    const leat_gguf_value *value = leat_gguf_find(r->lm->file, key);
    if (!value) return SCALING_LINEAR; /* by a factor that old files give without a kind; 1 where there is none */
    if (leat_gguf_string(value, &at, &text, &length) == LEAT_OK) {
        if (length == 4 && memcmp(text, "none", 4) == 0) return SCALING_NONE;
        if (length == 6 && memcmp(text, "linear", 6) == 0) return SCALING_LINEAR;
        if (length == 4 && memcmp(text, "yarn", 4) == 0) return SCALING_YARN;
        if (length == 8 && memcmp(text, "longrope", 8) == 0) return SCALING_NONE; /* the factors are tensors */
        r->status = leat__fail(r->error, LEAT_EUNSUPPORTED, "GGUF: '%s' is '%.*s'; none, linear, yarn and longrope are supported", key, length > 64 ? 64 : (int)length, text);
    } else {
        r->status = leat__fail(r->error, LEAT_EFORMAT, "GGUF: '%s' is not a string", key);
    }
    return SCALING_NONE;
}

static scaling read_scaling(reader *r) {
    scaling s = {.kind = kind_of(r)};
    s.base = real(r, "freq_base", 1e-3, 1e12, 10000);
    double old = real(r, "scale_linear", 1e-6, 1e6, 1);
    s.factor = real(r, "scaling.factor", 1e-6, 1e6, old);
    s.magnitude = real(r, "scaling.attn_factor", 1e-6, 1e6, 1);
    s.beta_fast = real(r, "scaling.yarn_beta_fast", 1e-3, 1e6, BETA_FAST);
    s.beta_slow = real(r, "scaling.yarn_beta_slow", 1e-3, 1e6, BETA_SLOW);
    if (s.kind == SCALING_NONE) s.factor = 1;
    if (s.kind == SCALING_YARN) s.magnitude *= 1 + 0.1 * log(s.factor);
    return s;
}

/* The pair that turns `turns` times in the original context, a real number. */
static double pair_of_turns(const scaling *s, int32_t width, int32_t context, double turns) {
    return width * log(context / (turns * 2 * M_PI)) / (2 * log(s->base));
}

/* Share of the undivided angle in pair i. */
static double kept_share(const scaling *s, int32_t i, int32_t width, int32_t context) {
    if (s->kind != SCALING_YARN) return 0;
    double low = fmax(0, floor(pair_of_turns(s, width, context, s->beta_fast)));
    double high = fmin(width - 1, ceil(pair_of_turns(s, width, context, s->beta_slow)));
    return 1 - fmin(1, fmax(0, (i - low) / fmax(0.001, high - low)));
}

/* divisors: [rope_width / 2] or NULL. */
static int make(leat_lm *lm, const scaling *s, const float *divisors, leat_lm_rope *rope) {
    int32_t width = lm->params.rope_width;
    float  *frequency = leat__arena_alloc_aligned(&lm->arena, (size_t)width / 2 * sizeof *frequency);
    if (!frequency) return LEAT_ENOMEM;
    for (int32_t i = 0; i < width / 2; i++) {
        double angle = pow(s->base, -2.0 * i / width) / (divisors ? divisors[i] : 1), kept = kept_share(s, i, width, lm->params.original_context);
        frequency[i] = (float)(angle * kept + angle / s->factor * (1 - kept));
    }
    *rope = (leat_lm_rope){frequency, (float)s->magnitude};
    return LEAT_OK;
}

static int bad_divisors(const leat_lm *lm, const float *divisors) {
    for (int32_t i = 0; divisors && i < lm->params.rope_width / 2; i++)
        if (!(divisors[i] > 0)) return 1;
    return 0;
}

int leat__lm_make_ropes(leat_lm *lm, leat_error *error) {
    const leat_lm_globals *g = &lm->tensors;
    reader r = {lm, error, LEAT_OK};
    if (lm->params.rope_width == 0) return LEAT_OK;
    scaling s = read_scaling(&r), local = {.base = lm->arch->local_base, .factor = 1, .magnitude = 1};
    if (r.status) return r.status;
    if (bad_divisors(lm, g->rope_factors) || bad_divisors(lm, g->rope_short) || bad_divisors(lm, g->rope_long))
        return leat__fail(error, LEAT_EFORMAT, "GGUF: a factor of the rotation is not positive");
    int status = make(lm, &s, g->rope_factors ? g->rope_factors : g->rope_short, &lm->ropes[LM_ROPE_MAIN]);
    if (status == LEAT_OK && g->rope_long) status = make(lm, &s, g->rope_long, &lm->ropes[LM_ROPE_LONG]);
    if (status == LEAT_OK && local.base > 0) {
        local.base = real(&r, "freq_base_swa", 1e-3, 1e12, local.base);
        status = r.status ? r.status : make(lm, &local, NULL, &lm->ropes[LM_ROPE_LOCAL]);
    }
    return status == LEAT_ENOMEM ? leat__fail(error, LEAT_ENOMEM, "out of memory while opening a language model") : status;
}

void leat__lm_rope_angles(const leat_lm_rope *rope, int32_t half, int64_t position, float *cosines, float *sines) {
    for (int32_t i = 0; i < half; i++) {
        double angle = (double)rope->frequency[i] * (double)position; /* in float32 far positions would lose a digit of the angle */
        cosines[i] = (float)cos(angle) * rope->magnitude;
        sines[i] = (float)sin(angle) * rope->magnitude;
    }
}
