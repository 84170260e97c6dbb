/* circlefit_state.c - checkpoints: a fitter as bytes, written atomically, and checked in full when read.
 *
 * Little-endian words of 8 bytes:
 *   0      "LEATCFIT"
 *   1      version (1)
 *   2, 3   width, height       4, 5  hashes of the reference and of the canvas (0 = white)
 *   6      words of options    7  words of state    8  words of the minimiser (0 = no open stage)
 *   then the options (one word a field, in the order of option_words()), the state, the minimiser's state,
 *   and FNV-1a over all words before.
 * The checksum finds damage; it does not stop an enemy, so that every count, circle and index is checked again on reading.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "workloads/circlefit_fit.h"

#define MAGIC 0x544946435441454cull /* "LEATCFIT" */
#define VERSION 1
#define HEAD_WORDS 9
#define OPTION_WORDS 21
#define MAX_BYTES ((size_t)1 << 31)

enum { AT_MAGIC, AT_VERSION, AT_WIDTH, AT_HEIGHT, AT_REFERENCE, AT_CANVAS, AT_OPTIONS, AT_STATE, AT_MINIMISER };

static uint64_t checksum(const uint64_t *words, size_t n) {
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < n; i++) h = (h ^ words[i] ^ words[i] >> 29) * 1099511628211u;
    return h;
}

/* ---- options as words ----------------------------------------------------------------------------------------------------- */

static void pack_options(const leat_circlefit_options *o, uint64_t *w) {
    const int64_t values[] = {(int64_t)o->mode, o->algorithm, o->circles, o->iterations, o->population, o->batch, (int64_t)o->seed, (int64_t)o->bounds,
                              (int64_t)o->distance, o->immediate, o->solve_color, o->residual_seed, o->candidates, o->climbers, o->sweeps, o->active,
                              o->patience, o->stagnation};
    memset(w, 0, OPTION_WORDS * sizeof *w);
    memcpy(w, values, sizeof values);
    memcpy(&w[sizeof values / 8], &o->threshold, 8);
}

/* Values outside of int32 become -2, which no field allows. */
static int32_t narrow(uint64_t w) { return (int64_t)w >= INT32_MIN && (int64_t)w <= INT32_MAX ? (int32_t)(int64_t)w : -2; }

static void unpack_options(const uint64_t *w, leat_circlefit_options *o) {
    *o = (leat_circlefit_options){.size = sizeof *o, .mode = (leat_circlefit_mode)narrow(w[0]), .algorithm = narrow(w[1]), .circles = narrow(w[2]),
                                  .iterations = narrow(w[3]), .population = narrow(w[4]), .batch = narrow(w[5]), .seed = w[6],
                                  .bounds = (leat_circlefit_bounds)narrow(w[7]), .distance = (leat_minimise_distance)narrow(w[8]), .immediate = narrow(w[9]),
                                  .solve_color = narrow(w[10]), .residual_seed = narrow(w[11]), .candidates = narrow(w[12]), .climbers = narrow(w[13]),
                                  .sweeps = narrow(w[14]), .active = narrow(w[15]), .patience = narrow(w[16]), .stagnation = narrow(w[17])};
    memcpy(&o->threshold, &w[18], 8);
}

/* ---- writing -------------------------------------------------------------------------------------------------------------- */

int leat_circlefit_save(const leat_circlefit *fit, const char *path, leat_error *error) {
    size_t own = fit->minimiser ? leat_minimise_state_bytes(fit->minimiser) / 8 : 0, total = HEAD_WORDS + OPTION_WORDS + fit->words + own + 1;
    uint64_t *w = leat__alloc(total * 8, LEAT_MEMORY_OTHER);
    if (!w) return leat__fail(error, LEAT_ENOMEM, "no memory for a checkpoint of %zu bytes", total * 8);
    const uint64_t head[HEAD_WORDS] = {MAGIC, VERSION, (uint64_t)fit->width, (uint64_t)fit->height, fit->reference_hash, fit->canvas_hash, OPTION_WORDS, fit->words, own};
    memcpy(w, head, sizeof head);
    pack_options(&fit->o, w + HEAD_WORDS);
    memcpy(w + HEAD_WORDS + OPTION_WORDS, fit->state, fit->words * 8);
    if (own) leat_minimise_save(fit->minimiser, w + HEAD_WORDS + OPTION_WORDS + fit->words);
    w[total - 1] = checksum(w, total - 1);
    int status = leat__write_file(path, w, total * 8, error);
    leat__free(w);
    return status;
}

