/* rnn.c - LSTM, GRU, RNN: all directions, layouts, peepholes, clip, sequence lengths, activation lists.
 *
 * Up to RNN_ROWS sequences of one direction are one task.  For a chunk of steps the input products X W + bias are made first, all steps
 * at once (weights are read once for four steps); then the recurrence adds H R step by step.  Rows of gates lie in scratch:
 *   products [RNN_ROWS][chunk][row]   gates [RNN_ROWS][row]   extra [RNN_ROWS][row]   h, c, tmp, bias [RNN_ROWS][hidden, rounded]
 * Gate order is ONNX's: LSTM i o f c, GRU z r h.  Constant weights are packed once and shared by all contexts.
 */
#include <string.h>

#include "cpu/vmath.h"
#include "ops/rnn_internal.h"

/* ---- infer, prepare ------------------------------------------------------------------------------------------------------------- */

static int infer_rnn(leat_op_call *call) {
    rnn_state s;
    int status = leat__rnn_read(call, &s);
    if (status) return status;
    int64_t t = s.steps, b = s.batch, d = s.directions, h = s.hidden;
    int64_t y[4] = {t, d, b, h}, y_first[4] = {b, t, d, h}, last[3] = {d, b, h}, last_first[3] = {b, d, h};
    if (leat__op_out(call, 0)) leat__tensor_set(call->out[0], LEAT_DTYPE_F32, 4, s.batch_first ? y_first : y);
    for (int i = 1; i <= 2; i++)
        if (leat__op_out(call, i)) leat__tensor_set(call->out[i], LEAT_DTYPE_F32, 3, s.batch_first ? last_first : last);
    return LEAT_OK;
}

typedef struct {
    const leat_op_call *call;
    const rnn_state    *s;
} pack_job;

static void fill_w(void *block, void *arg) { leat__rnn_pack_w(((pack_job *)arg)->call, ((pack_job *)arg)->s, block); }
static void fill_r(void *block, void *arg) { leat__rnn_pack_r(((pack_job *)arg)->call, ((pack_job *)arg)->s, block); }

static int workers(const leat_op_call *call) {
    int n = leat_tpool_threads(call->pool);
    return n > call->threads ? n : call->threads > 0 ? call->threads : 1;
}

static int prepare_rnn(leat_op_call *call) {
    static const char *const kernels[] = {"rnn_f32", "gru_f32", "lstm_f32"};
    rnn_state *s = leat__op_state(call, sizeof *s);
    if (!s) return LEAT_ENOMEM;
    int status = leat__rnn_read(call, s);
    if (status) return status;
    pack_job job = {call, s};
    size_t d = (size_t)s->directions, w_bytes = d * s->w_floats * sizeof(float), r_bytes = d * s->r_floats * sizeof(float);
    int constant = leat__op_is_const(call, 1) && leat__op_is_const(call, 2);
    if (constant) {
        s->w = leat__op_pack(call, call->in[1]->data, 0x524e4e00u + (unsigned)s->kind, w_bytes, fill_w, &job);
        s->r = leat__op_pack(call, call->in[2]->data, 0x524e4e10u + (unsigned)s->kind, r_bytes, fill_r, &job);
        if (!s->w || !s->r) return LEAT_ENOMEM;
    } else call->scratch_bytes = w_bytes + r_bytes;
    call->scratch_bytes += s->worker_floats * sizeof(float) * (size_t)workers(call);
    leat__op_name_kernel(call, kernels[s->kind], leat__rnn.isa);
    double macs = (double)s->steps * (double)s->batch * (double)(s->directions * s->columns) * (double)(s->inputs + s->hidden);
    call->macs = macs < 9e18 ? (int64_t)macs : INT64_MAX;
    return LEAT_OK;
}

/* ---- one task: some sequences in one direction ---------------------------------------------------------------------------------- */

typedef struct {
    const leat_op_call *call;
    const rnn_state    *s;
    const float        *w, *r;     /* packed, all directions */
    float              *scratch;   /* of worker 0 */
    int64_t             groups;    /* of sequences */
} rnn_job;

