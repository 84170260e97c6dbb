/* preprocess_bilinear.c - packed formats: the two by two neighbours of each output pixel, straight from the bytes of the frame.
 *
 * Bytes of the source that no output pixel looks at are never touched, no row is converted as a whole.  For each output column a
 * table holds where the two neighbouring cells begin (a cell: a pixel, or a 4:2:2 pair) and the weights of their eight bytes; what a
 * format looks like is in the table only, one kernel serves all packed ones.
 *
 * Conventions: source position s = (x + 0.5) * crop / resized - 0.5 + first; neighbours are clamped to the frame, not to the rectangle.
 * 4:2:2: a pixel takes the chroma of its own pair, then both neighbours are mixed.
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

static int is_pair(leat_pixel_format f) { return f == LEAT_PIXEL_UYVY || f == LEAT_PIXEL_YUY2; }

/* The first of two neighbouring cells of `cells` that hold `index`. */
static int64_t base_of(int64_t index, int64_t cells) { return clamp(index, cells > 1 ? cells - 2 : 0); }

static int cell_bytes(leat_pixel_format f) { return f == LEAT_PIXEL_RGB24 || f == LEAT_PIXEL_BGR24 ? 3 : 4; }

static void put_column(const leat_pre_pass *pass, double s, int32_t *at, float w[8]) {
    leat_pixel_format format = pass->frame->format;
    int        pair = is_pair(format);
    neighbours near = neighbours_at(s, pass->frame->width);
    int64_t    base = base_of(near.index[0] >> pair, (pass->frame->width + pair) >> pair);
    *at = (int32_t)(base * cell_bytes(format));
    for (int i = 0; i < 2; i++) {
        float  weight = (float)near.weight[i];
        float *cell = w + 4 * ((near.index[i] >> pair) - base);
        cell[pair && near.index[i] & 1 ? 3 : 0] += weight;
        cell[1] += weight;
        cell[2] += weight;
    }
}

/* The order in which bytes become [Y U V Y'] or [R G B -], of both cells; 8 = nothing. */
static const uint8_t order_of[LEAT_PIXEL_COUNT][8] = {
    [LEAT_PIXEL_RGB24] = {0, 1, 2, 8, 3, 4, 5, 8}, [LEAT_PIXEL_BGR24] = {2, 1, 0, 8, 5, 4, 3, 8},
    [LEAT_PIXEL_RGBA] = {0, 1, 2, 8, 4, 5, 6, 8},  [LEAT_PIXEL_BGRA] = {2, 1, 0, 8, 6, 5, 4, 8},
    [LEAT_PIXEL_UYVY] = {1, 0, 2, 3, 5, 4, 6, 7},  [LEAT_PIXEL_YUY2] = {0, 1, 3, 2, 4, 5, 7, 6},
};

size_t leat__pre_bilinear_floats(size_t width) { return 9 * width; }

/* How many columns may read all eight bytes without leaving the row. */
static int safe_columns(const leat_frame *f, const int32_t *at, int n) {
    int64_t cells = is_pair(f->format) ? (f->width + 1) / 2 : f->width, row_bytes = cells * cell_bytes(f->format);
    while (n > 0 && at[n - 1] + 8 > row_bytes) n--;
    return n;
}

static void plan_columns(leat_pre_pass *pass, leat_bilinear *job) {
    float   *across = pass->rest;
    int32_t *at = (int32_t *)(pass->rest + 8 * (((size_t)pass->p->width + 15) / 16 * 16));
    *job = (leat_bilinear){.at = at, .across = across, .n = pass->to - pass->from};
    for (int j = 0; j < 8; j++) job->order[j] = order_of[pass->frame->format][j];
    for (int x = 0; x < job->n; x++) {
        double s = leat__pre_position(pass->from + x - pass->at.left, pass->at.x, pass->at.crop_width, pass->at.width);
        float *w = across + 8 * (size_t)x;
        for (int j = 0; j < 8; j++) w[j] = 0;
        put_column(pass, s, &at[x], w);
    }
    job->safe = safe_columns(pass->frame, at, job->n);
}

/* Points the job at the source rows of output row y. */
static void aim(const leat_pre_pass *pass, int64_t y, leat_bilinear *job) {
    const leat_frame *f = pass->frame;
    neighbours rows = neighbours_at(leat__pre_position(y - pass->at.top, pass->at.y, pass->at.crop_height, pass->at.height), f->height);
    job->upper = f->plane[0] + rows.index[0] * f->stride[0];
    job->lower = f->plane[0] + rows.index[1] * f->stride[0];
    for (int i = 0; i < 2; i++) job->down[i] = (float)rows.weight[i];
}

void leat__pre_bilinear(leat_pre_pass *pass, int begin, int end) {
    leat_bilinear job;
    plan_columns(pass, &job);
    for (int64_t y = begin; y < end; y++) {
        int covered = y >= pass->at.top && y < pass->at.top + pass->at.height;
        if (covered) {
            aim(pass, y, &job);
            leat__preproc.bilinear(&job, pass->line);
        }
        leat__pre_emit(pass, y, 0, pass->p->width, covered ? pass->from : 0, covered ? pass->to : 0);
    }
}