/* ---- reading -------------------------------------------------------------------------------------------------------------- */

static int check_head(const uint64_t *w, size_t words, leat_error *error) {
    if (words < 2 || w[AT_MAGIC] != MAGIC) return leat__fail(error, LEAT_EFORMAT, "this is not a checkpoint of circlefit");
    if (w[AT_VERSION] != VERSION)
        return leat__fail(error, LEAT_EUNSUPPORTED, "the checkpoint has version %llu, this program reads version %d", (unsigned long long)w[AT_VERSION], VERSION);
    if (words < HEAD_WORDS + OPTION_WORDS + 1 || w[AT_OPTIONS] != OPTION_WORDS || w[AT_STATE] > words || w[AT_MINIMISER] > words ||
        HEAD_WORDS + OPTION_WORDS + w[AT_STATE] + w[AT_MINIMISER] + 1 != words)
        return leat__fail(error, LEAT_EFORMAT, "the checkpoint is truncated: %zu bytes do not hold what its head promises", words * 8);
    if (w[words - 1] != checksum(w, words - 1)) return leat__fail(error, LEAT_EFORMAT, "the checkpoint is damaged: its checksum does not match");
    return LEAT_OK;
}

static int scalars_are_sound(const leat_circlefit *fit) {
    const fit_scalars *s = fit->s;
    const int64_t most = (int64_t)1 << 62;
    const int64_t counters[] = {s->stage, s->extra, s->sweep, s->stale, s->relocated, s->evaluations, s->drawn, s->pixels, s->steps, s->stage_progress};
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        if (counters[i] < 0 || counters[i] >= most) return 0;
    }
    int64_t k = fit->o.circles;
    return s->phase >= 0 && s->phase < FIT_PHASES && s->end >= 0 && s->end < LEAT_CIRCLEFIT_ENDS && s->count >= 0 && s->count <= k && s->stage < k + 64 * (int64_t)1000000 &&
           s->sweep <= INT32_MAX && (s->stage_open == 0 || s->stage_open == 1) && s->stage_first >= 0 && s->stage_first <= k && s->stage_active >= 0 &&
           s->stage_active <= k && !isnan(s->significant) && !isnan(s->stage_cost) && (s->phase == FIT_DONE) == (s->end != LEAT_CIRCLEFIT_RUNNING || s->phase == FIT_DONE);
}

static int arrays_are_sound(const leat_circlefit *fit) {
    const fit_scalars *s = fit->s;
    for (int64_t i = 0; i < fit->o.circles; i++) {
        if ((fit->marked[i] != 0 && fit->marked[i] != 1) || isnan(fit->gain[i])) return 0;
    }
    for (int64_t i = 0; s->stage_open && i < s->stage_active; i++) {
        int64_t before = i ? fit->active[i - 1] : s->stage_first - 1;
        if (fit->active[i] <= before || fit->active[i] >= fit->o.circles || fit->active[i] > s->count + i) return 0;
    }
    return !s->stage_open || (s->stage_active > 0 && fit->active[0] == s->stage_first);
}

/* Whether the phase is one that the options can be in. */
static int plan_is_sound(const leat_circlefit *fit) {
    const fit_scalars *s = fit->s;
    int climbs = fit->climber != NULL;
    if (fit->o.mode == LEAT_CIRCLEFIT_POLISH && s->phase == FIT_STAGES) return 0;
    if ((s->phase == FIT_POLISH || s->phase == FIT_RELOCATE) && (s->count == 0 || (!climbs && fit->o.mode != LEAT_CIRCLEFIT_POLISH))) return 0;
    if (s->phase == FIT_RELOCATE && !climbs) return 0;
    if (s->phase == FIT_STAGES && fit->o.mode != LEAT_CIRCLEFIT_JOINT && !s->stage_open && s->count >= fit->o.circles && s->stage > 0) return 0;
    return !s->stage_open || (fit->o.algorithm != LEAT_CIRCLEFIT_CLIMB && s->phase != FIT_DONE && s->phase != FIT_RELOCATE);
}