typedef struct {
    const leat_op_call *call;
    const rnn_state    *s;
    const rnn_act      *act;
    const float        *w, *r, *bias_w, *bias_r, *peep; /* of the direction; biases and peepholes may be NULL */
    int                 d, reverse, n;                  /* n: sequences */
    int64_t             first;                          /* of them */
    int64_t             length[RNN_ROWS];
    float              *products, *gates, *extra, *h, *c, *tmp;
    int64_t             ld;                             /* of h, c, tmp */
} rnn_run;

static const float *slice(const leat_op_call *call, int i, int64_t offset) {
    const leat_tensor *t = leat__op_in(call, i);
    return t ? (const float *)t->data + offset : NULL;
}

/* Offset of [d, b, h] or [b, d, h]. */
static int64_t state_offset(const rnn_state *s, int d, int64_t b) {
    return (s->batch_first ? b * s->directions + d : d * s->batch + b) * s->hidden;
}

static void begin(rnn_run *run, const rnn_job *job, int64_t index, int worker) {
    const rnn_state *s = job->s;
    int64_t rows = RNN_ROWS;
    int d = (int)(index / job->groups);
    run->call = job->call;
    run->s = s;
    run->d = d;
    run->act = s->act[d];
    run->reverse = d == 1 || s->reverse_only;
    run->first = index % job->groups * RNN_ROWS;
    run->n = (int)leat__min64(RNN_ROWS, s->batch - run->first);
    run->w = job->w + (size_t)d * s->w_floats;
    run->r = job->r + (size_t)d * s->r_floats;
    run->bias_w = slice(job->call, 3, d * 2 * s->columns);
    run->bias_r = run->bias_w ? run->bias_w + s->columns : NULL;
    run->peep = slice(job->call, 7, d * 3 * s->hidden);
    run->ld = leat__rnn_round(s->hidden);
    run->products = job->scratch + (size_t)worker * s->worker_floats;
    run->gates = run->products + rows * s->chunk * s->row;
    run->extra = run->gates + rows * s->row;
    run->h = run->extra + rows * s->row;
    run->c = run->h + rows * run->ld;
    run->tmp = run->c + rows * run->ld;
    memset(run->h, 0, (size_t)(2 * rows * run->ld) * sizeof(float));
    for (int i = 0; i < run->n; i++) {
        const leat_tensor *lens = leat__op_in(job->call, 4);
        const float *h0 = slice(job->call, 5, state_offset(s, d, run->first + i)), *c0 = slice(job->call, 6, state_offset(s, d, run->first + i));
        run->length[i] = lens ? ((const int32_t *)lens->data)[run->first + i] : s->steps;
        if (h0) memcpy(run->h + i * run->ld, h0, (size_t)s->hidden * sizeof(float));
        if (c0 && s->kind == RNN_LSTM) memcpy(run->c + i * run->ld, c0, (size_t)s->hidden * sizeof(float));
    }
}

/* Row of biases that the input products start from.  With linear_before_reset the recurrent bias of the new gate stays apart. */
static void start_row(const rnn_run *run, float *row) {
    const rnn_state *s = run->s;
    memset(row, 0, (size_t)s->row * sizeof(float));
    if (!run->bias_w) return;
    int64_t both = s->kind == RNN_GRU && s->linear_before_reset ? 2 * s->hidden : s->columns;
    for (int64_t j = 0; j < s->columns; j++) row[j] = run->bias_w[j] + (j < both ? run->bias_r[j] : 0.0f);
}

/* Input products of steps [from, to) of every sequence, in the order of steps: backwards in time for the reverse direction. */
static void make_products(const rnn_run *run, int64_t from, int64_t to) {
    const rnn_state *s = run->s;
    int64_t t_stride = s->inputs * (s->batch_first ? 1 : s->batch), b_stride = s->inputs * (s->batch_first ? s->steps : 1);
    start_row(run, run->extra);
    for (int i = 0; i < run->n; i++) {
        int64_t last = leat__min64(to, run->length[i]);
        if (from >= last) continue;
        float *rows = run->products + i * s->chunk * s->row;
        for (int64_t k = from; k < last; k++) memcpy(rows + (k - from) * s->row, run->extra, (size_t)s->row * sizeof(float));
        int64_t t = run->reverse ? run->length[i] - 1 - from : from;
        const float *x = (const float *)run->call->in[0]->data + (run->first + i) * b_stride + t * t_stride;
        leat__rnn.rows_f32(rows, s->row, x, run->reverse ? -t_stride : t_stride, last - from, run->w, s->inputs, s->columns);
    }
}

