/* conv_direct.c - float64 convolution by its definition; models that need it are rare and small. */
#include "ops/conv_plan.h"

typedef struct direct {
    const leat_conv_shape *s;
    const double          *x, *w;
} direct;

static int inside(int64_t i, int64_t size) { return i >= 0 && i < size; }

/* One channel of one output pixel: x [D, H, W], w [kd, kh, kw]. */
static double window(const leat_conv_shape *s, const int64_t *o, const double *x, const double *w) {
    double sum = 0;
    for (int64_t kd = 0; kd < s->kernel[0]; kd++) {
        int64_t d = o[0] * s->stride[0] - s->pad[0] + kd * s->dilation[0];
        for (int64_t kh = 0; kh < s->kernel[1]; kh++) {
            int64_t h = o[1] * s->stride[1] - s->pad[1] + kh * s->dilation[1];
            for (int64_t kw = 0; kw < s->kernel[2]; kw++, w++) {
                int64_t c = o[2] * s->stride[2] - s->pad[2] + kw * s->dilation[2];
                if (inside(d, s->in[0]) && inside(h, s->in[1]) && inside(c, s->in[2])) sum += x[(d * s->in[1] + h) * s->in[2] + c] * *w;
            }
        }
    }
    return sum;
}

static double pixel(const direct *d, int64_t n, int64_t co, int64_t at) {
    const leat_conv_shape *s = d->s;
    int64_t cin = s->cin / s->group, first = co / (s->cout / s->group) * cin, taps = leat__conv_taps(s), plane = leat__conv_in_pixels(s);
    int64_t o[3] = {at / (s->out[1] * s->out[2]), at / s->out[2] % s->out[1], at % s->out[2]};
    double sum = 0;
    for (int64_t c = 0; c < cin; c++) sum += window(s, o, d->x + (n * s->cin + first + c) * plane, d->w + (co * cin + c) * taps);
    return sum;
}

void leat__conv_direct_f64(leat_op_call *call, const leat_conv_shape *s) {
    direct d = {s, call->in[0]->data, call->in[1]->data};
    const leat_tensor *bias = leat__op_in(call, 2);
    double *y = call->out[0]->data;
    for (int64_t n = 0; n < s->n; n++)
        for (int64_t co = 0; co < s->cout; co++)
            for (int64_t at = 0; at < leat__conv_out_pixels(s); at++)
                *y++ = pixel(&d, n, co, at) + (bias ? ((const double *)bias->data)[co] : 0);
}
