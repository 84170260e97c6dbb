/* sample.c - the sampler: takes a step's logits over, changes them, cuts, draws.  See sample.h. */
#include "lm/sample.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cpu/lm_rows.h"
#include "cpu/vmath.h"

#define STREAM 0x6C6D /* of the random numbers: "lm" */
#define VERY_LIKELY 1e30f
#define STRONGEST 1e6f /* penalty: no logit becomes infinite by them, or no number */
#define NEXT_TO_NONE 1e-6f /* so low a temperature that its inverse overflows is none */

void leat_sampling_default(leat_sampling *sampling) {
    if (!sampling) return;
    *sampling = (leat_sampling){.size = sizeof *sampling, .temperature = 0.8f, .top_k = 40, .top_p = 0.95f, .min_p = 0.05f, .typical_p = 1, .repeat_penalty = 1,
                                .penalty_last = 64, .mirostat_tau = 5, .mirostat_eta = 0.1f};
}

/* ---- life ------------------------------------------------------------------------------------------------------------------- */

static float *floats(int64_t n) { return leat__calloc((size_t)n, sizeof(float), LEAT_MEMORY_ARENA); }

int leat__sampler_open(int32_t vocabulary, leat_lm_sampler **out) {
    leat_lm_sampler *s = leat__calloc(1, sizeof *s, LEAT_MEMORY_ARENA);
    *out = NULL;
    if (!s) return LEAT_ENOMEM;
    s->vocabulary = vocabulary;
    s->blocks = (vocabulary + LM_SAMPLE_BLOCK - 1) / LM_SAMPLE_BLOCK;
    s->logits = floats(vocabulary);
    s->exps = floats(vocabulary);
    s->block_most = floats(s->blocks);
    s->counts = leat__calloc((size_t)vocabulary, sizeof *s->counts, LEAT_MEMORY_ARENA);
    s->keys = leat__calloc((size_t)vocabulary + 1, sizeof *s->keys, LEAT_MEMORY_ARENA);
    s->pick.ids = leat__calloc((size_t)vocabulary + 1, sizeof *s->pick.ids, LEAT_MEMORY_ARENA);
    s->pick.values = floats((int64_t)vocabulary + 1);
    s->pick.weights = floats((int64_t)vocabulary + 1);
    s->sums = leat__calloc(LM_SAMPLE_RADIX, sizeof *s->sums, LEAT_MEMORY_ARENA);
    if (!s->logits || !s->exps || !s->block_most || !s->counts || !s->keys || !s->pick.ids || !s->pick.values || !s->pick.weights || !s->sums) {
        leat__sampler_close(s);
        return LEAT_ENOMEM;
    }
    leat_sampling_default(&s->options);
    *out = s;
    return LEAT_OK;
}

void leat__sampler_close(leat_lm_sampler *s) {
    if (!s) return;
    leat__free(s->logits);
    leat__free(s->exps);
    leat__free(s->block_most);
    leat__free(s->counts);
    leat__free(s->keys);
    leat__free(s->pick.ids);
    leat__free(s->pick.values);
    leat__free(s->pick.weights);
    leat__free(s->sums);
    leat__free(s);
}

static int out_of_range(leat_error *error, const char *field, double value, const char *range) {
    return leat__fail(error, LEAT_EINVAL, "sampling.%s is %g; it must be %s", field, value, range);
}

static int check_bias(const leat_sampling *o, int32_t vocabulary, leat_error *error) {
    if (o->n_bias < 0 || (o->n_bias && !o->bias)) return leat__fail(error, LEAT_EINVAL, "sampling.n_bias is %lld, of %p", (long long)o->n_bias, (const void *)o->bias);
    for (int64_t i = 0; i < o->n_bias; i++) {
        if (o->bias[i].token < 0 || o->bias[i].token >= vocabulary)
            return leat__fail(error, LEAT_EINVAL, "sampling.bias names token %d of a vocabulary of %d", o->bias[i].token, vocabulary);
        if (!(o->bias[i].bias <= VERY_LIKELY))
            return leat__fail(error, LEAT_EINVAL, "sampling.bias of token %d is %g; it must be a number below 1e30", o->bias[i].token, (double)o->bias[i].bias);
    }
    return LEAT_OK;
}

