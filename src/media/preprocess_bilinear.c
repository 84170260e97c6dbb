/* preprocess_bilinear.c - the two by two neighbours of each output pixel, straight from the bytes of the frame.
 *
 * Bytes of the source that no output pixel looks at are never touched, no row is converted as a whole.  For each output column a
 * table holds where the two neighbouring cells begin (a cell: a pixel, or a 4:2:2 pair) and the weights of their eight bytes; what a
 * format looks like is in the table only, one kernel serves all packed ones.
 *
 * Conventions: source position s = (x + 0.5) * crop / resized - 0.5 + first; neighbours are clamped to the frame, not to the rectangle.
 * 4:2:2: a pixel takes the chroma of its own pair, then both neighbours are mixed.  4:2:0: chroma is sampled at s * 0.5.
 */
#include "media/preprocess_pass.h"

#include <math.h>

/* Two neighbouring indices, clamped to [0, size), and their weights. */
typedef struct neighbours {
    int64_t index[2];
    double  weight[2];
} neighbours;

static int64_t clamp(int64_t v, int64_t most) { return v < 0 ? 0 : v > most ? most : v; }

static neighbours neighbours_at(double s, int64_t size) {
    double below = floor(s), fraction = s - below;
    return (neighbours){{clamp((int64_t)below, size - 1), clamp((int64_t)below + 1, size - 1)}, {1 - fraction, fraction}};
}

static int is_packed_pair(leat_pixel_format f) { return f == LEAT_PIXEL_UYVY || f == LEAT_PIXEL_YUY2; }

/* The first of two neighbouring cells of `cells` that hold `index`. */
static int64_t base_of(int64_t index, int64_t cells) { return clamp(index, cells > 1 ? cells - 2 : 0); }

static void put_packed(const leat_pre_pass *pass, double s, int32_t *at, float w[8]) {
    leat_pixel_format format = pass->frame->format;
    int        pair = is_packed_pair(format), bytes = format == LEAT_PIXEL_RGB24 || format == LEAT_PIXEL_BGR24 ? 3 : 4;
    neighbours near = neighbours_at(s, pass->frame->width);
    int64_t    base = base_of(near.index[0] >> pair, (pass->frame->width + pair) >> pair);
    *at = (int32_t)(base * bytes);
    for (int i = 0; i < 2; i++) {
        float  weight = (float)near.weight[i];
        float *cell = w + 4 * ((near.index[i] >> pair) - base);
        cell[pair && near.index[i] & 1 ? 3 : 0] += weight;
        cell[1] += weight;
        cell[2] += weight;
    }
}

static void put_planes(const leat_pre_pass *pass, double s, int32_t *at, int32_t *chroma_at, float w[8]) {
    int64_t    width = pass->frame->width, half = (width + 1) / 2;
    neighbours luma = neighbours_at(s, width), chroma = neighbours_at(s * 0.5, half);
    int64_t    base = base_of(luma.index[0], width), chroma_base = base_of(chroma.index[0], half);
    *at = (int32_t)base;
    *chroma_at = (int32_t)(chroma_base * (pass->sampling == LEAT_SAMPLE_SEMI ? 2 : 1));
    for (int i = 0; i < 2; i++) {
        float *cell = w + 4 * (chroma.index[i] - chroma_base);
        w[4 * (luma.index[i] - base)] += (float)luma.weight[i];
        cell[1] += (float)chroma.weight[i];
        cell[2] += (float)chroma.weight[i];
    }
}

