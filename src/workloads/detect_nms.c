/* detect_nms.c - non-maximum suppression: sort by score, then the best box takes out (or weakens) those of its group that overlap it.
 *
 * Candidates are sorted by a radix sort over the bits of the score (non-negative floats order as integers), three passes of 11 bits that
 * are skipped where all keys agree; it is stable, so equal scores keep their order.  Boxes then lie in columns and the suppression is a
 * vector kernel; groups are compared in the kernel, which costs less than sorting by group.  Overlap does not change when both axes are scaled, so
 * the detector suppresses in the coordinates of the network's input.
 */
#include <math.h>
#include <string.h>

#include "cpu/cpu.h"
#include "detect_nms.h"

enum { PAD = 16, MOST_BOXES = 1 << 24, DIGIT = 11, BUCKETS = 1 << DIGIT, COLUMNS = 11 };

void leat_nms_options_default(leat_nms_options *options) {
    *options = (leat_nms_options){.size = sizeof *options, .kind = LEAT_NMS_HARD, .iou = 0.45f, .sigma = 0.5f, .score = 0.25f, .top_k = 2048, .max_kept = 300};
}

/* ---- memory --------------------------------------------------------------------------------------------------------------- */

static size_t column_floats(int capacity) { return ((size_t)capacity + PAD + 15) / 16 * 16; }

size_t leat__nms_bytes(int capacity) { return column_floats(capacity) * (COLUMNS * sizeof(float) + 2 * sizeof(uint64_t)); }

void leat__nms_bind(leat__nms *nms, void *memory, int capacity) {
    size_t n = column_floats(capacity);
    float *f = memory;
    *nms = (leat__nms){.boxes = {f, f + n, f + 2 * n, f + 3 * n, f + 4 * n, (int32_t *)(f + 5 * n), (int32_t *)(f + 6 * n)},
                       .score = f + 7 * n, .slot = (int32_t *)(f + 8 * n), .iou = f + 9 * n, .rank = f + 10 * n, .keys = (uint64_t *)(f + COLUMNS * n), .capacity = capacity};
    nms->spare = nms->keys + n;
}

/* ---- order ---------------------------------------------------------------------------------------------------------------- */

/* The score's bits upside down above the slot: ascending keys are descending scores. */
static uint64_t key_of(float score, int slot) {
    uint32_t bits;
    score += 0.0f; /* -0 becomes +0 */
    memcpy(&bits, &score, sizeof bits);
    return (uint64_t)~bits << 32 | (uint32_t)slot;
}

