/* circle_ref.c - the circle fitter's kernels in plain C; contraction is off, so that each operation rounds once. */
#include "cpu/circle.h"

#include <math.h>

/* ---- geometry ----------------------------------------------------------------------------------------------------------------- */

static int clamp_to_int(double v, int lo, int hi) { return v <= lo ? lo : v >= hi ? hi : (int)v; }

void leat__circle_rows(const double *c, int height, int *y0, int *y1) {
    *y0 = clamp_to_int(c[CIRCLE_Y] - c[CIRCLE_R], 0, height);
    *y1 = clamp_to_int(c[CIRCLE_Y] + c[CIRCLE_R] + 1, 0, height);
}

static int is_inside(double x, double cx, double dy2, double r2) { return (x - cx) * (x - cx) + dy2 <= r2; }

/* The root gives both ends to within a pixel or so; the definition settles them.  A row with any pixel inside has one next to the centre. */
void leat__circle_span(const double *c, int width, int y, int *x0, int *x1) {
    double cx = c[CIRCLE_X], dy = y - c[CIRCLE_Y], dy2 = dy * dy, r2 = c[CIRCLE_R] * c[CIRCLE_R], near = floor(cx);
    *x0 = *x1 = 0;
    if (y < trunc(c[CIRCLE_Y] - c[CIRCLE_R]) || y >= trunc(c[CIRCLE_Y] + c[CIRCLE_R] + 1)) return;
    if (!is_inside(near, cx, dy2, r2) && !is_inside(++near, cx, dy2, r2)) return;
    double half = sqrt(r2 > dy2 ? r2 - dy2 : 0), first = fmin(ceil(cx - half), near), last = fmax(floor(cx + half), near);
    while (!is_inside(first, cx, dy2, r2)) first++;
    while (is_inside(first - 1, cx, dy2, r2)) first--;
    while (!is_inside(last, cx, dy2, r2)) last--;
    while (is_inside(last + 1, cx, dy2, r2)) last++;
    first = fmax(first, trunc(cx - c[CIRCLE_R]));
    last = fmin(last + 1, trunc(cx + c[CIRCLE_R] + 1));
    if (first >= last || first >= width || last <= 0) return;
    *x0 = first < 0 ? 0 : (int)first;
    *x1 = last > width ? width : (int)last;
}

/* Float errors: the root and the sum take 1.5 and 1 units of 2^-24 of the half width; the double r^2 - dy^2 is off by 4e-16 r^2, which the root
 * turns into 2e-16 r^2 / half: below 1e-5 where r^2 - dy^2 >= (2e-11 r^2)^2. */
void leat__circle_outline_of(const double *c, leat_circle_outline *o) {
    double r = c[CIRCLE_R], cx = floor(c[CIRCLE_X]), tight = 2e-11 * r * r, least = tight * tight;
    o->cy = c[CIRCLE_Y];
    o->r2 = r * r;
    o->fraction = (float)(c[CIRCLE_X] - cx);
    o->slack = (float)(r * 2.4e-7 + 2e-5);
    o->least = (float)(least > 1e-6 ? least : 1e-6);
    o->base = (int32_t)cx + 1;
}

leat_circle_flags leat__circle_settle(const double *circle, int width, int y, unsigned doubt, leat_circle_flags f, leat_circle_spans *s) {
    for (; doubt; doubt &= doubt - 1) {
        int i = __builtin_ctz(doubt), x0, x1;
        leat__circle_span(circle, width, y + i, &x0, &x1);
        s->x0[i] = x0;
        s->x1[i] = x1;
        f.bits &= ~(leat__circle_flags(1, 1, 1).bits << i);
        f.bits |= leat__circle_flags(x0 < x1, x0 < x1 && x0 > 0, x0 < x1 && x1 < width).bits << i;
    }
    return f;
}

