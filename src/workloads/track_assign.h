/* track_assign.h - one-to-one assignment of the largest sum. */
#ifndef LEAT_WORKLOADS_TRACK_ASSIGN_H
#define LEAT_WORKLOADS_TRACK_ASSIGN_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of scratch for at most `rows` x `columns`. */
size_t leat__assign_bytes(int rows, int columns);
/* Chooses pairs (i, j) with gain[i * stride + j] > 0, each row and column in at most one, so that the sum of their gains is largest.
 * gain [rows, stride], 0 = the pair is not allowed.  Fills match [rows]: the column, or -1.  RT-safe. */
void leat__assign(const float *gain, int rows, int columns, int stride, int32_t *match, void *scratch);

#endif
