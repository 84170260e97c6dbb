/* dft.c - DFT (17: axis attribute, 20: axis input) and STFT.
 *
 * One transform works in double precision: even lengths split in two, odd ones are summed directly, so powers of two cost n log n and any
 * length is exact to rounding.  Roots of unity are tabulated once a run.  Rows along the axis are independent tasks.
 * Scratch: roots [n] | per worker: input [n], output [n]   (complex doubles)
 */
#include <math.h>
#include <string.h>

#include "ops/nn_util.h"

#define LENGTH_LIMIT (1 << 24)

typedef struct {
    double re, im;
} cplx;

typedef struct {
    int64_t       n;       /* length of the transform */
    int           inverse; /* conjugate roots, divided by n */
    const cplx   *root;    /* root[k] = e^(-2 pi i k / n) */
} transform;

static void fill_roots(cplx *root, int64_t n) {
    const double pi = 3.14159265358979323846;
    for (int64_t k = 0; k < n; k++) root[k] = (cplx){cos(2 * pi * (double)k / (double)n), -sin(2 * pi * (double)k / (double)n)};
}

/* out[0..n) = transform of in[0], in[step], ..; roots are `step` apart, too. */
static void fft(const cplx *root, const cplx *in, cplx *out, int64_t n, int64_t step) {
    if (n & 1) {
        for (int64_t k = 0; k < n; k++) {
            cplx sum = {0, 0};
            for (int64_t j = 0; j < n; j++) {
                cplx r = root[j * k % n * step], v = in[j * step];
                sum.re += v.re * r.re - v.im * r.im;
                sum.im += v.re * r.im + v.im * r.re;
            }
            out[k] = sum;
        }
        return;
    }
    int64_t half = n / 2;
    fft(root, in, out, half, 2 * step);
    fft(root, in + step, out + half, half, 2 * step);
    for (int64_t k = 0; k < half; k++) {
        cplx r = root[k * step], a = out[k], b = out[half + k];
        cplx t = {b.re * r.re - b.im * r.im, b.re * r.im + b.im * r.re};
        out[k] = (cplx){a.re + t.re, a.im + t.im};
        out[half + k] = (cplx){a.re - t.re, a.im - t.im};
    }
}

/* The inverse by conjugation: in is changed. */
static void run_transform(const transform *t, cplx *in, cplx *out) {
    if (t->inverse)
        for (int64_t i = 0; i < t->n; i++) in[i].im = -in[i].im;
    fft(t->root, in, out, t->n, 1);
    if (t->inverse)
        for (int64_t i = 0; i < t->n; i++) out[i] = (cplx){out[i].re / (double)t->n, -out[i].im / (double)t->n};
}

static double load(const leat_tensor *t, int64_t i) { return t->dtype == LEAT_DTYPE_F32 ? (double)((const float *)t->data)[i] : ((const double *)t->data)[i]; }

static void store(const leat_tensor *t, int64_t i, double v) {
    if (t->dtype == LEAT_DTYPE_F32) ((float *)t->data)[i] = (float)v;
    else ((double *)t->data)[i] = v;
}

static int is_real_type(const leat_tensor *t) { return t && (t->dtype == LEAT_DTYPE_F32 || t->dtype == LEAT_DTYPE_F64); }

static int workers(const leat_op_call *call) {
    int n = leat_tpool_threads(call->pool);
    return call->threads > n ? call->threads : n;
}

static size_t scratch_bytes(const leat_op_call *call, int64_t n) { return (size_t)n * sizeof(cplx) * (size_t)(1 + 2 * workers(call)); }

/* An optional integer scalar at input i. */
static int read_scalar(leat_op_call *call, int i, int64_t fallback, int64_t *value) {
    const leat_tensor *t = leat__op_in(call, i);
    *value = fallback;
    if (!t) return LEAT_OK;
    if (!leat__dtype_is_int(t->dtype) || leat_tensor_count(t) != 1) return leat__op_fail(call, LEAT_ETYPE, "input %d is not one integer", i);
    if (!t->data) return LEAT_EDYNAMIC;
    *value = leat__tensor_get_int(t, 0);
    return LEAT_OK;
}

/* ---- DFT ---------------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    const leat_op_call *call;
    int                 axis, parts_in, parts_out, onesided;
    int64_t             given, out, inner; /* positions along the axis in and out; rows behind it */
    transform           t;
    cplx               *buffers;
} dft_job;

