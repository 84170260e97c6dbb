/* qgemm_ref.c - the numbers of qgemm.h in plain C: integer sums of a group exact, scaled and added in float32. */
#include "cpu/qgemm.h"

#include "cpu/qgemm_unpack_tmpl.h"

#define ROWS LEAT_QGEMM_ROWS

/* Sums `quads` times four products of panel row r. */
static int dot(const uint8_t *w, int r, const int8_t *q, int quads) {
    int sum = 0;
    for (int k = 0; k < quads; k++)
        for (int j = 0; j < 4; j++) sum += w[4 * (k * ROWS + r) + j] * q[4 * k + j];
    return sum;
}

/* Group or half group `h`, `length` long. */
static void add_part(const leat_qgemm_tile *t, int64_t h, int length, int min) {
    int   sum = length == 32 ? t->sum[2 * h] + t->sum[2 * h + 1] : t->sum[h];
    float x_scale = t->x_scale[h * length / 32];
    for (int r = 0; r < ROWS; r++) {
        int product = dot(t->bytes + length * h * ROWS, r, t->q + length * h, length / 4) - t->offset * sum;
        t->y[r] += (float)product * (t->scale[h * ROWS + r] * x_scale);
        if (min) t->y[r] += t->added[h * ROWS + r] * ((float)sum * x_scale);
    }
}

static void one_token(const leat_qgemm_tile *t, int length, int min) {
    for (int64_t h = 0; h < t->groups * 32 / length; h++) add_part(t, h, length, min);
}

static void tile_32(const leat_qgemm_tile *t) { one_token(t, 32, 0); }
static void tile_32_min(const leat_qgemm_tile *t) { one_token(t, 32, 1); }
static void tile_16(const leat_qgemm_tile *t) { one_token(t, 16, 0); }
static void tile_16_min(const leat_qgemm_tile *t) { one_token(t, 16, 1); }

static void interleave(const void *from, int64_t stride, int64_t columns, void *to) {
    for (int64_t c = 0; c < columns; c++)
        for (int64_t r = 0; r < ROWS; r++) memcpy((char *)to + 4 * (c * ROWS + r), (const char *)from + r * stride + 4 * c, 4);
}

void leat__qgemm_fill_ref(leat_qgemm_table *table) {
    *table = (leat_qgemm_table){.isa = "ref", .interleave_bytes = interleave, .piece = 4, .interleave_scales = interleave, .width = ROWS};
    memcpy(table->format, unpackers, sizeof unpackers);
    leat_qgemm_tile_fn fns[LEAT_QGEMM_KINDS] = {tile_32, tile_32, tile_32, tile_32_min, tile_32_min, tile_16, tile_16_min};
    for (int k = 0; k < LEAT_QGEMM_KINDS; k++) {
        table->most[k] = 1;
        table->tile[k][1] = fns[k];
    }
}
