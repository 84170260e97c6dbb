/* einsum.c - Einsum: any number of operands, explicit or implicit output, ellipsis, repeated labels.
 *
 * The equation becomes one loop nest over labels: for every operand and the output a stride per label (repeated labels add up: diagonals), the labels of
 * the output outside, the summed ones inside.  Each output element is one sum, in double for floats and 64-bit for integers.
 * Two float32 operands whose labels are those of a (batched) matrix product are packed and multiplied by the GEMM instead.
 */
#include <string.h>

#include "cpu/gemm_f32.h"
#include "ops/el_walk.h"

enum { LABELS = 24, OPERANDS = 8, ELLIPSIS = 128 }; /* labels: letters, and ELLIPSIS + i for the i-th axis from the right of an ellipsis */

typedef struct einsum_plan {
    int     n_labels, n_out, operands;  /* the first n_out labels are the output's, in order */
    uint8_t label[LABELS];
    int64_t dim[LABELS], stride[OPERANDS][LABELS];
    int64_t outputs, terms;
} einsum_plan;

/* ---- the equation ---------------------------------------------------------------------------------------------------- */

static int label_index(einsum_plan *p, int label) {
    for (int i = 0; i < p->n_labels; i++)
        if (p->label[i] == label) return i;
    return -1;
}

static int add_label(einsum_plan *p, int label) {
    if (label_index(p, label) >= 0) return 1;
    if (p->n_labels == LABELS) return 0;
    p->label[p->n_labels] = (uint8_t)label;
    p->dim[p->n_labels++] = -1;
    return 1;
}