int leat__sampling_check(const leat_sampling *o, int32_t vocabulary, leat_error *error) {
    if (o->size < sizeof *o) return leat__fail(error, LEAT_EINVAL, "sampling.size is %zu, not %zu: begin with leat_sampling_default()", o->size, sizeof *o);
    if (!(o->temperature >= 0 && o->temperature <= 1e6f)) return out_of_range(error, "temperature", (double)o->temperature, "0 (greedy) to 1e6");
    if (o->top_k < 0) return out_of_range(error, "top_k", o->top_k, "0 (off) or more");
    if (!(o->top_p >= 0 && o->top_p <= 1)) return out_of_range(error, "top_p", (double)o->top_p, "0 to 1 (off)");
    if (!(o->min_p >= 0 && o->min_p <= 1)) return out_of_range(error, "min_p", (double)o->min_p, "0 (off) to 1");
    if (!(o->typical_p >= 0 && o->typical_p <= 1)) return out_of_range(error, "typical_p", (double)o->typical_p, "0 to 1 (off)");
    if (!(o->repeat_penalty >= 1 / STRONGEST && o->repeat_penalty <= STRONGEST)) return out_of_range(error, "repeat_penalty", (double)o->repeat_penalty, "1e-6 to 1e6; 1 = off");
    if (!(fabsf(o->presence_penalty) <= STRONGEST)) return out_of_range(error, "presence_penalty", (double)o->presence_penalty, "-1e6 to 1e6; 0 = off");
    if (!(fabsf(o->frequency_penalty) <= STRONGEST)) return out_of_range(error, "frequency_penalty", (double)o->frequency_penalty, "-1e6 to 1e6; 0 = off");
    if (o->penalty_last < -1) return out_of_range(error, "penalty_last", o->penalty_last, "-1 (all) or more");
    if (o->mirostat < 0 || o->mirostat > 2) return out_of_range(error, "mirostat", o->mirostat, "0 (off), 1 or 2");
    if (o->mirostat && !(o->mirostat_tau > 0 && o->mirostat_tau < 100)) return out_of_range(error, "mirostat_tau", (double)o->mirostat_tau, "0 to 100");
    if (o->mirostat && !(o->mirostat_eta > 0 && o->mirostat_eta <= 1)) return out_of_range(error, "mirostat_eta", (double)o->mirostat_eta, "above 0, at most 1");
    return check_bias(o, vocabulary, error);
}

void leat__sampler_begin(leat_lm_sampler *s, const leat_sampling *options) {
    s->options = *options;
    s->mu = 2 * options->mirostat_tau;
}

/* ---- what changes logits ---------------------------------------------------------------------------------------------------- */

static void take_over(leat_lm_sampler *s, const float *logits) { leat__lm_rows.tame(logits, VERY_LIKELY, s->vocabulary, s->logits); }

static void add_bias(leat_lm_sampler *s) {
    for (int64_t i = 0; i < s->options.n_bias; i++) s->logits[s->options.bias[i].token] += s->options.bias[i].bias;
}

static int penalises(const leat_sampling *o) { return o->repeat_penalty != 1 || o->presence_penalty != 0 || o->frequency_penalty != 0; }

/* Each token of the window once: its occurrences are counted first. */
static void penalise(leat_lm_sampler *s, const int32_t *recent, int64_t n) {
    const leat_sampling *o = &s->options;
    if (!penalises(o)) return;
    if (o->penalty_last >= 0 && n > o->penalty_last) {
        recent += n - o->penalty_last;
        n = o->penalty_last;
    }
    for (int64_t i = 0; i < n; i++) s->counts[recent[i]]++;
    for (int64_t i = 0; i < n; i++) {
        int32_t count = s->counts[recent[i]];
        float  *x = &s->logits[recent[i]];
        if (!count) continue;
        s->counts[recent[i]] = 0;
        *x = *x > 0 ? *x / o->repeat_penalty : *x * o->repeat_penalty;
        *x -= o->presence_penalty + (float)count * o->frequency_penalty;
    }
}

