/* detect_decode_layout.c - what kind of detector the outputs come from, told by their number and dims.
 *
 *   12 or 16 outputs                               YuNet: for each stride [B, n, 1] twice, [B, n, 4], [B, n, 10]
 *   6 or 8 outputs                                 NanoDet: for each stride [B, n, C] and [B, n, 4 * bins]
 *   2 outputs, [B, N, 4] and [B, N, 1 + C]         SSD
 *   1 output [B, N, 5 + C], N = the cells of strides 8, 16, 32               YOLOX
 *                           N = the cells of strides 8, 16, 32, 64, wide     NanoDet-Plus
 *                           any other N                                      YOLOv5
 *   1 output [B, 4 + C, N] with N > 4 + C                                    YOLOv8
 *
 * A leading batch dimension may be absent.  A named decoder is taken at its word and only checked.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "detect_decode.h"

enum { NANODET_PLUS_BINS = 8, MOST_CLASSES = 1 << 20 };
#define MOST_ANCHORS ((int64_t)1 << 24)

typedef struct shape {
    int64_t n, width; /* the last two dims */
} shape;

static const int32_t strides[LEAT__MAX_LEVELS] = {8, 16, 32, 64};

/* ---- the outputs ---------------------------------------------------------------------------------------------------------- */

static int fail_unknown(const leat_tensor *outputs, const char *const *names, int n, leat_error *error) {
    char   list[400] = "";
    size_t used = 0;
    for (int i = 0; i < n && used + 80 < sizeof list; i++) {
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%.32s %s[", i ? ", " : "", names && names[i] ? names[i] : "?",
                                 leat_dtype_name(outputs[i].dtype));
        for (int d = 0; d < outputs[i].rank && used + 24 < sizeof list; d++)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%lld", d ? "," : "", (long long)outputs[i].dims[d]);
        if (used + 2 < sizeof list) used += (size_t)snprintf(list + used, sizeof list - used, "]");
    }
    return leat__fail(error, LEAT_EUNSUPPORTED, "no decoder for these %d outputs: %s; name one with --decoder if you know the layout", n, list);
}

static int read_shapes(const leat_tensor *outputs, int n, shape *shapes) {
    for (int i = 0; i < n; i++) {
        const leat_tensor *t = &outputs[i];
        if ((t->dtype != LEAT_DTYPE_F32 && t->dtype != LEAT_DTYPE_F16) || t->rank < 2 || t->rank > 4) return 0;
        if (t->rank == 4 && t->dims[1] != 1) return 0;
        shapes[i] = (shape){t->dims[t->rank - 2], t->dims[t->rank - 1]};
        if (shapes[i].n < 1 || shapes[i].width < 1 || shapes[i].n > MOST_ANCHORS || shapes[i].width > MOST_ANCHORS) return 0;
    }
    return 1;
}

/* ---- grids ---------------------------------------------------------------------------------------------------------------- */

/* Sets `levels` grids of the input, each cell `per_cell` anchors (NULL = 1); returns the anchors. */
static int64_t set_grids(leat__layout *l, int levels, const int32_t *per_cell) {
    int64_t first = 0;
    for (int v = 0; v < levels; v++) {
        leat__level *level = &l->level[v];
        *level = (leat__level){.stride = strides[v], .scores = -1, .objects = -1, .boxes = -1, .points = -1, .first = first};
        level->columns = (l->width + strides[v] - 1) / strides[v];
        level->rows = (l->height + strides[v] - 1) / strides[v];
        level->count = (int64_t)level->columns * level->rows * (per_cell ? per_cell[v] : 1);
        first += level->count;
    }
    l->levels = levels;
    return first;
}

static leat_decoder guess(leat__layout *l, const shape *s, int n) {
    if (n == 12 || n == 16) return LEAT_DECODER_YUNET;
    if (n == 6 || n == 8) return LEAT_DECODER_NANODET;
    if (n == 2 && s[0].n == s[1].n && (s[0].width == 4 || s[1].width == 4)) return LEAT_DECODER_SSD;
    if (n != 1) return LEAT_DECODER_AUTO;
    if (s[0].n == set_grids(l, 4, NULL) && s[0].width > 4 * NANODET_PLUS_BINS) return LEAT_DECODER_NANODET;
    if (s[0].width >= 6 && s[0].n == set_grids(l, 3, NULL)) return LEAT_DECODER_YOLOX;
    if (s[0].width > s[0].n && s[0].n >= 5) return LEAT_DECODER_YOLOV8;
    return s[0].width >= 6 ? LEAT_DECODER_YOLOV5 : LEAT_DECODER_AUTO;
}

/* ---- each kind: 1 when the outputs fit ------------------------------------------------------------------------------------ */

static int set_yolo(leat__layout *l, const shape *s, int n) {
    int across = l->kind == LEAT_DECODER_YOLOV8;
    int64_t fields = across ? s->n : s->width, head = across ? 4 : 5;
    if (n != 1 || fields <= head || fields - head > MOST_CLASSES) return 0;
    l->classes = (int32_t)(fields - head);
    l->anchors = across ? s->width : s->n;
    l->row = s->width;
    if (l->kind != LEAT_DECODER_YOLOX) return 1;
    return set_grids(l, 3, NULL) == l->anchors || set_grids(l, 4, NULL) == l->anchors;
}