static void insertion_sort(uint64_t *keys, int n) {
    for (int i = 1; i < n; i++) {
        uint64_t key = keys[i];
        int at = i;
        for (; at > 0 && keys[at - 1] > key; at--) keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

static void count_digits(const uint64_t *keys, int n, uint32_t counts[3][BUCKETS]) {
    memset(counts, 0, 3 * sizeof *counts);
    for (int i = 0; i < n; i++) {
        counts[0][keys[i] >> 32 & (BUCKETS - 1)]++;
        counts[1][keys[i] >> (32 + DIGIT) & (BUCKETS - 1)]++;
        counts[2][keys[i] >> (32 + 2 * DIGIT)]++;
    }
}

/* Sorts by the upper half of the keys; the sorted ones end up in what is returned: keys or spare. */
static uint64_t *radix_sort(uint64_t *keys, uint64_t *spare, int n) {
    uint32_t counts[3][BUCKETS];
    count_digits(keys, n, counts);
    for (int pass = 0; pass < 3; pass++) {
        uint32_t *at = counts[pass], sum = 0;
        int shift = 32 + pass * DIGIT;
        if (at[keys[0] >> shift & (BUCKETS - 1)] == (uint32_t)n) continue;
        for (int b = 0; b < BUCKETS; b++) {
            uint32_t here = at[b];
            at[b] = sum;
            sum += here;
        }
        for (int i = 0; i < n; i++) spare[at[keys[i] >> shift & (BUCKETS - 1)]++] = keys[i];
        uint64_t *swap = keys;
        keys = spare;
        spare = swap;
    }
    return keys;
}

void leat__nms_sort(leat__nms *nms, const float *scores, int n, int top_k) {
    uint64_t *sorted = nms->keys;
    for (int i = 0; i < n; i++) nms->keys[i] = key_of(scores[i], i);
    if (n <= 48) insertion_sort(nms->keys, n);
    else sorted = radix_sort(nms->keys, nms->spare, n);
    nms->count = top_k > 0 && top_k < n ? top_k : n;
    for (int i = 0; i < nms->count; i++) {
        nms->slot[i] = (int32_t)(sorted[i] & 0xffffffffu);
        nms->score[i] = scores[nms->slot[i]];
    }
}

/* ---- suppression ---------------------------------------------------------------------------------------------------------- */

int leat__nms_set_box(leat__nms *nms, int at, float x1, float y1, float x2, float y2, int32_t group) {
    float w = x2 - x1, h = y2 - y1, area = w * h;
    if (!(w > 0 && h > 0 && area > 0 && area < INFINITY)) return 0;
    leat__boxes *b = &nms->boxes;
    b->x1[at] = x1, b->y1[at] = y1, b->x2[at] = x2, b->y2[at] = y2;
    b->area[at] = area;
    b->group[at] = group;
    b->alive[at] = -1;
    return 1;
}

static int suppress_hard(const leat__nms *nms, const leat_nms_options *options, int limit, int32_t *kept) {
    leat__boxes boxes = nms->boxes;
    int n_kept = 0;
    if (options->agnostic) boxes.group = NULL;
    for (int i = 0; i < nms->count && n_kept < limit; i++) {
        if (!boxes.alive[i]) continue;
        kept[n_kept++] = i;
        leat__detect_f32.suppress(&boxes, i, i + 1, nms->count, options->iou);
    }
    return n_kept;
}

static void weaken(leat__nms *nms, const leat_nms_options *options, const leat__boxes *boxes, int i) {
    leat__detect_f32.overlap(boxes, i, nms->count, nms->iou);
    for (int j = 0; j < nms->count; j++) {
        float iou = nms->iou[j];
        if (iou <= 0 || nms->rank[j] < 0) continue;
        if (options->kind == LEAT_NMS_GAUSSIAN) nms->rank[j] *= expf(-iou * iou / options->sigma);
        else if (iou > options->iou) nms->rank[j] *= 1 - iou;
        if (nms->rank[j] < options->score) nms->rank[j] = -1;
    }
}

/* The order changes as scores fall, so the best is looked for each time. */
static int suppress_soft(leat__nms *nms, const leat_nms_options *options, int limit, int32_t *kept) {
    leat__boxes boxes = nms->boxes;
    int n_kept = 0;
    if (options->agnostic) boxes.group = NULL;
    memcpy(nms->rank, nms->score, (size_t)nms->count * sizeof *nms->rank);
    while (n_kept < limit) {
        int32_t best;
        if (!(leat__detect_f32.row_max(nms->rank, nms->count, &best) >= 0)) break;
        kept[n_kept++] = best;
        nms->score[best] = nms->rank[best];
        nms->rank[best] = -1;
        weaken(nms, options, &boxes, best);
    }
    return n_kept;
}

int leat__nms_suppress(leat__nms *nms, const leat_nms_options *options, int32_t *kept) {
    int limit = options->max_kept > 0 && options->max_kept < nms->count ? options->max_kept : nms->count;
    if (options->kind == LEAT_NMS_HARD) return suppress_hard(nms, options, limit, kept);
    if (options->kind != LEAT_NMS_NONE) return suppress_soft(nms, options, limit, kept);
    for (int i = 0; i < limit; i++) kept[i] = i;
    return limit;
}

/* ---- public --------------------------------------------------------------------------------------------------------------- */

/* Before the sort, slots are the positions of the boxes that pass; their indices and scores lie behind the sort's memory. */
size_t leat_nms_scratch_bytes(int n) {
    if (n < 1 || n > MOST_BOXES) return 0;
    return leat__nms_bytes(n) + column_floats(n) * (sizeof(int32_t) + sizeof(float));
}

static int options_are_valid(const leat_nms_options *o) {
    return o->kind >= LEAT_NMS_HARD && o->kind <= LEAT_NMS_NONE && o->iou >= 0 && o->iou <= 1 && o->score >= 0 && o->top_k >= 0 && o->max_kept >= 0 &&
           (o->kind != LEAT_NMS_GAUSSIAN || o->sigma > 0);
}

int leat_nms_run(const leat_nms_options *options, const float *boxes, float *scores, const int32_t *groups, int n, int32_t *kept, int *n_kept, void *scratch) {
    leat__nms nms;
    *n_kept = 0;
    if (n == 0) return LEAT_OK;
    if (n < 0 || n > MOST_BOXES || !options_are_valid(options)) return LEAT_EINVAL;
    leat__cpu_init();
    leat__nms_bind(&nms, scratch, n);
    int32_t *index = (int32_t *)((char *)scratch + leat__nms_bytes(n));
    float   *passing = (float *)(index + column_floats(n));
    int      count = 0;
    for (int i = 0; i < n; i++)
        if (scores[i] >= options->score && scores[i] < INFINITY) index[count] = i, passing[count++] = scores[i];
    leat__nms_sort(&nms, passing, count, options->top_k);
    count = 0;
    for (int i = 0; i < nms.count; i++) {
        int at = index[nms.slot[i]];
        const float *b = boxes + 4 * (size_t)at;
        if (!leat__nms_set_box(&nms, count, b[0], b[1], b[2], b[3], groups ? groups[at] : 0)) continue;
        leat__nms_move(&nms, count++, i);
    }
    nms.count = count;
    *n_kept = leat__nms_suppress(&nms, options, kept);
    for (int i = 0; i < *n_kept; i++) {
        int at = index[nms.slot[kept[i]]];
        scores[at] = nms.score[kept[i]];
        kept[i] = at;
    }
    return LEAT_OK;
}