static leat_circle_flags spans_ref(const leat_circle_outline *outline, const double *circle, int width, int y, leat_circle_spans *spans) {
    return leat__circle_settle(circle, width, y, (1u << CIRCLE_TILE) - 1, (leat_circle_flags){0}, spans);
}

/* ---- colour ------------------------------------------------------------------------------------------------------------------- */

/* Rounding of `scale` shifts a product by up to v / 2 units of 2^-24: at most 64 with the middle of it taken out of `shift`, which also gets half of
 * the doubtful interval. */
void leat__circle_paint_of(const double *c, leat_circle_paint *p) {
    const double unit = (double)(1 << CIRCLE_FRACTION);
    double       exact;
    p->keep = 1 - c[CIRCLE_OPACITY];
    exact = p->keep * unit;
    p->scale = (uint32_t)(exact + 0.5);
    for (int k = 0; k < 3; k++) {
        p->front[k] = c[CIRCLE_RED + k] * c[CIRCLE_OPACITY];
        p->shift[k] = (uint32_t)((p->front[k] * 255 + 0.5) * unit + (exact - p->scale) * 127.5 + CIRCLE_DOUBT / 2 + 0.5);
    }
}

static int paint_byte(double front, double keep, int byte) { return (int)((front + byte * (1.0 / 255.0) * keep) * 255 + 0.5); }

static void fill_table(const double *c, leat_circle_map *map) {
    for (int channel = 0; channel < 3; channel++) {
        double front = c[CIRCLE_RED + channel] * c[CIRCLE_OPACITY];
        for (int b = 0; b < 256; b++) map->table[channel][b] = (uint8_t)paint_byte(front, 1 - c[CIRCLE_OPACITY], b);
    }
}

static void map_ref(const double *c, leat_circle_map *map) {
    map->kind = CIRCLE_TABLE;
    fill_table(c, map);
}

/* Best constants of one channel around the real-valued ones; returns how many entries they miss. */
static int fit_channel(leat_circle_map *map, int channel, double keep, double front, leat_circle_matcher matches, uint8_t wrong[CIRCLE_PATCHES]) {
    static const int8_t steps[][2] = {{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, -1}, {-1, 1}};
    int mul = (int)lrint(keep * (256.0 * 65536 / 257)), add = (int)lrint((front * 255 + 0.5) * 256 + 0.4), least = 257;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && least > 0; i++) {
        uint8_t  misses[CIRCLE_PATCHES];
        int      m = mul + steps[i][0], a = add + steps[i][1];
        if (m < 0 || a < 0) continue;
        int missed = matches(map->table[channel], (uint16_t)m, (uint16_t)a, misses);
        if (missed >= least) continue;
        least = missed;
        for (int k = channel; k < 12; k += 3) {
            map->mul[k] = (uint16_t)m;
            map->add[k] = (uint16_t)a;
        }
        for (int k = 0; k < CIRCLE_PATCHES; k++) wrong[k] = misses[k];
    }
    return least;
}

static void patch_channel(leat_circle_map *map, int channel, int patch, int used, uint8_t byte) {
    uint8_t got = (uint8_t)(((byte * 257u * map->mul[channel] >> 16) + map->add[channel]) >> 8);
    uint8_t change = used ? (uint8_t)(map->table[channel][byte] - got) : 0;
    for (int k = channel; k < CIRCLE_RING; k += 3) {
        map->at[patch][k] = byte;
        map->change[patch][k] = change;
    }
}

void leat__circle_map_fit(leat_circle_map *map, const double *c, leat_circle_matcher matches) {
    uint8_t wrong[3][CIRCLE_PATCHES] = {{0}};
    int     missed[3], most = 0;
    for (int channel = 0; channel < 3; channel++) {
        missed[channel] = fit_channel(map, channel, 1 - c[CIRCLE_OPACITY], c[CIRCLE_RED + channel] * c[CIRCLE_OPACITY], matches, wrong[channel]);
        if (missed[channel] > most) most = missed[channel];
    }
    map->kind = most == 0 ? CIRCLE_PLAIN : most <= CIRCLE_PATCHES ? CIRCLE_PATCHED : CIRCLE_TABLE;
    if (map->kind != CIRCLE_PATCHED) return;
    for (int channel = 0; channel < 3; channel++)
        for (int patch = 0; patch < CIRCLE_PATCHES; patch++)
            patch_channel(map, channel, patch, patch < missed[channel], wrong[channel][patch]);
}

