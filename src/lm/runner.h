/* runner.h - the scratch of a step, and the pieces that forward.c is put together from.
 *
 * A step takes n rows through the layers.  x holds the rows' running sums; h what a norm made of them; products read h (an encoder's: x) in the form that the
 * weights want, act_h.  What is done to one row alone is done by the caller, between regions, of which a step of decoding has five a layer. */
#ifndef LEAT_LM_RUNNER_H
#define LEAT_LM_RUNNER_H

#include <stdalign.h>
#include <stdatomic.h>

#include "cpu/attn_kv.h"
#include "lm/lm_impl.h"

#define LEAT_LM_SPANS 16 /* of attention in one region */

/* Consecutive rows of one cache. */
typedef struct leat_lm_span {
    leat_lm_kv *kv;
    int32_t     first, count; /* rows */
    int32_t     query, queries; /* rows whose attention is wanted: [query, query + queries) */
} leat_lm_span;

/* Of a mixture of experts.  A slot is a row at one of its experts; slots are sorted by expert. */
typedef struct leat_lm_moe {
    float     *scores;  /* [capacity, experts] */
    int32_t   *expert;  /* [capacity, used] by falling score */
    float     *weight;  /* [capacity, used] */
    int32_t   *slot;    /* [capacity, used] */
    int32_t   *row;     /* [slots] */
    int32_t   *first, *count; /* [experts] slots */
    int32_t   *active;  /* [experts] those that have slots */
    int32_t    n_active;
    float     *in;      /* [slots, width] rows as experts see them; then what they make of them */
    float     *mid;     /* [slots, expert width] */
    uint8_t   *memory_in, *memory_mid; /* of the acts, slot_* bytes a slot and an expert */
    size_t     slot_in, slot_mid;
    leat_qact *act_in, *act_mid; /* [experts] */
} leat_lm_moe;

struct leat_lm_runner {
    leat_lm       *lm;
    int            threads;
    int32_t        capacity;
    uint8_t       *memory;    /* all below */
    uint64_t       bytes;
    float         *x, *h, *o; /* [capacity, width] */
    float         *qkv;       /* [capacity, q + k + v] */
    float         *att;       /* [capacity, heads * v width] */
    float         *ffn;       /* [capacity, ffn width] */
    float         *angles;    /* [2 ropes][capacity][cos, sin][half]: of LM_ROPE_MAIN (or _LONG), of LM_ROPE_LOCAL */
    uint8_t       *memory_h, *memory_att, *memory_ffn; /* of the acts */
    leat_qact      act_h, act_att;
    uint8_t       *scratch;   /* [threads][scratch_bytes] */
    size_t         scratch_bytes, kernel_bytes; /* kernel_bytes of each for kernels, behind them floats for halves of the ffn */
    uint8_t       *shared;    /* [LEAT_LM_SPANS][shared_bytes] of attention */
    size_t         shared_bytes;
    leat_lm_span  *spans;     /* [capacity] */
    int32_t       *positions; /* [capacity] */
    int32_t       *wanted;    /* [capacity] rows that want something, ascending */
    struct leat_lm_share *shares; /* [threads] of the region that runs */
    const uint8_t **next;     /* [threads] what each reads behind its share, or NULL */
    leat_lm_moe    moe;       /* where there are experts */
    /* the step */
    const leat_lm_row *rows;
    int32_t        n, n_spans, n_wanted;
    uint64_t       hot_allocations; /* during all steps; 0 */
};

/* Indices [0, n) of fn over the runner's threads; `work` in multiply-adds or so: little is done here and now. */
void leat__lm_for(leat_lm_runner *r, int64_t work, int64_t n, leat_task_fn fn, void *arg);
/* What n rows of `width` elements are worth, handled each by itself between two products: one row is nobody else's; and how many of them make a task. */
int64_t leat__lm_row_work(int64_t n, int64_t width);
int64_t leat__lm_row_block(int64_t n);

/* How the rows of a region's matrices are divided, in units of LEAT_QMAT_ROWS.  For few tokens each thread has a share, a long run of memory, of which it takes parts of falling size, and
 * takes from others when it is ready; for many there are even tasks.  n: tasks of the region. */