static int read_dft(leat_op_call *call, dft_job *job) {
    const leat_tensor *x = leat__op_in(call, 0);
    if (!is_real_type(x)) return leat__op_fail(call, LEAT_ETYPE, "input must be float32 or float64");
    if (x->rank < 2 || x->dims[x->rank - 1] < 1 || x->dims[x->rank - 1] > 2) return leat__op_fail(call, LEAT_ESHAPE, "the last dimension must be 1 or 2");
    int64_t axis = leat__attr_int(call->attrs, "axis", 1), length;
    int status = call->opset >= 20 ? read_scalar(call, 2, -2, &axis) : LEAT_OK, inverse = leat__attr_int(call->attrs, "inverse", 0) != 0;
    if (status) return status;
    *job = (dft_job){.call = call, .axis = leat__norm_axis(axis, x->rank), .parts_in = (int)x->dims[x->rank - 1], .parts_out = 2};
    job->onesided = leat__attr_int(call->attrs, "onesided", 0) != 0;
    if (job->axis < 0 || job->axis == x->rank - 1) return leat__op_fail(call, LEAT_EINVAL, "axis %lld cannot be transformed", (long long)axis);
    job->given = x->dims[job->axis];
    int back = inverse && job->onesided; /* half a spectrum to a real signal */
    status = read_scalar(call, 1, back ? 2 * (job->given - 1) : job->given, &length);
    if (status) return status;
    if (length < 1 || length > LENGTH_LIMIT) return leat__op_fail(call, LEAT_EINVAL, "a transform of length %lld", (long long)length);
    if (back && job->parts_in != 2) return leat__op_fail(call, LEAT_ESHAPE, "half a spectrum must be complex");
    if (job->onesided && !inverse && job->parts_in != 1) return leat__op_fail(call, LEAT_EINVAL, "onesided needs a real signal");
    job->t = (transform){.n = length, .inverse = inverse};
    job->out = job->onesided && !inverse ? length / 2 + 1 : length;
    if (back) job->parts_out = 1;
    job->inner = leat__dims_count(x->dims + job->axis + 1, x->rank - job->axis - 2);
    return LEAT_OK;
}

static int infer_dft(leat_op_call *call) {
    dft_job job;
    int status = read_dft(call, &job);
    if (status) return status;
    const leat_tensor *x = call->in[0];
    int64_t dims[LEAT_MAX_RANK] = {0};
    memcpy(dims, x->dims, sizeof dims);
    dims[job.axis] = job.out;
    dims[x->rank - 1] = job.parts_out;
    leat__tensor_set(call->out[0], x->dtype, x->rank, dims);
    return LEAT_OK;
}

/* The signal may be longer or shorter than the transform; half a spectrum is completed by symmetry. */
static void load_row(const dft_job *job, int64_t base, cplx *in) {
    const leat_tensor *x = job->call->in[0];
    int64_t n = job->t.n, known = leat__min64(n, job->given);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = base + i * job->inner * job->parts_in;
        if (i < known) in[i] = (cplx){load(x, at), job->parts_in == 2 ? load(x, at + 1) : 0};
        else in[i] = (cplx){0, 0};
    }
    if (job->parts_out == 2) return;
    for (int64_t i = n / 2 + 1; i < n; i++) in[i] = (cplx){in[n - i].re, -in[n - i].im};
}

static void dft_task(void *arg, int64_t row, int worker) {
    const dft_job *job = arg;
    int64_t outer = row / job->inner, k = row % job->inner;
    cplx *in = job->buffers + 2 * worker * job->t.n, *out = in + job->t.n;
    load_row(job, (outer * job->given * job->inner + k) * job->parts_in, in);
    run_transform(&job->t, in, out);
    for (int64_t i = 0; i < job->out; i++) {
        int64_t at = ((outer * job->out + i) * job->inner + k) * job->parts_out;
        store(job->call->out[0], at, out[i].re);
        if (job->parts_out == 2) store(job->call->out[0], at + 1, out[i].im);
    }
}

static int prepare_dft(leat_op_call *call) {
    dft_job job;
    int status = read_dft(call, &job);
    if (status) return status;
    call->scratch_bytes = scratch_bytes(call, job.t.n);
    call->kernel = "dft_f64";
    return LEAT_OK;
}

static int run_dft(leat_op_call *call) {
    dft_job job;
    int status = read_dft(call, &job);
    if (status) return status;
    if (call->scratch_bytes < scratch_bytes(call, job.t.n)) return leat__op_fail(call, LEAT_EINTERNAL, "length changed within a plan");
    cplx *roots = call->scratch;
    fill_roots(roots, job.t.n);
    job.t.root = roots;
    job.buffers = roots + job.t.n;
    leat__op_for(call, leat__dims_count(call->in[0]->dims, job.axis) * job.inner, job.t.n * 16, dft_task, &job);
    return LEAT_OK;
}

