/* rnn_neon.c - recurrent kernels on 64-bit ARM; see rnn_tmpl.h. */
#include "cpu/simd_neon.h"

#include "cpu/rnn_tmpl.h"

void leat__rnn_init_neon(leat_rnn_kernels *table) { *table = (leat_rnn_kernels){rows_f32, lstm_cell, gru_cell, LEAT_ISA_NEON}; }