static void apply_mask(leat_lm_sampler *s, const uint32_t *mask) {
    for (int32_t at = 0; at < s->vocabulary; at += 32) {
        uint32_t word = mask[at / 32];
        int32_t  end = s->vocabulary - at < 32 ? s->vocabulary - at : 32;
        if (word == ~0u) continue;
        for (int32_t bit = 0; bit < end; bit++)
            if (!(word >> bit & 1)) s->logits[at + bit] = -INFINITY;
    }
}

/* ---- what cuts -------------------------------------------------------------------------------------------------------------- */

static float largest(const leat_lm_candidates *p) { return leat__vmath()->red[LEAT_VRED_MAX](p->values, p->n); }

/* Weights of the candidates relative to the largest; returns their sum. */
static double weigh(leat_lm_candidates *p, float most) {
    leat__vmath()->expsum(p->values, p->weights, p->n, most);
    return leat__vmath()->sum64(p->weights, p->n);
}

/* Meister et al. 2022: those whose surprise is nearest to the entropy, until they have the mass. */
static void cut_typical(leat_lm_sampler *s, float most) {
    leat_lm_candidates *p = &s->pick;
    double total = weigh(p, most), mean = 0; /* of the logarithms of the weights; the entropy is log(total) - mean */
    for (int64_t i = 0; i < p->n; i++) {
        s->exps[i] = p->values[i] - most;
        if (p->weights[i] > 0) mean += (double)p->weights[i] * (double)s->exps[i];
    }
    mean /= total;
    for (int64_t i = 0; i < p->n; i++) s->exps[i] = -(float)fabs((double)s->exps[i] - mean);
    leat__sample_keep(s, s->exps, p->weights, (double)s->options.typical_p * total);
}

static float least_of_min_p(const leat_sampling *o, float most) { return o->min_p > 0 ? most + logf(o->min_p) : -INFINITY; }

static void keep_from(leat_lm_candidates *p, float least) {
    int64_t kept = 0;
    for (int64_t i = 0; i < p->n; i++) {
        p->ids[kept] = p->ids[i];
        p->values[kept] = p->values[i];
        p->weights[kept] = p->weights[i];
        kept += p->values[i] >= least;
    }
    p->n = kept;
}

/* Without top-k and typical, the two others keep the highest logits both: min-p may go first, when top-p's share is still taken of all. */
static void cut_whole(leat_lm_sampler *s, float most) {
    const leat_sampling *o = &s->options;
    double total = o->top_p < 1 ? (double)leat__vmath()->expsum(s->logits, s->exps, s->vocabulary, most) : 0;
    leat__sample_collect(s, least_of_min_p(o, most));
    if (o->top_p >= 1) return;
    weigh(&s->pick, most);
    leat__sample_keep(s, s->pick.values, s->pick.weights, (double)o->top_p * total);
}

static void cut_in_turn(leat_lm_sampler *s, float most) {
    const leat_sampling *o = &s->options;
    leat_lm_candidates  *p = &s->pick;
    int limited = o->top_k > 0 && o->top_k < s->vocabulary;
    leat__sample_collect(s, limited ? leat__sample_bound(s, o->top_k) : -INFINITY);
    if (limited) leat__sample_keep(s, p->values, NULL, o->top_k);
    if (o->typical_p < 1) cut_typical(s, most);
    most = largest(p);
    if (o->top_p < 1) {
        double total = weigh(p, most);
        leat__sample_keep(s, p->values, p->weights, (double)o->top_p * total);
    }
    keep_from(p, least_of_min_p(o, most));
}

/* ---- choosing --------------------------------------------------------------------------------------------------------------- */

