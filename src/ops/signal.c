/* signal.c - HannWindow, HammingWindow, BlackmanWindow, MelWeightMatrix: tables that depend on a few scalars only. */
#include <math.h>
#include <string.h>

#include "ops/nn_util.h"

#define SIZE_LIMIT (INT64_C(1) << 28)

static int output_type(leat_op_call *call, leat_dtype *dtype) {
    *dtype = (leat_dtype)leat__attr_int(call->attrs, "output_datatype", LEAT_DTYPE_F32);
    if (leat__dtype_is_float(*dtype) || leat__dtype_is_int(*dtype)) return LEAT_OK;
    return leat__op_fail(call, LEAT_ETYPE, "output_datatype %d is not a number type", (int)*dtype);
}

static int read_int(leat_op_call *call, int i, int64_t low, int64_t *value) {
    const leat_tensor *t = leat__op_in(call, i);
    if (!t || !leat__dtype_is_int(t->dtype) || leat_tensor_count(t) != 1) return leat__op_fail(call, LEAT_ETYPE, "input %d is not one integer", i);
    if (!t->data) return LEAT_EDYNAMIC;
    *value = leat__tensor_get_int(t, 0);
    if (*value < low || *value > SIZE_LIMIT) return leat__op_fail(call, LEAT_EINVAL, "input %d = %lld is out of range", i, (long long)*value);
    return LEAT_OK;
}

/* ---- windows -------------------------------------------------------------------------------------------------------------------------------- */

static int infer_window(leat_op_call *call) {
    int64_t size;
    leat_dtype dtype;
    int status = output_type(call, &dtype);
    if (!status) status = read_int(call, 0, 0, &size);
    if (!status) leat__tensor_set(call->out[0], dtype, 1, &size);
    return status;
}

/* y[i] = a0 + a1 cos(2 pi i / n) + a2 cos(4 pi i / n), n the size, or one less for a symmetric window. */
static int run_window(leat_op_call *call, double a0, double a1, double a2) {
    leat_tensor *y = call->out[0];
    int64_t size = y->dims[0], n = leat__attr_int(call->attrs, "periodic", 1) ? size : size - 1;
    double step = n > 0 ? 2 * 3.14159265358979323846 / (double)n : 0;
    for (int64_t i = 0; i < size; i++) leat__tensor_set_float(y, i, a0 + a1 * cos(step * (double)i) + a2 * cos(2 * step * (double)i));
    return LEAT_OK;
}

static int run_hann(leat_op_call *call) { return run_window(call, 0.5, -0.5, 0); }
static int run_hamming(leat_op_call *call) { return run_window(call, 25.0 / 46, -21.0 / 46, 0); }
static int run_blackman(leat_op_call *call) { return run_window(call, 0.42, -0.5, 0.08); }

/* ---- MelWeightMatrix ------------------------------------------------------------------------------------------------------------------------ */

typedef struct {
    int64_t mels, length, rate, bins;
    double  low, high; /* mel */
} mel_params;

static int read_edge(leat_op_call *call, int i, double *mel) {
    const leat_tensor *t = leat__op_in(call, i);
    if (!t || !leat__dtype_is_float(t->dtype) || leat_tensor_count(t) != 1) return leat__op_fail(call, LEAT_ETYPE, "input %d is not one float", i);
    if (!t->data) return LEAT_EDYNAMIC;
    double hertz = leat__tensor_get_float(t, 0);
    if (!(hertz >= 0) || !(hertz < 1e9)) return leat__op_fail(call, LEAT_EINVAL, "input %d is not a frequency", i);
    *mel = 2595 * log10(1 + hertz / 700);
    return LEAT_OK;
}

static int read_mel(leat_op_call *call, mel_params *p) {
    int status = read_int(call, 0, 0, &p->mels);
    if (!status) status = read_int(call, 1, 1, &p->length);
    if (!status) status = read_int(call, 2, 1, &p->rate);
    if (!status) status = read_edge(call, 3, &p->low);
    if (!status) status = read_edge(call, 4, &p->high);
    p->bins = p->length / 2 + 1;
    return status;
}

static int infer_mel(leat_op_call *call) {
    mel_params p;
    leat_dtype dtype;
    int status = output_type(call, &dtype);
    if (!status) status = read_mel(call, &p);
    if (status) return status;
    int64_t dims[2] = {p.bins, p.mels};
    leat__tensor_set(call->out[0], dtype, 2, dims);
    return LEAT_OK;
}

/* Spectrogram bin of the i-th edge of the triangles. */
static int64_t edge_bin(const mel_params *p, int64_t i) {
    double mel = p->low + (double)i * (p->high - p->low) / (double)(p->mels + 2);
    double bin = floor((double)(p->length + 1) * (700 * (pow(10, mel / 2595) - 1)) / (double)p->rate);
    return bin < 0 ? 0 : bin > 1e15 ? INT64_C(1000000000000000) : (int64_t)bin;
}

static void set_weight(leat_tensor *y, const mel_params *p, int64_t bin, int64_t mel, double v) {
    if (bin < p->bins) leat__tensor_set_float(y, bin * p->mels + mel, v);
}

static int run_mel(leat_op_call *call) {
    mel_params p;
    leat_tensor *y = call->out[0];
    int status = read_mel(call, &p);
    if (status) return status;
    memset(y->data, 0, leat_tensor_bytes(y));
    for (int64_t m = 0; m < p.mels; m++) {
        int64_t low = edge_bin(&p, m), center = edge_bin(&p, m + 1), high = edge_bin(&p, m + 2);
        if (center == low) set_weight(y, &p, center, m, 1);
        for (int64_t k = low; k <= leat__min64(center, p.bins) && center > low; k++) set_weight(y, &p, k, m, (double)(k - low) / (double)(center - low));
        for (int64_t k = center; k < leat__min64(high, p.bins); k++) set_weight(y, &p, k, m, (double)(high - k) / (double)(high - center));
    }
    return LEAT_OK;
}

const leat_op leat__ops_signal[] = {
    {"", "HannWindow", 17, 0, 1, 1, 1, 1, 0, LEAT_OP_PLAIN, 1, infer_window, NULL, run_hann},
    {"", "HammingWindow", 17, 0, 1, 1, 1, 1, 0, LEAT_OP_PLAIN, 1, infer_window, NULL, run_hamming},
    {"", "BlackmanWindow", 17, 0, 1, 1, 1, 1, 0, LEAT_OP_PLAIN, 1, infer_window, NULL, run_blackman},
    {"", "MelWeightMatrix", 17, 0, 5, 5, 1, 1, 0, LEAT_OP_PLAIN, 31, infer_mel, NULL, run_mel},
    {0},
};