/* ---- STFT --------------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    const leat_op_call *call;
    int64_t             length, step, frames, bins;
    int                 parts;
    transform           t;
    cplx               *buffers;
} stft_job;

static int read_stft(leat_op_call *call, stft_job *job) {
    const leat_tensor *x = leat__op_in(call, 0), *window = leat__op_in(call, 2);
    if (!is_real_type(x)) return leat__op_fail(call, LEAT_ETYPE, "signal must be float32 or float64");
    if (x->rank != 2 && (x->rank != 3 || x->dims[2] < 1 || x->dims[2] > 2)) return leat__op_fail(call, LEAT_ESHAPE, "signal must be [batch, length, 1 or 2]");
    if (window && (window->dtype != x->dtype || window->rank != 1)) return leat__op_fail(call, LEAT_ETYPE, "window must be a vector of the signal's type");
    if (!window && !leat__op_in(call, 3)) return leat__op_fail(call, LEAT_EINVAL, "neither window nor frame_length is given");
    *job = (stft_job){.call = call, .parts = x->rank == 3 ? (int)x->dims[2] : 1};
    int status = read_scalar(call, 1, 0, &job->step);
    if (!status) status = read_scalar(call, 3, window ? window->dims[0] : 0, &job->length);
    if (status) return status;
    if (job->step < 1 || job->length < 1 || job->length > LENGTH_LIMIT) return leat__op_fail(call, LEAT_EINVAL, "frame_step or frame_length is out of range");
    if (window && window->dims[0] != job->length) return leat__op_fail(call, LEAT_ESHAPE, "window has %lld values", (long long)window->dims[0]);
    int onesided = leat__attr_int(call->attrs, "onesided", 1) != 0;
    if (onesided && job->parts == 2) return leat__op_fail(call, LEAT_EINVAL, "onesided needs a real signal");
    job->frames = x->dims[1] < job->length ? 0 : (x->dims[1] - job->length) / job->step + 1;
    job->bins = onesided ? job->length / 2 + 1 : job->length;
    job->t = (transform){.n = job->length};
    return LEAT_OK;
}

static int infer_stft(leat_op_call *call) {
    stft_job job;
    int status = read_stft(call, &job);
    if (status) return status;
    int64_t dims[4] = {call->in[0]->dims[0], job.frames, job.bins, 2};
    leat__tensor_set(call->out[0], call->in[0]->dtype, 4, dims);
    return LEAT_OK;
}

static void stft_task(void *arg, int64_t row, int worker) {
    const stft_job *job = arg;
    const leat_tensor *x = job->call->in[0], *window = leat__op_in(job->call, 2), *y = job->call->out[0];
    int64_t base = (row / job->frames * x->dims[1] + row % job->frames * job->step) * job->parts;
    cplx *in = job->buffers + 2 * worker * job->length, *out = in + job->length;
    for (int64_t i = 0; i < job->length; i++) {
        double w = window ? load(window, i) : 1;
        in[i] = (cplx){w * load(x, base + i * job->parts), job->parts == 2 ? w * load(x, base + i * 2 + 1) : 0};
    }
    run_transform(&job->t, in, out);
    for (int64_t i = 0; i < job->bins; i++) {
        store(y, (row * job->bins + i) * 2, out[i].re);
        store(y, (row * job->bins + i) * 2 + 1, out[i].im);
    }
}

static int prepare_stft(leat_op_call *call) {
    stft_job job;
    int status = read_stft(call, &job);
    if (status) return status;
    call->scratch_bytes = scratch_bytes(call, job.length);
    call->kernel = "stft_f64";
    return LEAT_OK;
}

static int run_stft(leat_op_call *call) {
    stft_job job;
    int status = read_stft(call, &job);
    if (status) return status;
    if (call->scratch_bytes < scratch_bytes(call, job.length)) return leat__op_fail(call, LEAT_EINTERNAL, "frame_length changed within a plan");
    cplx *roots = call->scratch;
    fill_roots(roots, job.length);
    job.t.root = roots;
    job.buffers = roots + job.length;
    leat__op_for(call, call->in[0]->dims[0] * job.frames, job.length * 16, stft_task, &job);
    return LEAT_OK;
}

const leat_op leat__ops_dft[] = {
    {"", "DFT", 17, 19, 1, 2, 1, 1, 0, LEAT_OP_PLAIN, 2, infer_dft, prepare_dft, run_dft},
    {"", "DFT", 20, 0, 1, 3, 1, 1, 0, LEAT_OP_PLAIN, 6, infer_dft, prepare_dft, run_dft},
    {"", "STFT", 17, 0, 2, 4, 1, 1, 0, LEAT_OP_PLAIN, 10, infer_stft, prepare_stft, run_stft},
    {0},
};