static int32_t first_equal(const leat_lm_sampler *s, float most) {
    int32_t t = 0;
    for (int32_t b = 0; b < s->blocks && s->block_most[b] < most; b++) t += LM_SAMPLE_BLOCK;
    while (s->logits[t] != most) t++;
    return t;
}

static int32_t draw(leat_lm_sampler *s, float most, double uniform) {
    const leat_sampling *o = &s->options;
    leat_lm_candidates  *p = &s->pick;
    if ((o->top_k > 0 && o->top_k < s->vocabulary) || o->typical_p < 1) cut_in_turn(s, most);
    else cut_whole(s, most);
    most = largest(p);
    const float inverse = 1 / o->temperature;
    for (int64_t i = 0; i < p->n; i++) p->values[i] = (p->values[i] - most) * inverse;
    leat__vmath()->expsum(p->values, p->weights, p->n, 0);
    return p->ids[leat__sample_draw(p, uniform)];
}

/* The largest as it stands, where nothing changes the logits; -1: they have to be looked at closely. */
static int32_t choose_plainly(const leat_lm_sampler *s, const leat_lm_choice *c) {
    const leat_sampling *o = &s->options;
    if (o->temperature > NEXT_TO_NONE || c->mask || o->n_bias || penalises(o)) return -1;
    int32_t best = (int32_t)leat__lm_rows.argmax(c->logits, s->vocabulary);
    for (int64_t i = 0; i < c->n_forbidden; i++)
        if (c->forbidden[i] == best) return -1;
    return c->logits[best] > -INFINITY && c->logits[best] < VERY_LIKELY ? best : -1;
}

int leat__sample(leat_lm_sampler *s, const leat_lm_choice *c, int32_t *token) {
    *token = choose_plainly(s, c);
    if (*token >= 0) return LEAT_OK;
    take_over(s, c->logits);
    add_bias(s);
    penalise(s, c->recent, c->n_recent);
    if (c->mask) apply_mask(s, c->mask);
    for (int64_t i = 0; i < c->n_forbidden; i++) s->logits[c->forbidden[i]] = -INFINITY;
    float most = leat__sample_blocks(s);
    *token = -1;
    if (!(most > -INFINITY)) return LEAT_EINVAL;
    double uniform = s->options.temperature > 0 ? leat__rng_uniform(s->options.seed, STREAM, c->draw) : 0;
    if (!(s->options.temperature > NEXT_TO_NONE)) *token = first_equal(s, most);
    else if (s->options.mirostat) *token = leat__sample_mirostat(s, most, uniform);
    else *token = draw(s, most, uniform);
    return LEAT_OK;
}

/* ---- log probabilities ------------------------------------------------------------------------------------------------------ */

/* Candidates in falling order to the front: few enough for insertion. */
static void sort_falling(leat_lm_candidates *p) {
    for (int64_t i = 1; i < p->n; i++) {
        float   value = p->values[i];
        int32_t id = p->ids[i];
        int64_t at = i;
        for (; at > 0 && p->values[at - 1] < value; at--) {
            p->values[at] = p->values[at - 1];
            p->ids[at] = p->ids[at - 1];
        }
        p->values[at] = value;
        p->ids[at] = id;
    }
}

float leat__sample_logprobs(leat_lm_sampler *s, const float *logits, int32_t token, leat_token_prob *top, int32_t n_top) {
    take_over(s, logits);
    float most = leat__sample_blocks(s);
    for (int32_t i = 0; i < n_top; i++) top[i] = (leat_token_prob){-1, -INFINITY};
    if (!(most > -INFINITY)) return -INFINITY;
    double total = log((double)leat__vmath()->expsum(s->logits, s->exps, s->vocabulary, most)) + (double)most;
    if (n_top > 0) {
        leat__sample_collect(s, leat__sample_bound(s, n_top));
        leat__sample_keep(s, s->pick.values, NULL, n_top);
        sort_falling(&s->pick);
        for (int64_t i = 0; i < s->pick.n; i++) top[i] = (leat_token_prob){s->pick.ids[i], (float)((double)s->pick.values[i] - total)};
    }
    return (float)((double)s->logits[token] - total);
}
