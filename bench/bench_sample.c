/* bench_sample.c - the sampler's chain on one core: time of a token by vocabulary and options.
 *
 * usage: bench_sample [VOCABULARY...]
 *
 * Logits are normal with a spread of 3, so the distribution is as wide as that of a language model; medians of 201 tokens.  The limit is 1 ms at 128k. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "base/stats.h"
#include "cpu/cpu.h"
#include "lm/sample.h"

enum { REPS = 201 };

typedef struct variant {
    const char   *name;
    leat_sampling options;
} variant;

static leat_sampling options(float temperature, int top_k, float top_p, float min_p, float typical_p, int mirostat) {
    leat_sampling o;
    leat_sampling_default(&o);
    o.temperature = temperature;
    o.top_k = top_k;
    o.top_p = top_p;
    o.min_p = min_p;
    o.typical_p = typical_p;
    o.mirostat = mirostat;
    o.seed = 1;
    return o;
}

static double median_us(leat_lm_sampler *s, const float *logits, const leat_sampling *o, int logprobs) {
    static const int32_t recent[64] = {5, 7, 5, 9};
    leat_token_prob top[20];
    double us[REPS];
    leat__sampler_begin(s, o);
    for (int i = 0; i < REPS; i++) {
        int32_t token;
        int64_t start = leat__now_ns();
        if (logprobs) leat__sample_logprobs(s, logits, 3, top, 20);
        else leat__sample(s, &(leat_lm_choice){.logits = logits, .recent = recent, .n_recent = 64, .draw = (uint64_t)i}, &token);
        us[i] = (double)(leat__now_ns() - start) / 1e3;
    }
    leat_summary summary;
    leat__summarise(us, REPS, &summary);
    return summary.p50;
}

static int measure(int vocabulary) {
    leat_lm_sampler *s;
    float *logits = malloc((size_t)vocabulary * sizeof *logits);
    if (!logits || leat__sampler_open(vocabulary, &s) != LEAT_OK) return 1;
    for (int i = 0; i < vocabulary; i++) logits[i] = (float)(3 * leat__rng_normal(1, 1, (uint64_t)i));
    leat_sampling defaults;
    leat_sampling_default(&defaults);
    const variant variants[] = {{"greedy", options(0, 0, 1, 0, 1, 0)},          {"defaults", defaults},
                                {"top-k 40", options(0.8f, 40, 1, 0, 1, 0)},    {"top-k 5000", options(0.8f, 5000, 1, 0, 1, 0)},
                                {"top-p 0.9", options(0.8f, 0, 0.9f, 0, 1, 0)}, {"min-p 0.05", options(0.8f, 0, 1, 0.05f, 1, 0)},
                                {"all tokens", options(0.8f, 0, 1, 0, 1, 0)},   {"typical 0.9", options(0.8f, 0, 1, 0, 0.9f, 0)},
                                {"typical 0.9, top-p 0.9", options(0.8f, 0, 0.9f, 0, 0.9f, 0)},
                                {"mirostat 1", options(0.8f, 0, 1, 0, 1, 1)},   {"mirostat 2", options(0.8f, 0, 1, 0, 1, 2)}};
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        printf("%8d  %-24s %8.1f us\n", vocabulary, variants[i].name, median_us(s, logits, &variants[i].options, 0));
    printf("%8d  %-24s %8.1f us\n", vocabulary, "logprobs, 20 best", median_us(s, logits, &defaults, 1));
    leat__sampler_close(s);
    free(logits);
    return 0;
}

int main(int argc, char **argv) {
    leat__cpu_init();
    if (argc < 2) return measure(32000) | measure(128256);
    for (int i = 1; i < argc; i++)
        if (atoi(argv[i]) < 2 || measure(atoi(argv[i]))) return 2;
    return 0;
}