static int is_letter(int c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* Reads one term up to ',' or '-' or the end into labels[]; `dots` = axes of an ellipsis (-1: as many as rank leaves).  -1 on a syntax error. */
static int read_term(const char **at, int rank, int dots, uint8_t labels[LEAT_MAX_RANK]) {
    int letters = 0, n = 0, seen = 0;
    for (const char *c = *at; *c && *c != ',' && *c != '-'; c++) letters += is_letter(*c);
    if (dots < 0) dots = rank - letters;
    for (; **at && **at != ',' && **at != '-'; (*at)++) {
        if (**at == ' ') continue;
        if (is_letter(**at)) {
            if (n == LEAT_MAX_RANK) return -1;
            labels[n++] = (uint8_t)**at;
        } else if (strncmp(*at, "...", 3) == 0 && !seen && dots >= 0 && n + dots <= LEAT_MAX_RANK) {
            for (int i = dots - 1; i >= 0; i--) labels[n++] = (uint8_t)(ELLIPSIS + i);
            *at += 2;
            seen = 1;
        } else return -1;
    }
    return n;
}

static int widest_ellipsis(const leat_op_call *call, const char *equation) {
    uint8_t labels[LEAT_MAX_RANK];
    int most = 0;
    for (int i = 0; i < call->n_in; i++) {
        int n = read_term(&equation, call->in[i]->rank, -1, labels);
        for (int k = 0; k < n; k++)
            if (labels[k] >= ELLIPSIS && labels[k] - ELLIPSIS + 1 > most) most = labels[k] - ELLIPSIS + 1;
        if (*equation == ',') equation++;
    }
    return most;
}

/* Without "->": the ellipsis, then the letters that occur once, in alphabetical order. */
static int implicit_output(einsum_plan *p, const char *equation, int dots) {
    for (int i = dots - 1; i >= 0; i--)
        if (!add_label(p, ELLIPSIS + i)) return 0;
    for (int c = 'A'; c <= 'z'; c++) {
        int count = 0;
        for (const char *e = equation; is_letter(c) && *e; e++) count += *e == c;
        if (count == 1 && !add_label(p, c)) return 0;
    }
    return 1;
}

static int output_labels(leat_op_call *call, einsum_plan *p, const char *equation) {
    const char *arrow = strstr(equation, "->");
    int dots = widest_ellipsis(call, equation), ok = 1;
    uint8_t labels[LEAT_MAX_RANK];
    if (arrow) {
        arrow += 2;
        int n = read_term(&arrow, 0, dots, labels);
        ok = n >= 0 && *arrow == 0;
        for (int i = 0; ok && i < n; i++) ok = label_index(p, labels[i]) < 0 && add_label(p, labels[i]);
    } else ok = implicit_output(p, equation, dots);
    p->n_out = p->n_labels;
    if (!ok || p->n_out > LEAT_MAX_RANK) return leat__op_fail(call, LEAT_EINVAL, "equation '%.100s': malformed output", equation);
    return LEAT_OK;
}

static int bind_operand(leat_op_call *call, einsum_plan *p, int i, const uint8_t *labels, int n) {
    const leat_tensor *t = call->in[i];
    int64_t strides[LEAT_MAX_RANK];
    if (n != t->rank) return leat__op_fail(call, LEAT_ESHAPE, "operand %d has rank %d, its term %d labels", i, t->rank, n);
    leat__strides(t->dims, t->rank, strides);
    for (int k = 0; k < n; k++) {
        if (!add_label(p, labels[k])) return leat__op_fail(call, LEAT_ELIMIT, "more than %d labels", LABELS);
        int at = label_index(p, labels[k]);
        int64_t dim = t->dims[k];
        if (p->dim[at] < 0 || p->dim[at] == 1) p->dim[at] = dim;
        else if (dim != 1 && dim != p->dim[at]) return leat__op_fail(call, LEAT_ESHAPE, "operand %d does not fit the other operands", i);
        if (dim != 1) p->stride[i][at] += strides[k];
    }
    return LEAT_OK;
}

static int make_plan(leat_op_call *call, einsum_plan *p) {
    const char *equation = leat__attr_string(call->attrs, "equation", ""), *at = equation;
    uint8_t labels[LEAT_MAX_RANK];
    memset(p, 0, sizeof *p);
    p->operands = call->n_in;
    if (call->n_in > OPERANDS) return leat__op_fail(call, LEAT_ELIMIT, "more than %d operands", OPERANDS);
    int status = output_labels(call, p, equation);
    for (int i = 0; i < call->n_in && !status; i++) {
        while (*at == ' ') at++;
        int n = read_term(&at, call->in[i]->rank, -1, labels);
        if (n < 0 || (*at == ',') != (i + 1 < call->n_in)) return leat__op_fail(call, LEAT_EINVAL, "equation '%.100s': malformed", equation);
        if (*at == ',') at++;
        status = bind_operand(call, p, i, labels, n);
    }
    if (status) return status;
    if (*at && strncmp(at, "->", 2) != 0) return leat__op_fail(call, LEAT_EINVAL, "equation '%.100s': malformed", equation);
    for (int i = 0; i < p->n_out; i++)
        if (p->dim[i] < 0) return leat__op_fail(call, LEAT_EINVAL, "equation '%.100s': an output label is in no operand", equation);
    p->outputs = leat__dims_count(p->dim, p->n_out);
    p->terms = leat__dims_count(p->dim + p->n_out, p->n_labels - p->n_out);
    if (p->outputs < 0 || p->terms < 0) return leat__op_fail(call, LEAT_ELIMIT, "result is too large");
    return LEAT_OK;
}

static int einsum_infer(leat_op_call *call) {
    einsum_plan p;
    leat_dtype dtype = call->in[0]->dtype;
    for (int i = 0; i < call->n_in; i++)
        if (!call->in[i] || call->in[i]->dtype != dtype) return leat__op_fail(call, LEAT_ETYPE, "operand %d is absent or of another element type", i);
    if (!leat__dtype_is_int(dtype) && dtype != LEAT_DTYPE_F32 && dtype != LEAT_DTYPE_F64)
        return leat__op_fail(call, LEAT_ETYPE, "element type %s is not supported", leat_dtype_name(dtype));
    int status = make_plan(call, &p);
    if (!status) leat__tensor_set(call->out[0], dtype, p.n_out, p.dim);
    return status;
}

/* ---- the general sum -------------------------------------------------------------------------------------------------- */

typedef struct einsum_job {
    const einsum_plan *p;
    leat_tensor      **in;
    leat_tensor       *out;
} einsum_job;

/* Steps the odometer over labels [first, last) and the operands' offsets with it. */
static void step(const einsum_plan *p, int first, int last, int64_t *index, int64_t *at) {
    for (int l = last - 1; l >= first; l--) {
        int wraps = ++index[l] == p->dim[l];
        for (int o = 0; o < p->operands; o++) at[o] += wraps ? -(p->dim[l] - 1) * p->stride[o][l] : p->stride[o][l];
        if (!wraps) return;
        index[l] = 0;
    }
}

static double sum_floats(const einsum_job *job, const int64_t *start) {
    const einsum_plan *p = job->p;
    int64_t index[LABELS] = {0}, at[OPERANDS];
    double total = 0;
    memcpy(at, start, sizeof at);
    for (int64_t t = 0; t < p->terms; t++) {
        double product = 1;
        for (int o = 0; o < p->operands; o++)
            product *= job->out->dtype == LEAT_DTYPE_F32 ? (double)((const float *)job->in[o]->data)[at[o]] : leat__tensor_get_float(job->in[o], at[o]);
        total += product;
        step(p, p->n_out, p->n_labels, index, at);
    }
    return total;
}

static int64_t sum_integers(const einsum_job *job, const int64_t *start) {
    const einsum_plan *p = job->p;
    int64_t index[LABELS] = {0}, at[OPERANDS];
    uint64_t total = 0;
    memcpy(at, start, sizeof at);
    for (int64_t t = 0; t < p->terms; t++) {
        uint64_t product = 1;
        for (int o = 0; o < p->operands; o++) product *= (uint64_t)leat__tensor_get_int(job->in[o], at[o]);
        total += product;
        step(p, p->n_out, p->n_labels, index, at);
    }
    return (int64_t)total;
}

static void einsum_span(const void *arg, int64_t from, int64_t n) {
    const einsum_job *job = arg;
    const einsum_plan *p = job->p;
    int64_t index[LABELS] = {0}, at[OPERANDS] = {0}, rest = from;
    for (int l = p->n_out - 1; l >= 0; l--) {
        index[l] = rest % p->dim[l];
        rest /= p->dim[l];
        for (int o = 0; o < p->operands; o++) at[o] += index[l] * p->stride[o][l];
    }
    for (int64_t i = from; i < from + n; i++) {
        if (leat__dtype_is_float(job->out->dtype)) leat__tensor_set_float(job->out, i, sum_floats(job, at));
        else leat__tensor_set_int(job->out, i, sum_integers(job, at));
        step(p, 0, p->n_out, index, at);
    }
}

/* ---- the matrix product ------------------------------------------------------------------------------------------------ */

/* Y[batch.., m, n] = sum_k A[..] B[..]: the last two output labels are m (A only) and n (B only), one label is summed. */
typedef struct matrix_form {
    int     m, n, k; /* labels */
    int64_t batches;
} matrix_form;

static int find_matrix_form(const leat_op_call *call, const einsum_plan *p, matrix_form *f) {
    if (call->n_in != 2 || call->out[0]->dtype != LEAT_DTYPE_F32 || p->n_labels != p->n_out + 1 || p->n_out < 2) return 0;
    f->m = p->n_out - 2, f->n = p->n_out - 1, f->k = p->n_out;
    const int64_t *a = p->stride[0], *b = p->stride[1];
    if (a[f->k] != 1 || !b[f->k] || !a[f->m] || b[f->m] || a[f->n] || !b[f->n]) return 0;
    f->batches = 1;
    for (int l = 0; l < p->n_out - 2; l++) f->batches *= p->dim[l];
    return p->dim[f->m] >= 4 && p->dim[f->n] >= 8 && p->dim[f->k] >= 8;
}

static leat_gemm gemm_of(const einsum_plan *p, const matrix_form *f, const leat_op_call *call) {
    leat_gemm g = {.m = p->dim[f->m], .n = p->dim[f->n], .k = p->dim[f->k], .taps = 1, .a = call->in[0]->data, .lda = p->stride[0][f->m], .ldc = p->dim[f->n]};
    if (!g.a) g.a = (const float *)&leat__gemm_f32; /* sizes only: told from NULL */
    return g;
}

static size_t padded(size_t bytes) { return (bytes + LEAT_TAIL_BYTES + LEAT_ALIGN - 1) & ~(size_t)(LEAT_ALIGN - 1); }

static int einsum_prepare(leat_op_call *call) {
    einsum_plan p;
    matrix_form f;
    int status = make_plan(call, &p);
    if (status || !find_matrix_form(call, &p, &f)) return status;
    leat_gemm g = gemm_of(&p, &f, call);
    call->scratch_bytes = padded(leat__f32_gemm_packed_bytes(g.k, g.n)) + padded(leat__f32_gemm_scratch(&g)) * (size_t)(call->threads > 1 ? call->threads : 1);
    call->macs = f.batches * g.m * g.n * g.k;
    return LEAT_OK;
}

static void run_matrix(leat_op_call *call, const einsum_plan *p, const matrix_form *f) {
    leat_gemm g = gemm_of(p, f, call);
    size_t packed = padded(leat__f32_gemm_packed_bytes(g.k, g.n)), worker = padded(leat__f32_gemm_scratch(&g));
    int64_t index[LABELS] = {0}, at[OPERANDS] = {0};
    for (int64_t i = 0; i < f->batches; i++) {
        leat__f32_gemm_pack((const float *)call->in[1]->data + at[1], 1, g.k, g.n, 0, p->stride[1][f->k], p->stride[1][f->n], call->scratch);
        g.a = (const float *)call->in[0]->data + at[0];
        g.b = call->scratch;
        g.c = (float *)call->out[0]->data + i * g.m * g.n;
        leat__f32_gemm_parallel(&g, call->pool, call->threads, worker, (char *)call->scratch + packed);
        step(p, 0, p->n_out - 2, index, at);
    }
}

static int einsum_run(leat_op_call *call) {
    einsum_plan p;
    matrix_form f;
    int status = make_plan(call, &p);
    if (status || p.outputs == 0) return status;
    if (find_matrix_form(call, &p, &f)) {
        run_matrix(call, &p, &f);
        return LEAT_OK;
    }
    einsum_job job = {&p, call->in, call->out[0]};
    leat__el_rows(call, p.outputs, p.terms, einsum_span, &job);
    return LEAT_OK;
}

const leat_op leat__ops_einsum[] = {{"", "Einsum", 12, 0, 1, -1, 1, 1, 0, LEAT_OP_PLAIN, 0, einsum_infer, einsum_prepare, einsum_run}, {0}};
