/* conv_f32.c - addresses of the runs that a convolution reads; padding and layout copies. */
#include "cpu/conv_f32.h"

#include "cpu/transpose.h"

#include <string.h>

typedef struct position {
    int64_t n, o[3];
} position;

static position position_of(const leat_conv_shape *s, int64_t m) {
    position p;
    p.o[2] = m % s->out[2];
    m /= s->out[2];
    p.o[1] = m % s->out[1];
    m /= s->out[1];
    p.o[0] = m % s->out[0];
    p.n = m / s->out[0];
    return p;
}

static void next_position(const leat_conv_shape *s, position *p) {
    if (++p->o[2] < s->out[2]) return;
    p->o[2] = 0;
    if (++p->o[1] < s->out[1]) return;
    p->o[1] = 0;
    if (++p->o[0] < s->out[0]) return;
    p->o[0] = 0;
    p->n++;
}

static int inside(int64_t i, int64_t size) { return (uint64_t)i < (uint64_t)size; }

/* One kernel row: x points at the input row, or is NULL when that row lies outside. */
static const float **row_runs(const leat_conv_rows *r, const float *x, int64_t ow, const float **out, int64_t stride) {
    const leat_conv_shape *s = &r->shape;
    int64_t iw = ow * s->stride[2] - s->pad[2];
    for (int64_t k = 0; k < s->kernel[2]; k++, iw += s->dilation[2], out += stride)
        *out = x && inside(iw, s->in[2]) ? x + iw * s->cin : r->zero;
    return out;
}

static void pixel_runs(const leat_conv_rows *r, const position *p, const float **out, int64_t stride) {
    const leat_conv_shape *s = &r->shape;
    const float *image = r->x + p->n * leat__conv_in_pixels(s) * s->cin + r->channel;
    for (int64_t kd = 0; kd < s->kernel[0]; kd++) {
        int64_t id = p->o[0] * s->stride[0] - s->pad[0] + kd * s->dilation[0];
        for (int64_t kh = 0; kh < s->kernel[1]; kh++) {
            int64_t ih = p->o[1] * s->stride[1] - s->pad[1] + kh * s->dilation[1];
            int there = inside(id, s->in[0]) && inside(ih, s->in[1]);
            out = row_runs(r, there ? image + (id * s->in[1] + ih) * s->in[2] * s->cin : NULL, p->o[2], out, stride);
        }
    }
}

#define MAX_OFFSETS 128

/* Distances of the runs from that of kernel position 0, the same for all pixels whose window lies inside; 0 when there are too many. */
static int64_t run_offsets(const leat_conv_shape *s, int64_t *offsets) {
    int64_t n = 0, taps = leat__conv_taps(s);
    if (taps > MAX_OFFSETS) return 0;
    for (int64_t kd = 0; kd < s->kernel[0]; kd++)
        for (int64_t kh = 0; kh < s->kernel[1]; kh++)
            for (int64_t kw = 0; kw < s->kernel[2]; kw++)
                offsets[n++] = ((kd * s->dilation[0] * s->in[1] + kh * s->dilation[1]) * s->in[2] + kw * s->dilation[2]) * s->cin;
    return n;
}

/* The run of kernel position 0 when the whole window lies inside, else NULL. */
static const float *inner_window(const leat_conv_rows *r, const position *p) {
    const leat_conv_shape *s = &r->shape;
    int64_t at = p->n;
    for (int a = 0; a < 3; a++) {
        int64_t start = p->o[a] * s->stride[a] - s->pad[a];
        if (start < 0 || start + (s->kernel[a] - 1) * s->dilation[a] >= s->in[a]) return NULL;
        at = at * s->in[a] + start;
    }
    return r->x + at * s->cin + r->channel;
}

void leat__conv_rows(const void *arg, int64_t m, int count, const float **rows, int64_t stride) {
    const leat_conv_rows *r = arg;
    position p = position_of(&r->shape, m);
    int64_t offsets[MAX_OFFSETS], n = run_offsets(&r->shape, offsets);
    for (int i = 0; i < count; i++, next_position(&r->shape, &p)) {
        const float *x = n ? inner_window(r, &p) : NULL;
        if (!x) pixel_runs(r, &p, rows + i, stride);
        else
            for (int64_t t = 0; t < n; t++) rows[t * stride + i] = x + offsets[t];
    }
}

/* ---- few channels -------------------------------------------------------------------------------------------------------- */

#define SMALL_PADDING 65536.0 /* pixels */

int leat__conv_padding_is_small(const leat_conv_shape *s) {
    double padded = (double)leat__conv_padded_height(s) * (double)leat__conv_padded_width(s);
    return padded <= 4 * (double)leat__conv_in_pixels(s) + SMALL_PADDING;
}

int64_t leat__conv_padded_height(const leat_conv_shape *s) { return s->in[1] + s->pad[1] + s->pad_end[1]; }
int64_t leat__conv_padded_width(const leat_conv_shape *s) { return s->in[2] + s->pad[2] + s->pad_end[2]; }

void leat__conv_padded_rows(const void *arg, int64_t m, int count, const float **rows, int64_t stride) {
    const leat_conv_padded *p = arg;
    const leat_conv_shape *s = &p->shape;
    int64_t row_floats = p->width * s->cin;
    position at = position_of(s, m);
    for (int i = 0; i < count; i++) {
        const float *x = p->x + (at.n * p->height + at.o[1] * s->stride[1]) * row_floats + at.o[2] * s->stride[2] * s->cin;
        for (int64_t k = 0; k < s->kernel[1]; k++) rows[k * stride + i] = x + k * s->dilation[1] * row_floats;
        next_position(s, &at);
    }
}

void leat__conv_pad_row(const leat_conv_padded *p, int64_t index, const float *x, int plain, float *row) {
    const leat_conv_shape *s = &p->shape;
    int64_t n = index / p->height, ih = index % p->height - s->pad[1], plane = s->in[1] * s->in[2];
    if (!inside(ih, s->in[1])) {
        memset(row, 0, (size_t)(p->width * s->cin) * sizeof(float));
        return;
    }
    float *middle = row + s->pad[2] * s->cin, *end = middle + s->in[2] * s->cin;
    memset(row, 0, (size_t)(s->pad[2] * s->cin) * sizeof(float));
    if (plain)
        leat__transpose.b4((const uint8_t *)(x + n * s->cin * plane + ih * s->in[2]), plane * 4, (uint8_t *)middle, s->cin * 4, s->cin, s->in[2]);
    else memcpy(middle, x + (n * plane + ih * s->in[2]) * s->cin, (size_t)(s->in[2] * s->cin) * sizeof(float));
    memset(end, 0, (size_t)(s->pad_end[2] * s->cin) * sizeof(float));
}

/* ---- layout -------------------------------------------------------------------------------------------------------------- */

void leat__f32_to_nhwc(const float *x, int64_t channels, int64_t pixels, int64_t p0, int64_t p1, float *y) {
    leat__transpose.b4((const uint8_t *)(x + p0), pixels * 4, (uint8_t *)(y + p0 * channels), channels * 4, channels, p1 - p0);
}

void leat__f32_to_nchw(const float *x, int64_t channels, int64_t pixels, int64_t p0, int64_t p1, float *y) {
    leat__transpose.b4((const uint8_t *)(x + p0 * channels), channels * 4, (uint8_t *)(y + p0), pixels * 4, p1 - p0, channels);
}