static void clip_row(const rnn_state *s, float *x, int64_t n) {
    if (!(s->clip > 0)) return;
    for (int64_t i = 0; i < n; i++) x[i] = x[i] < -s->clip ? -s->clip : x[i] > s->clip ? s->clip : x[i];
}

static void add_products(float *x, const float *p, const float *c, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] += p[i] * c[i];
}

/* ---- cells: gates of one sequence -> new h (and c) ------------------------------------------------------------------------------- */

static void lstm_row(const rnn_run *run, float *g, float *h, float *c, float *tmp) {
    const rnn_state *s = run->s;
    int64_t n = s->hidden;
    float *in = g, *out = g + n, *forget = g + 2 * n, *cell = g + 3 * n;
    if (run->peep) {
        add_products(in, run->peep, c, n);
        add_products(forget, run->peep + 2 * n, c, n);
    }
    clip_row(s, g, run->peep ? n : 4 * n);
    if (run->peep) clip_row(s, forget, 2 * n);
    leat__rnn_activate(&run->act[0], g, run->peep ? n : 3 * n);
    if (run->peep) leat__rnn_activate(&run->act[0], forget, n);
    if (s->input_forget)
        for (int64_t i = 0; i < n; i++) forget[i] = 1.0f - in[i];
    leat__rnn_activate(&run->act[1], cell, n);
    leat__rnn.lstm_cell(c, in, forget, cell, n);
    if (run->peep) {
        add_products(out, run->peep + n, c, n);
        clip_row(s, out, n);
        leat__rnn_activate(&run->act[0], out, n);
    }
    memcpy(tmp, c, (size_t)n * sizeof(float));
    leat__rnn_activate(&run->act[2], tmp, n);
    leat__vmath()->vv[LEAT_VBIN_MUL](out, tmp, h, n);
}

/* The new gate of a GRU without linear_before_reset needs (r * h) R: made for one sequence at a time. */
static void gru_row(const rnn_run *run, float *g, float *extra, float *h, float *tmp) {
    const rnn_state *s = run->s;
    int64_t n = s->hidden;
    float *update = g, *reset = g + n, *new_gate = g + 2 * n;
    clip_row(s, g, 2 * n);
    leat__rnn_activate(&run->act[0], g, 2 * n);
    if (s->linear_before_reset) add_products(new_gate, reset, extra, n);
    else {
        leat__vmath()->vv[LEAT_VBIN_MUL](reset, h, tmp, n);
        leat__rnn.rows_f32(new_gate, s->row, tmp, run->ld, 1, run->r + leat__rnn_round(2 * n) * n, n, n);
    }
    clip_row(s, new_gate, n);
    leat__rnn_activate(&run->act[1], new_gate, n);
    leat__rnn.gru_cell(h, update, new_gate, n);
}

static void plain_row(const rnn_run *run, float *g, float *h) {
    clip_row(run->s, g, run->s->hidden);
    leat__rnn_activate(&run->act[0], g, run->s->hidden);
    memcpy(h, g, (size_t)run->s->hidden * sizeof(float));
}

/* Adds H R to the gates of all sequences. */
static void recur(const rnn_run *run) {
    const rnn_state *s = run->s;
    int64_t n = s->hidden;
    leat__rnn.rows_f32(run->gates, s->row, run->h, run->ld, run->n, run->r, n, s->kind == RNN_GRU ? 2 * n : s->columns);
    if (s->kind != RNN_GRU || !s->linear_before_reset) return;
    for (int i = 0; i < run->n; i++) {
        if (run->bias_r) memcpy(run->extra + i * s->row, run->bias_r + 2 * n, (size_t)n * sizeof(float));
        else memset(run->extra + i * s->row, 0, (size_t)n * sizeof(float));
    }
    leat__rnn.rows_f32(run->extra, s->row, run->h, run->ld, run->n, run->r + leat__rnn_round(2 * n) * n, n, n);
}

static float *y_row(const rnn_run *run, int i, int64_t t) {
    const rnn_state *s = run->s;
    const leat_tensor *y = leat__op_out(run->call, 0);
    if (!y) return NULL;
    int64_t b = run->first + i;
    int64_t row = s->batch_first ? (b * s->steps + t) * s->directions + run->d : (t * s->directions + run->d) * s->batch + b;
    return (float *)y->data + row * s->hidden;
}

