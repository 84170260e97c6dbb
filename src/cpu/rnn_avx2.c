/* rnn_avx2.c - recurrent kernels with 256-bit vectors; see rnn_tmpl.h. */
#include "cpu/simd_avx2.h"

#include "cpu/rnn_tmpl.h"

void leat__rnn_init_avx2(leat_rnn_kernels *table) { *table = (leat_rnn_kernels){rows_f32, lstm_cell, gru_cell, LEAT_ISA_AVX2}; }