/* The order in which bytes become [Y U V Y'] or [R G B -], of both cells; 8 = nothing. */
static const uint8_t order_of[LEAT_PIXEL_COUNT][8] = {
    [LEAT_PIXEL_RGB24] = {0, 1, 2, 8, 3, 4, 5, 8}, [LEAT_PIXEL_BGR24] = {2, 1, 0, 8, 5, 4, 3, 8},
    [LEAT_PIXEL_RGBA] = {0, 1, 2, 8, 4, 5, 6, 8},  [LEAT_PIXEL_BGRA] = {2, 1, 0, 8, 6, 5, 4, 8},
    [LEAT_PIXEL_UYVY] = {1, 0, 2, 3, 5, 4, 6, 7},  [LEAT_PIXEL_YUY2] = {0, 1, 3, 2, 4, 5, 7, 6},
    [LEAT_PIXEL_NV12] = {0, 4, 5, 8, 1, 6, 7, 8},  [LEAT_PIXEL_I420] = {0, 4, 6, 8, 1, 5, 7, 8},
};

size_t leat__pre_bilinear_floats(size_t width) { return 10 * width; }

/* How many columns may read all eight bytes without leaving the row. */
static int safe_columns(const leat_pre_pass *pass, const int32_t *at, int n) {
    int64_t width = pass->frame->width, row_bytes = width * 4;
    if (pass->sampling != LEAT_SAMPLE_PACKED) return width >= 3 ? n : 0; /* two chroma samples */
    if (is_packed_pair(pass->frame->format)) row_bytes = (width + 1) / 2 * 4;
    else if (pass->frame->format == LEAT_PIXEL_RGB24 || pass->frame->format == LEAT_PIXEL_BGR24) row_bytes = width * 3;
    while (n > 0 && at[n - 1] + 8 > row_bytes) n--;
    return n;
}

static void plan_columns(leat_pre_pass *pass, leat_bilinear *job) {
    size_t   width = ((size_t)pass->p->width + 15) / 16 * 16;
    float   *across = pass->rest;
    int32_t *at = (int32_t *)(pass->rest + 8 * width), *chroma_at = at + width;
    *job = (leat_bilinear){.at = {at, chroma_at}, .across = across, .n = pass->to - pass->from};
    for (int j = 0; j < 8; j++) job->order[j] = order_of[pass->frame->format][j];
    for (int x = 0; x < job->n; x++) {
        double s = leat__pre_position(pass->from + x - pass->at.left, pass->at.x, pass->at.crop_width, pass->at.width);
        float *w = across + 8 * (size_t)x;
        for (int j = 0; j < 8; j++) w[j] = 0;
        if (pass->sampling == LEAT_SAMPLE_PACKED) put_packed(pass, s, &at[x], w);
        else put_planes(pass, s, &at[x], &chroma_at[x], w);
    }
    job->safe = safe_columns(pass, at, job->n);
}

/* Points the job at the source rows of output row y. */
static void aim(const leat_pre_pass *pass, int64_t y, leat_bilinear *job) {
    const leat_frame *f = pass->frame;
    double     s = leat__pre_position(y - pass->at.top, pass->at.y, pass->at.crop_height, pass->at.height);
    neighbours luma = neighbours_at(s, f->height), chroma = neighbours_at(s * 0.5, (f->height + 1) / 2);
    int        planes = pass->sampling == LEAT_SAMPLE_PACKED ? 1 : pass->sampling == LEAT_SAMPLE_SEMI ? 2 : 3;
    for (int i = 0; i < planes; i++) {
        const neighbours *rows = i ? &chroma : &luma;
        job->upper[i] = f->plane[i] + rows->index[0] * f->stride[i];
        job->lower[i] = f->plane[i] + rows->index[1] * f->stride[i];
    }
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 2; i++)
            job->down[i][j] = (float)(planes > 1 && j > 0 ? chroma.weight[i] : luma.weight[i]);
}

void leat__pre_bilinear(leat_pre_pass *pass, int begin, int end) {
    leat_bilinear job;
    plan_columns(pass, &job);
    for (int64_t y = begin; y < end; y++) {
        int covered = y >= pass->at.top && y < pass->at.top + pass->at.height;
        if (covered) {
            aim(pass, y, &job);
            leat__preproc.bilinear[pass->sampling](&job, pass->line);
        }
        leat__pre_emit(pass, y, 0, pass->p->width, covered ? pass->from : 0, covered ? pass->to : 0);
    }
}