static void step(const rnn_run *run, int64_t k, int64_t from) {
    const rnn_state *s = run->s;
    size_t bytes = (size_t)s->hidden * sizeof(float);
    for (int i = 0; i < run->n; i++)
        memcpy(run->gates + i * s->row, run->products + (i * s->chunk + (k < run->length[i] ? k - from : 0)) * s->row, (size_t)s->row * sizeof(float));
    recur(run);
    for (int i = 0; i < run->n; i++) {
        if (k >= run->length[i]) continue;
        float *g = run->gates + i * s->row, *h = run->h + i * run->ld, *c = run->c + i * run->ld, *tmp = run->tmp + i * run->ld;
        if (s->kind == RNN_LSTM) lstm_row(run, g, h, c, tmp);
        else if (s->kind == RNN_GRU) gru_row(run, g, run->extra + i * s->row, h, tmp);
        else plain_row(run, g, h);
        float *y = y_row(run, i, run->reverse ? run->length[i] - 1 - k : k);
        if (y) memcpy(y, h, bytes);
    }
}

static void finish(const rnn_run *run) {
    const rnn_state *s = run->s;
    size_t bytes = (size_t)s->hidden * sizeof(float);
    for (int i = 0; i < run->n; i++) {
        int64_t at = state_offset(s, run->d, run->first + i);
        if (leat__op_out(run->call, 1)) memcpy((float *)run->call->out[1]->data + at, run->h + i * run->ld, bytes);
        if (leat__op_out(run->call, 2)) memcpy((float *)run->call->out[2]->data + at, run->c + i * run->ld, bytes);
        for (int64_t t = run->length[i]; t < s->steps && leat__op_out(run->call, 0); t++) memset(y_row(run, i, t), 0, bytes);
    }
}

static void rnn_task(void *arg, int64_t index, int worker) {
    rnn_run run;
    begin(&run, arg, index, worker);
    for (int64_t from = 0; from < run.s->steps; from += run.s->chunk) {
        int64_t to = leat__min64(run.s->steps, from + run.s->chunk);
        make_products(&run, from, to);
        for (int64_t k = from; k < to; k++) step(&run, k, from);
    }
    finish(&run);
}

static int check_lengths(leat_op_call *call, const rnn_state *s) {
    const leat_tensor *lens = leat__op_in(call, 4);
    for (int64_t i = 0; lens && i < s->batch; i++) {
        int32_t n = ((const int32_t *)lens->data)[i];
        if (n < 0 || n > s->steps) return leat__op_fail(call, LEAT_EINVAL, "sequence_lens[%lld] = %d of %lld steps", (long long)i, n, (long long)s->steps);
    }
    return LEAT_OK;
}

static int run_rnn(leat_op_call *call) {
    const rnn_state *s = call->state;
    int status = check_lengths(call, s);
    if (status) return status;
    rnn_job job = {call, s, s->w, s->r, call->scratch, leat__ceil_div(s->batch, RNN_ROWS)};
    if (!s->w) {
        float *w = call->scratch, *r = w + (size_t)s->directions * s->w_floats;
        leat__rnn_pack_w(call, s, w);
        leat__rnn_pack_r(call, s, r);
        job.w = w;
        job.r = r;
        job.scratch = r + (size_t)s->directions * s->r_floats;
    }
    leat__op_for(call, job.groups * s->directions, leat__min64(s->steps, 64) * s->columns * (s->inputs + s->hidden) / 4, rnn_task, &job);
    return LEAT_OK;
}

const leat_op leat__ops_rnn[] = {
    {"", "LSTM", 1, 0, 3, 8, 0, 3, 0, LEAT_OP_PLAIN, 0, infer_rnn, prepare_rnn, run_rnn},
    {"", "GRU", 1, 0, 3, 6, 0, 2, 0, LEAT_OP_PLAIN, 0, infer_rnn, prepare_rnn, run_rnn},
    {"", "RNN", 1, 0, 3, 6, 0, 2, 0, LEAT_OP_PLAIN, 0, infer_rnn, prepare_rnn, run_rnn},
    {0},
};
