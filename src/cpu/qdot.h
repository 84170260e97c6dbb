/* qdot.h - rows of stored weights times a few vectors: the kernels under qmat.h.
 *
 *   round   token t of X to 8 bits, as qmat.h says: fills all but split, pairs, grains and biases.  All variants give the same bits (only that of AVX2 fills twice and eights).
 *   rows    y[t * ldy + r] = W[r] . X[t], r < rows, t < act->n <= LEAT_QMAT_FEW; one entry for each of GGUF's numbers, NULL where there is no such format
 *
 * A value depends on its row, its token and, on x86, the number of tokens, not on the rows beside it.  Nothing is read behind the last row. */
#ifndef LEAT_CPU_QDOT_H
#define LEAT_CPU_QDOT_H

#include "cpu/cpu.h"
#include "cpu/qmat.h"

#define LEAT_QDOT_TYPES 40 /* GGUF's numbers of formats end below */

typedef void (*leat_qdot_rows)(const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy);

typedef struct leat_qdot_kernels {
    void (*round)(const leat_qact *act, int64_t t);
    leat_qdot_rows rows[LEAT_QDOT_TYPES];
    leat_isa       isa;
} leat_qdot_kernels;

extern leat_qdot_kernels leat__qdot;
void leat__qdot_init(leat_isa level);
void leat__qdot_fill_ref(leat_qdot_kernels *table);
void leat__qdotwide_fill_avx2(leat_qdot_kernels *table);
void leat__qdotpair_fill_avx2(leat_qdot_kernels *table);
void leat__qdotfloat_fill_avx2(leat_qdot_kernels *table);
void leat__qdot_round_avx2(const leat_qact *act, int64_t t);
void leat__qdotwide_fill_avx512vnni(leat_qdot_kernels *table);
void leat__qdotgrain_fill_avx512vnni(leat_qdot_kernels *table);
void leat__qdot_fill_neon(leat_qdot_kernels *table);
void leat__qdotfloat_fill_neon(leat_qdot_kernels *table);
void leat__qdot_round_neon(const leat_qact *act, int64_t t);
void leat__qdot_fill_neondot(leat_qdot_kernels *table);

#endif
