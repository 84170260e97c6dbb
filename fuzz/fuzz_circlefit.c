/* fuzz_circlefit.c - checkpoints of the circle fitter with any words behind a right checksum: refused with an explanation, or they go on.
 *
 * The input is laid over a true checkpoint, so that most of it is near the truth: its first byte picks the plan, then pairs of (position,
 * 8 bytes).  Sizes that would only cost time are bounded.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "leat/circlefitter.h"

#define W 20
#define H 14
#define HEAD 9
#define PLANS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t    pixels[3 * W * H];
static leat_image image = {pixels, W, H, 3 * W};
static char      *saved[PLANS];
static size_t     saved_bytes[PLANS];

static uint64_t checksum(const uint64_t *words, size_t n) { /* as circlefit_state.c has it */
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < n; i++) h = (h ^ words[i] ^ words[i] >> 29) * 1099511628211u;
    return h;
}

static void make(int plan) {
    static const leat_circle initial[2] = {{5, 5, 6, 0.2, 0.4, 0.9, 0.6}, {12, 8, 5, 0.9, 0.1, 0.3, 0.8}};
    leat_circlefit_options o;
    leat_circlefit *fit;
    char path[64];
    leat_circlefit_options_default(&o);
    o.circles = 4;
    o.iterations = 5;
    o.population = 4;
    o.candidates = 20;
    o.climbers = 2;
    o.sweeps = 3;
    if (plan) o.algorithm = plan == 1 ? LEAT_MINIMISE_OLCE : plan == 2 ? LEAT_MINIMISE_JADE : LEAT_MINIMISE_MAYFLY;
    o.mode = plan == 1 ? LEAT_CIRCLEFIT_JOINT : plan == 2 ? LEAT_CIRCLEFIT_BATCH : plan == 3 ? LEAT_CIRCLEFIT_POLISH : LEAT_CIRCLEFIT_SEQUENTIAL;
    snprintf(path, sizeof path, "/tmp/fuzz_circlefit_%d", (int)getpid());
    if (leat_circlefit_open(&image, NULL, initial, 2, &o, NULL, &fit, NULL) != LEAT_OK) abort();
    for (int i = 0; i < 3; i++) leat_circlefit_step(fit, NULL, NULL);
    if (leat_circlefit_save(fit, path, NULL) != LEAT_OK || leat__read_file(path, 1 << 20, &saved[plan], &saved_bytes[plan], NULL) != LEAT_OK) abort();
    leat_circlefit_close(fit);
    unlink(path);
}

static void set_up(void) {
    for (int i = 0; i < 3 * W * H; i++) pixels[i] = (uint8_t)(i * 7 + i / W * 13);
    for (int plan = 0; plan < PLANS; plan++) make(plan);
}

/* Options that size work: circles, iterations, population, candidates, climbers, active. */
static void bound(uint64_t *w, size_t words) {
    static const struct { size_t at; uint64_t most; } sizes[] = {{2, 40}, {4, 40}, {12, 200}, {13, 20}, {15, 40}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t at = HEAD + sizes[i].at;
        if (at < words && w[at] > sizes[i].most && w[at] < (uint64_t)1 << 31) w[at] %= sizes[i].most;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    leat_circlefit *fit;
    leat_error error = {0};
    if (!saved[0]) set_up();
    if (size == 0) return 0;
    int plan = data[0] % PLANS;
    size_t words = saved_bytes[plan] / 8;
    uint64_t *w = malloc(saved_bytes[plan]);
    memcpy(w, saved[plan], saved_bytes[plan]);
    for (size_t at = 1; at + 10 <= size; at += 10) memcpy(&w[(size_t)(data[at] | data[at + 1] << 8) % (words - 1)], data + at + 2, 8);
    bound(w, words);
    w[words - 1] = checksum(w, words - 1);
    int status = leat_circlefit_resume_from(&image, NULL, w, saved_bytes[plan], NULL, &fit, &error);
    if (status != LEAT_OK && (error.status != status || !error.message[0])) abort();
    for (int i = 0; status == LEAT_OK && i < 4; i++) {
        int stepped = leat_circlefit_step(fit, NULL, &error);
        if (stepped != LEAT_OK && stepped != LEAT_ESTATE && stepped != LEAT_ENOMEM && stepped != LEAT_ELIMIT) abort();
    }
    if (status == LEAT_OK) leat_circlefit_close(fit);
    free(w);
    status = leat_circlefit_resume_from(&image, NULL, data, size, NULL, &fit, &error); /* as it is */
    if (status == LEAT_OK) leat_circlefit_close(fit);
    return 0;
}