static int64_t regions_ref(const leat_circle_paint *paints, const uint8_t *ground, const uint64_t *masks, int words, int stride, const int32_t *sums, int n) {
    int64_t total = 0;
    for (int i = 0; i < n; i++) {
        int v[3] = {ground[0], ground[1], ground[2]};
        for (int w = 0; w < words; w++)
            for (uint64_t rest = masks[w * stride + i]; rest; rest &= rest - 1) {
                const leat_circle_paint *p = &paints[w * CIRCLE_LANES + __builtin_ctzll(rest)];
                for (int c = 0; c < 3; c++) v[c] = paint_byte(p->front[c], p->keep, v[c]);
            }
        for (int c = 0; c < 3; c++) total += v[c] * ((int64_t)v[c] * sums[4 * i + 3] - 2 * (int64_t)sums[4 * i + c]);
    }
    return total;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------------------- */

static int locate(const int32_t *x, const leat_circle_list *list) {
    int disorder = 0;
    for (int i = 0; i <= list->n; i++) list->at[i] = x[list->edges[i]];
    for (int i = 0; i < list->n; i++) disorder |= list->at[i] > list->at[i + 1];
    return disorder;
}

static void add_runs(const leat_circle_table *t, int y, const leat_circle_list *list) {
    const uint16_t *within = t->within + (int64_t)y * (t->width + 1) * 4;
    const int32_t  *before = t->before + (int64_t)y * t->blocks * 4;
    int32_t         last[4] = {0}, *sums = list->sums;
    for (int i = 0; i <= list->n; i++, sums += 4)
        for (int c = 0; c < 4; c++) {
            int32_t here = within[4 * list->at[i] + c] + before[(t->blocks > 1 ? list->at[i] / CIRCLE_BLOCK : 0) * 4 + c];
            sums[c] += here - last[c];
            last[c] = here;
        }
}

static int add_rows_ref(const leat_circle_table *t, int y, int rows, const int32_t *x, const leat_circle_list *list) {
    for (int row = 0; row < rows; row++) {
        if ((row > 0 || !list->is_located) && locate(x + row, list)) return row;
        add_runs(t, y + row, list);
    }
    return rows;
}

/* ---- pixels ------------------------------------------------------------------------------------------------------------------- */

static void paint_ref(const leat_circle_map *map, const leat_circle_band *band, const int32_t *x0, const int32_t *x1, int rows) {
    for (int i = 0; i < rows; i++) {
        uint8_t *row = band->rgb + i * band->stride, *end = row + 3 * (int64_t)x1[i];
        for (uint8_t *p = row + 3 * (int64_t)x0[i]; p < end; p += 3) {
            p[0] = map->table[0][p[0]];
            p[1] = map->table[1][p[1]];
            p[2] = map->table[2][p[2]];
        }
    }
}

static uint64_t sse_ref(const uint8_t *a, const uint8_t *b, int64_t n) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (uint64_t)((a[i] - b[i]) * (a[i] - b[i]));
    return sum;
}

static uint64_t painted_sse_ref(const leat_circle_map *map, const uint8_t *a, const uint8_t *b, int64_t n) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < n; i += 3)
        for (int c = 0; c < 3; c++) {
            int d = map->table[c][a[i + c]] - b[i + c];
            sum += (uint64_t)(d * d);
        }
    return sum;
}

const leat_circle_kernels leat__circle_ref = {spans_ref, add_rows_ref, regions_ref, map_ref, paint_ref, sse_ref, painted_sse_ref, "ref"};