typedef struct leat_lm_share {
    alignas(64) _Atomic uint64_t left;
} leat_lm_share;
typedef struct leat_lm_cuts {
    int64_t        n, units, step, least, most; /* step: units of an even task */
    int            threads;
    leat_lm_share *shares; /* or NULL: even tasks */
} leat_lm_cuts;
/* Units [first, last) for a thread.  ends: what it takes next is not what lies behind. */
typedef struct leat_lm_run {
    int64_t first, last;
    int     ends;
} leat_lm_run;
/* Cuts `units` of `unit_bytes` for products with n tokens, into runs of at most `most` units. */
void leat__lm_cut(leat_lm_runner *r, int64_t units, int64_t unit_bytes, int64_t n, int64_t most, leat_lm_cuts *cuts);
/* The next run of task `index`, whose *run is zero at first; 0 when there is none. */
int leat__lm_take(const leat_lm_cuts *cuts, int64_t index, int worker, leat_lm_run *run);
/* Says which matrices the region after the next one reads first, with few tokens; count 0: not known. */
void leat__lm_follow(leat_lm_runner *r, const leat_qmat *const *list, int count);
/* The same of layer `index`; behind the last one comes the output matrix. */
void leat__lm_follow_layer(leat_lm_runner *r, int32_t index);
static inline int64_t leat__lm_units(int64_t rows) { return (rows + LEAT_QMAT_ROWS - 1) / LEAT_QMAT_ROWS; }

/* One product of a region: y[t][0..rows) = w act[t] + bias. */
typedef struct leat_lm_product {
    const leat_qmat *w;
    const leat_qact *act;
    const float     *bias; /* [rows] or NULL */
    float           *y;
    int64_t          ldy;
} leat_lm_product;
/* All products, in one region. */
void leat__lm_multiply(leat_lm_runner *r, const leat_lm_product *list, int count);
/* Writes w's rows [first, first + count) times act into y [n, ldy], from column 0.  next: what the thread reads then; NULL: what lies behind. */
void leat__lm_part(const leat_qmat *w, const leat_qact *act, const float *bias, int64_t first, int64_t count, float *y, int64_t ldy, void *scratch, const uint8_t *next);

/* Lays `act` over `memory` for the n rows at x [n, cols]. */
void leat__lm_make_act(const leat_lm_runner *r, leat_qact *act, void *memory, const float *x, int64_t n, int64_t cols);
/* Rounds all rows of an act. */
void leat__lm_round(leat_lm_runner *r, leat_qact *act);
/* cos and sin of the rows' positions. */
void leat__lm_make_angles(leat_lm_runner *r);
/* q, k, v of act_h; rotates and stores; attention of the spans' queries into att. */
void leat__lm_attend(leat_lm_runner *r, const leat_lm_layer *layer, int32_t index);
/* A feed-forward part of `r->ffn` columns at most.  gate->data NULL: ungated. */
typedef struct leat_lm_dense {
    const leat_qmat *up, *gate, *down;
    const float     *up_bias, *gate_bias, *down_bias; /* or NULL */
} leat_lm_dense;
/* act_h through it into out [n, width]; then layer `next` comes. */
void leat__lm_run_dense(leat_lm_runner *r, const leat_lm_dense *dense, int32_t next, float *out);
/* Columns [first, first + count) of act(gate) * up of all rows of act, into out [act->n, up->rows]. */
void leat__lm_open_part(leat_lm_runner *r, const leat_qmat *up, const leat_qmat *gate, const float *up_bias, const float *gate_bias, const leat_qact *act,
                        int64_t first, int64_t count, float *out, int worker, const uint8_t *next);
/* Units of columns that a thread's scratch has room for in leat__lm_open_part() of n rows. */
int64_t leat__lm_fitting(const leat_lm_runner *r, int64_t n);
/* act_h through a layer's dense part, or through the experts that it chooses, into o. */
void leat__lm_ffn(leat_lm_runner *r, const leat_lm_layer *layer, int32_t index);
void leat__lm_experts(leat_lm_runner *r, const leat_lm_layer *layer, int32_t index);

#endif
