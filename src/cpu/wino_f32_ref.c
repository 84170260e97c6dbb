/* wino_f32_ref.c - tile transforms in plain C: one channel at a time, no contraction. */
#include "cpu/wino_f32.h"

#define V float
#define W 1
#define LOAD(p) (*(p))
#define LOAD_PART(p, n) (*(p))
#define STORE(p, v) (*(p) = (v))
#define STORE_PART(p, v, n) (*(p) = (v))
#define SET(f) ((float)(f))
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define FMA(a, b, c) ((a) * (b) + (c))
#define CLIP(v, lo, hi) ((v) < (lo) ? (lo) : (v) > (hi) ? (hi) : (v))
#define NAME(x) x##_ref

#include "cpu/wino_f32_tmpl.h"

void leat__wino_f32_fill_ref(leat_wino_f32_table *table) {
    *table = (leat_wino_f32_table){"ref", wino_in4_ref, wino_in2_ref, wino_out4_ref, wino_out2_ref};
}