static int set_nanodet_plus(leat__layout *l, const shape *s) {
    l->bins = NANODET_PLUS_BINS;
    l->anchors = s->n;
    l->row = s->width;
    l->classes = (int32_t)(s->width - 4 * l->bins);
    if (set_grids(l, 4, NULL) != s->n && set_grids(l, 3, NULL) != s->n) return 0;
    for (int v = 0; v < l->levels; v++) l->level[v].scores = l->level[v].boxes = 0;
    return l->classes >= 1;
}

/* The output of `count` anchors and `width` values (0 = any), past `after`; -1 when there is none. */
static int find(const shape *s, int n, int64_t count, int64_t width, int after) {
    for (int i = after + 1; i < n; i++)
        if (s[i].n == count && (!width || s[i].width == width)) return i;
    return -1;
}

static int names_distance(const char *name) { return name && (strstr(name, "dis") || strstr(name, "reg") || strstr(name, "box")); }

/* Scores come first unless the names say otherwise. */
static int set_nanodet(leat__layout *l, const shape *s, const char *const *names, int n) {
    l->center = n == 1 ? 0.0f : 0.5f;
    if (n == 1) return set_nanodet_plus(l, s);
    l->anchors = set_grids(l, n / 2, NULL);
    for (int v = 0; v < l->levels; v++) {
        leat__level *level = &l->level[v];
        int a = find(s, n, level->count, 0, -1), b = a < 0 ? -1 : find(s, n, level->count, 0, a);
        if (b < 0) return 0;
        int swap = names && names_distance(names[a]) && !names_distance(names[b]);
        level->scores = swap ? b : a, level->boxes = swap ? a : b;
        const shape *scores = &s[level->scores], *boxes = &s[level->boxes];
        if (v && (scores->width != l->classes || boxes->width != 4 * (int64_t)l->bins)) return 0;
        if (scores->width > MOST_CLASSES || boxes->width % 4 || boxes->width < 8 || boxes->width > 4096) return 0;
        l->classes = (int32_t)scores->width;
        l->bins = (int32_t)(boxes->width / 4);
    }
    l->row = l->classes;
    return 1;
}

static int set_ssd(leat__layout *l, const shape *s, int n) {
    static const int32_t per_cell[LEAT__MAX_LEVELS] = {3, 2, 2, 3};
    if (n != 2 || s[0].n != s[1].n) return 0;
    l->boxes = s[0].width == 4 && s[1].width != 4 ? 0 : 1;
    l->scores = 1 - l->boxes;
    if (s[l->boxes].width != 4 || s[l->scores].width < 2 || s[l->scores].width > MOST_CLASSES) return 0;
    l->anchors = s[0].n;
    l->row = s[l->scores].width;
    l->classes = (int32_t)l->row - 1;
    return l->kind == LEAT_DECODER_SSD || set_grids(l, 4, per_cell) == l->anchors;
}

static int set_yunet(leat__layout *l, const shape *s, int n) {
    if (n % 4 || n / 4 < 1 || n / 4 > LEAT__MAX_LEVELS) return 0;
    l->anchors = set_grids(l, n / 4, NULL);
    l->classes = 1;
    for (int v = 0; v < l->levels; v++) {
        leat__level *level = &l->level[v];
        level->scores = find(s, n, level->count, 1, -1);
        level->objects = level->scores < 0 ? -1 : find(s, n, level->count, 1, level->scores);
        level->boxes = find(s, n, level->count, 4, -1);
        level->points = find(s, n, level->count, 2 * LEAT_LANDMARKS, -1);
        if (level->objects < 0 || level->boxes < 0 || level->points < 0) return 0;
    }
    return 1;
}

int leat__layout_settle(leat__layout *l, const leat_tensor *outputs, const char *const *names, int n, leat_error *error) {
    shape shapes[LEAT__MAX_HEADS];
    int   fits = 0, named = l->kind != LEAT_DECODER_AUTO;
    if (n < 1 || n > LEAT__MAX_HEADS || !read_shapes(outputs, n, shapes)) return fail_unknown(outputs, names, n > 0 ? n : 0, error);
    if (!named) l->kind = guess(l, shapes, n);
    switch (l->kind) {
    case LEAT_DECODER_YOLOV5:
    case LEAT_DECODER_YOLOV8:
    case LEAT_DECODER_YOLOX: fits = set_yolo(l, shapes, n); break;
    case LEAT_DECODER_NANODET: fits = set_nanodet(l, shapes, names, n); break;
    case LEAT_DECODER_SSD:
    case LEAT_DECODER_PRIORS: fits = set_ssd(l, shapes, n); break;
    case LEAT_DECODER_YUNET: fits = set_yunet(l, shapes, n); break;
    default: break;
    }
    if (fits) return LEAT_OK;
    if (!named) return fail_unknown(outputs, names, n, error);
    return leat__fail(error, LEAT_ESHAPE, "decoder %s: the model's %d outputs (the first is [.., %lld, %lld]) do not fit an input of %d x %d",
                      leat_decoder_name(l->kind), n, (long long)shapes[0].n, (long long)shapes[0].width, (int)l->width, (int)l->height);
}
