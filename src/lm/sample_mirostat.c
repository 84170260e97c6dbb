/* sample_mirostat.c - Mirostat (Basu et al., ICLR 2021): keeps the surprise of the text near tau bits by cutting the distribution at a level mu, which follows it.
 *
 * Version 1 estimates the exponent of Zipf's law from the 100 most probable tokens and derives how many tokens to keep; version 2 keeps those whose surprise is at
 * most mu.  Both observe the surprise of the choice in the distribution at the temperature before the cut, as the paper does, and move mu by eta times the error. */
#include <math.h>
#include <stdlib.h>

#include "cpu/vmath.h"
#include "lm/sample.h"

enum { ESTIMATED = 100 };

static int falling(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* Exponent of Zipf's law that fits the most probable tokens best. */
static double zipf_exponent(leat_lm_sampler *s) {
    float  best[ESTIMATED];
    double num = 0, den = 0;
    leat__sample_collect(s, leat__sample_bound(s, ESTIMATED));
    leat__sample_keep(s, s->pick.values, NULL, ESTIMATED);
    int n = (int)s->pick.n;
    for (int i = 0; i < n; i++) best[i] = s->pick.values[i];
    qsort(best, (size_t)n, sizeof *best, falling);
    for (int i = 0; i + 1 < n; i++) {
        double t = log((i + 2.0) / (i + 1.0)), b = (double)best[i] - (double)best[i + 1];
        if (b > 700) break; /* of no weight at all */
        num += t * b;
        den += t * t;
    }
    return den > 0 ? num / den : 1;
}

/* How many tokens version 1 keeps of `n`. */
static double zipf_count(double exponent, double mu, double n) {
    double eps = exponent - 1, s = exponent > 1e-6 ? exponent : 1e-6;
    double sum = fabs(eps) < 1e-6 ? 1 / log(n > 2 ? n : 2) : eps / (1 - pow(n, -eps));
    double k = pow(sum * exp2(mu), 1 / s);
    return k >= 1 && k < n ? nearbyint(k) : k < 1 ? 1 : n;
}

/* Whole blocks are passed by their sums; a rounding error at the very end chooses the last one that has a weight. */
int64_t leat__sample_draw(const leat_lm_candidates *p, double uniform) {
    const leat_vmath_table *v = leat__vmath();
    double  wanted = uniform * v->sum64(p->weights, p->n), sum = 0;
    int64_t at = 0, last = p->n - 1;
    for (double block; p->n - at > LM_SAMPLE_BLOCK; at += LM_SAMPLE_BLOCK, sum += block)
        if (sum + (block = v->sum64(p->weights + at, LM_SAMPLE_BLOCK)) > wanted) break;
    for (int64_t i = at; i < p->n; i++) {
        sum += (double)p->weights[i];
        if (sum > wanted) return i;
    }
    while (last > 0 && !(p->weights[last] > 0)) last--;
    return last;
}

int32_t leat__sample_mirostat(leat_lm_sampler *s, float most, double uniform) {
    const float inverse = 1 / s->options.temperature;
    for (int32_t t = 0; t < s->vocabulary; t++) s->logits[t] = (s->logits[t] - most) * inverse; /* the largest is 0 now */
    leat__sample_blocks(s);
    double total = (double)leat__vmath()->expsum(s->logits, s->exps, s->vocabulary, 0), log_total = log(total);
    if (s->options.mirostat == 1) {
        double keep = zipf_count(zipf_exponent(s), (double)s->mu, (double)s->vocabulary);
        leat__sample_collect(s, keep <= (double)s->blocks ? leat__sample_bound(s, (int64_t)keep) : -INFINITY);
        leat__sample_keep(s, s->pick.values, NULL, keep);
    } else {
        double least = log_total - (double)s->mu * 0.69314718055994530942;
        leat__sample_collect(s, least < 0 ? (float)least : 0.0f);
    }
    leat__vmath()->expsum(s->pick.values, s->pick.weights, s->pick.n, 0);
    int64_t at = leat__sample_draw(&s->pick, uniform);
    double surprise = (log_total - (double)s->pick.values[at]) * 1.44269504088896340736;
    s->mu -= (float)((double)s->options.mirostat_eta * (surprise - (double)s->options.mirostat_tau));
    return s->pick.ids[at];
}
