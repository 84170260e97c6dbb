/* dwconv_f32_ref.c - depthwise convolution in plain C, products added in order of rows, then columns. */
#include "cpu/dwconv_f32.h"

static float element(const leat_dwconv *d, const float *const *rows, int first, int count, int64_t ow, int64_t c) {
    float sum = d->bias ? d->bias[c] : 0.0f;
    for (int r = 0; r < count; r++) {
        const float *w = d->weights + (first + r) * d->kernel_w * d->channels + c;
        for (int64_t k = 0; k < d->kernel_w; k++) {
            int64_t iw = ow * d->stride_w - d->pad_w + k * d->dilation_w;
            if (iw >= 0 && iw < d->in_width) sum += rows[r][iw * d->channels + c] * w[k * d->channels];
        }
    }
    if (sum < d->lo) sum = d->lo;
    if (sum > d->hi) sum = d->hi;
    return sum;
}

static void leat_f32_dwconv_row_ref(const leat_dwconv *d, const float *const *rows, int first, int count, float *y) {
    for (int64_t ow = 0; ow < d->out_width; ow++)
        for (int64_t c = 0; c < d->channels; c++) y[ow * d->channels + c] = element(d, rows, first, count, ow, c);
}

leat_dwconv_row_fn leat__f32_dwconv_choose_ref(const leat_dwconv *d) { return leat_f32_dwconv_row_ref; }

void leat_f32_lerp_ref(const float *a, const float *b, float weight, int64_t n, float *y) {
    for (int64_t i = 0; i < n; i++) y[i] = a[i] + weight * (b[i] - a[i]);
}
