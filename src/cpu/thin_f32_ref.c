/* thin_f32_ref.c - thin products in plain C. */
#include "cpu/thin_f32.h"

#define V float
#define W 1
#define ZERO 0.0f
#define LOAD(p) (*(p))
#define LOAD_PART(p, n) (*(p))
#define FMA(a, b, c) ((a) * (b) + (c))
#define SUM(v) (v)
#define NAME(x) x##_ref
#define P1 4
#define P2 4
#define P3 2
#define P4 2

#include "cpu/thin_f32_tmpl.h"

void leat__thin_f32_fill_ref(leat_thin_f32_table *table) { FILL(table, "ref"); }
