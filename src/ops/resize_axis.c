/* resize_axis.c - coordinates, nearest rounding, linear, cubic and antialiased weights of ONNX Resize, one axis at a time.
 *
 * Coordinates are computed in float32 as the ONNX implementations do: whether a nearest neighbour falls left or right at a tie is
 * decided by the last bit.  A position x lies between base = ceil(x) - 1 and base + 1, at ratio x - base in (0, 1].
 */
#include "ops/resize_axis.h"

#include <math.h>

static float original(const resize_rule *rule, const resize_axis *a, int64_t o) {
    float x = (float)o, in = (float)a->in, out = (float)a->out, length = in * a->scale; /* before it was rounded down */
    if (fabsf(length - out) < 1e-3f) length = out;
    switch (rule->coordinate) {
        case RESIZE_ASYMMETRIC: return x / a->scale;
        case RESIZE_ALIGN_CORNERS: return a->out == 1 ? 0.0f : x * (in - 1) / (length - 1);
        case RESIZE_PYTORCH_HALF_PIXEL: return a->out == 1 ? -0.5f : (x + 0.5f) / a->scale - 0.5f;
        case RESIZE_TF_HALF_PIXEL_NN: return (x + 0.5f) / a->scale;
        case RESIZE_TF_CROP:
            if (a->out == 1) return 0.5f * (a->roi_begin + a->roi_end) * (in - 1);
            return a->roi_begin * (in - 1) + x * (a->roi_end - a->roi_begin) * (in - 1) / (out - 1);
        case RESIZE_HALF_PIXEL_SYMMETRIC: return in / 2 * (1 - out / length) + (x + 0.5f) / a->scale - 0.5f;
        default: return (x + 0.5f) / a->scale - 0.5f;
    }
}

/* Coordinates far outside (hostile scales, NaN) are brought near the axis before they become integers. */
static float bounded(float x, int64_t in) {
    if (!(x > -2.0f * (float)in - 16.0f)) return -2.0f * (float)in - 16.0f;
    return x < 3.0f * (float)in + 16.0f ? x : 3.0f * (float)in + 16.0f;
}

static int64_t clamp(int64_t i, int64_t n) { return i < 0 ? 0 : i >= n ? n - 1 : i; }

static int64_t round_nearest(resize_nearest how, float x, float scale) {
    switch (how) {
        case RESIZE_ROUND_PREFER_CEIL: return (int64_t)floorf(x + 0.5f);
        case RESIZE_FLOOR: return (int64_t)floorf(x);
        case RESIZE_CEIL: return (int64_t)ceilf(x);
        case RESIZE_SIMPLE: return (int64_t)(scale < 1 ? ceilf(x) : truncf(x));
        default: return (int64_t)(x == floorf(x) + 0.5f ? floorf(x) : roundf(x));
    }
}

static float cubic(float x, float a) {
    x = fabsf(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* How far the filter is stretched: below 1 when an antialiased axis shrinks. */
static float filter_scale(const resize_rule *rule, float scale) {
    if (!rule->antialias || !(scale < 1)) return 1;
    return scale > 1e-6f ? scale : 1e-6f;
}

static int64_t first_tap(const resize_rule *rule, float stretch) {
    return (int64_t)floorf((rule->mode == RESIZE_CUBIC ? -2.0f : -1.0f) / stretch) + 1;
}

int leat__resize_taps(const resize_rule *rule, float scale) {
    if (rule->mode == RESIZE_NEAREST) return 1;
    return (int)(2 - 2 * first_tap(rule, filter_scale(rule, scale)));
}

size_t leat__resize_axis_bytes(const resize_rule *rule, int64_t out, int taps) {
    return (size_t)out * (size_t)taps * (sizeof(int32_t) + sizeof(float)) + (size_t)out;
}

static void build_position(const resize_rule *rule, resize_axis *a, int64_t o, float x) {
    int32_t *index = a->index + o * a->taps;
    float *weight = a->weight + o * a->taps, stretch = filter_scale(rule, a->scale), sum = 0;
    if (rule->mode == RESIZE_NEAREST) {
        index[0] = (int32_t)clamp(round_nearest(rule->nearest, x, a->scale), a->in);
        weight[0] = 1;
        return;
    }
    float base = ceilf(x) - 1, ratio = x - base;
    int64_t start = first_tap(rule, stretch);
    for (int i = 0; i < a->taps; i++) {
        int64_t at = (int64_t)base + start + i;
        float distance = ((float)(start + i) - ratio) * stretch;
        weight[i] = rule->mode == RESIZE_CUBIC ? cubic(distance, rule->cubic_a) : fmaxf(0, 1 - fabsf(distance));
        if (rule->exclude_outside && (at < 0 || at >= a->in)) weight[i] = 0;
        sum += weight[i];
        index[i] = (int32_t)clamp(at, a->in);
    }
    if (sum != 0 && (rule->antialias || rule->exclude_outside))
        for (int i = 0; i < a->taps; i++) weight[i] /= sum;
}

static int is_identity(const resize_axis *a) {
    if (a->in != a->out) return 0;
    for (int64_t o = 0; o < a->out; o++) {
        float own = 0;
        if (a->outside && a->outside[o]) return 0;
        for (int i = 0; i < a->taps; i++)
            if (a->index[o * a->taps + i] == o) own += a->weight[o * a->taps + i];
            else if (a->weight[o * a->taps + i] != 0) return 0;
        if (own != 1.0f) return 0;
    }
    return 1;
}

void leat__resize_axis_build(const resize_rule *rule, resize_axis *a, void *memory) {
    a->index = memory;
    a->weight = (float *)(a->index + a->out * a->taps);
    a->outside = rule->coordinate == RESIZE_TF_CROP ? (uint8_t *)(a->weight + a->out * a->taps) : NULL;
    for (int64_t o = 0; o < a->out; o++) {
        float x = bounded(original(rule, a, o), a->in);
        if (a->outside) a->outside[o] = x < 0 || x > (float)(a->in - 1);
        build_position(rule, a, o, x);
    }
    a->identity = is_identity(a);
}
