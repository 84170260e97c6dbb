/* rnn_internal.h - shapes, activations and packed weights of LSTM, GRU and RNN. */
#ifndef LEAT_OPS_RNN_INTERNAL_H
#define LEAT_OPS_RNN_INTERNAL_H

#include "cpu/act.h"
#include "cpu/rnn.h"
#include "ops/nn_util.h"

#define RNN_ROWS 4 /* sequences that advance together */

typedef enum { RNN_PLAIN, RNN_GRU, RNN_LSTM } rnn_kind;

typedef struct {
    int             kind;    /* leat_act */
    int             scaled;  /* ScaledTanh: alpha * tanh(beta x) */
    leat_act_params params;
} rnn_act;

typedef struct {
    rnn_kind kind;
    int64_t  steps, batch, inputs, hidden;
    int      directions, gates;
    int      reverse_only, batch_first;        /* direction = "reverse", layout = 1 */
    int      input_forget, linear_before_reset;
    float    clip;                             /* 0 = none */
    rnn_act  act[2][3];                        /* f, g, h of each direction */
    int64_t  columns, row;                     /* gates * hidden; floats of a row of gates in scratch */
    int64_t  chunk;                            /* steps whose input products are made at once */
    size_t   w_floats, r_floats;               /* packed, of one direction */
    size_t   worker_floats;                    /* scratch of one worker */
    const float *w, *r;                        /* packed once, or NULL: packed into scratch at each run */
} rnn_state;

/* Reads and checks everything into *s; w and r stay NULL. */
int leat__rnn_read(leat_op_call *call, rnn_state *s);
/* Packs W (all directions) or R of the call into `to`. */
void leat__rnn_pack_w(const leat_op_call *call, const rnn_state *s, float *to);
void leat__rnn_pack_r(const leat_op_call *call, const rnn_state *s, float *to);
/* x [n] = act(x). */
void leat__rnn_activate(const rnn_act *act, float *x, int64_t n);

#endif