/* The squared error is not taken on trust: it decides what later steps keep. */
static int check_error_sum(leat_circlefit *fit, leat_error *error) {
    uint64_t sse;
    int status = leat__fit_measure(fit, fit->circles, fit->s->count, &sse);
    if (status != LEAT_OK) return leat__fail(error, LEAT_EFORMAT, "the checkpoint holds circles that cannot be drawn");
    if (sse != fit->s->sse) return leat__fail(error, LEAT_EFORMAT, "the checkpoint's cost is not that of its circles on this image");
    return LEAT_OK;
}

static int restore(leat_circlefit *fit, const uint64_t *w, leat_error *error) {
    if (w[AT_STATE] != fit->words) return leat__fail(error, LEAT_EFORMAT, "the checkpoint's state does not belong to its options");
    memcpy(fit->state, w + HEAD_WORDS + OPTION_WORDS, fit->words * 8);
    if (!scalars_are_sound(fit) || !arrays_are_sound(fit) || !plan_is_sound(fit) || leat_circles_check(fit->circles, fit->s->count, NULL) != LEAT_OK)
        return leat__fail(error, LEAT_EFORMAT, "the checkpoint holds counters, indices or circles that are out of range");
    int status = check_error_sum(fit, error);
    if (status != LEAT_OK || !fit->s->stage_open) return status;
    return leat__fit_stage_reopen(fit, w + HEAD_WORDS + OPTION_WORDS + fit->words, w[AT_MINIMISER] * 8, error);
}

int leat_circlefit_resume_from(const leat_image *reference, const leat_image *canvas, const void *data, size_t bytes, leat_tpool *pool, leat_circlefit **out,
                               leat_error *error) {
    leat_circlefit_options o;
    leat_circlefit *fit = NULL;
    *out = NULL;
    if (bytes % 8 || bytes > MAX_BYTES) return leat__fail(error, LEAT_EFORMAT, "the checkpoint is truncated or not one: %zu bytes", bytes);
    uint64_t *w = leat__alloc(bytes, LEAT_MEMORY_OTHER); /* aligned */
    if (!w) return leat__fail(error, LEAT_ENOMEM, "no memory for a checkpoint of %zu bytes", bytes);
    if (bytes) memcpy(w, data, bytes);
    int status = check_head(w, bytes / 8, error);
    if (status == LEAT_OK) {
        unpack_options(w + HEAD_WORDS, &o);
        leat_circle dummy = {0, 0, 1, 0, 0, 0, 1};
        status = leat_circlefit_open(reference, canvas, &dummy, o.mode == LEAT_CIRCLEFIT_POLISH, &o, pool, &fit, error);
    }
    if (status == LEAT_OK && (w[AT_WIDTH] != (uint64_t)fit->width || w[AT_HEIGHT] != (uint64_t)fit->height))
        status = leat__fail(error, LEAT_EFORMAT, "the checkpoint is of an image of %llu x %llu, this one has %d x %d", (unsigned long long)w[AT_WIDTH],
                            (unsigned long long)w[AT_HEIGHT], fit->width, fit->height);
    if (status == LEAT_OK && w[AT_REFERENCE] != fit->reference_hash) status = leat__fail(error, LEAT_EFORMAT, "the checkpoint is of another reference image");
    if (status == LEAT_OK && w[AT_CANVAS] != fit->canvas_hash) status = leat__fail(error, LEAT_EFORMAT, "the checkpoint is of another canvas");
    if (status == LEAT_OK) status = restore(fit, w, error);
    leat__free(w);
    if (status != LEAT_OK) leat_circlefit_close(fit);
    else *out = fit;
    return status;
}

int leat_circlefit_resume(const leat_image *reference, const leat_image *canvas, const char *path, leat_tpool *pool, leat_circlefit **fit, leat_error *error) {
    char  *data;
    size_t bytes;
    *fit = NULL;
    int status = leat__read_file(path, MAX_BYTES, &data, &bytes, error);
    if (status != LEAT_OK) return status;
    status = leat_circlefit_resume_from(reference, canvas, data, bytes, pool, fit, error);
    leat__free(data);
    return status == LEAT_OK ? LEAT_OK : leat__fail_prefix(error, status, "%s", path);
}
