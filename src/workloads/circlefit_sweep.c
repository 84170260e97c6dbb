/* circlefit_sweep.c - the exact cost of circles on a canvas of one colour, without painting a pixel.
 *
 * On a flat canvas a scene is a map of regions, each painted by one set of circles and so of one colour v.  A region's squared error is
 * n v^2 - 2 v sum(reference) + sum(reference^2); the last term is the same for every scene.  The sweep goes down the rows with the list
 * of edges (left and right sides of circles) that stand inside the canvas, in order of x.  Run i is what lies between edges i - 1 and i; its
 * area and its sum of the reference come from two prefix sums a row, and add up for as long as the run's set of circles stays the same.
 * Only when two edges cross, or an edge comes or goes, a run ends: its set and its sums are written down as a region, to be coloured later, eight
 * at a time.  For 30 random circles on 256 x 256 pixels that is 982,000 pixel writes, 4,700 runs, and some 700 regions.
 *
 *   edge index     0     1     2            the list may start anywhere in its arrays, so that edges
 *   run index   0  |  1  |  2  |  3         come and go at both ends without moving the rest
 *
 * An edge that leaves the canvas on the left is carried to the front by exchanges and taken off there, which leaves the right sets in all runs
 * it passed; coming in is the same backwards.  Sets are bit masks of `words` words.  Everything is integers.
 */
#include "workloads/circlefit_sweep.h"

#include <string.h>

#include "base/mem.h"

enum { REGIONS = 512 };

typedef int32_t quad __attribute__((vector_size(16), aligned(16)));

struct leat_circle_sweep {
    leat_circle_lanes lanes;
    leat_circle_paint *paints;      /* [slots] */
    leat_circle_bits   now[SWEEP_MOST_WORDS], before[SWEEP_MOST_WORDS];
    uint16_t          *edge;        /* [room] slot, or slots + slot for a right edge */
    int32_t           *at;          /* [room] x of the edge on this row */
    quad              *sum;         /* [room + 1] of the run: reference R, G, B and pixels */
    uint64_t          *set;         /* [room + 1, words] circles of the run */
    int                room, start, n, words;
    uint64_t          *region_set;  /* [REGIONS, words] */
    quad              *region_sum;  /* [REGIONS] */
    int                regions;
    int64_t            total;
    const leat_circle_target *target;
    void              *block;
};

#define INLINE static inline __attribute__((always_inline))

/* ---- regions -------------------------------------------------------------------------------------------------------------------- */

static void colour_regions(leat_circle_sweep *s) {
    s->total += leat__circle.regions(s->paints, s->target->ground, s->region_set, s->words, (const int32_t *)s->region_sum, s->regions);
    s->regions = 0;
}

INLINE void end_region(leat_circle_sweep *s, int run, const int words) {
    if (s->sum[run][3] == 0) return; /* no pixels */
    for (int w = 0; w < words; w++) s->region_set[s->regions * words + w] = s->set[run * words + w];
    s->region_sum[s->regions] = s->sum[run];
    s->sum[run] = (quad){0};
    if (++s->regions == REGIONS) colour_regions(s);
}

/* ---- the list of edges ---------------------------------------------------------------------------------------------------------- */

INLINE void flip(leat_circle_sweep *s, int run, int edge, const int words) {
    int slot = edge < s->lanes.slots ? edge : edge - s->lanes.slots;
    s->set[run * words + (words == 1 ? 0 : slot / CIRCLE_LANES)] ^= 1ull << (slot % CIRCLE_LANES);
}

INLINE void copy_set(leat_circle_sweep *s, int from, int to, const int words) {
    for (int w = 0; w < words; w++) s->set[to * words + w] = s->set[from * words + w];
}

/* Moves runs and edges [from, n] by `by` places. */
static void shift(leat_circle_sweep *s, int from, int by, const int words) {
    size_t left = (size_t)(s->start + s->n - from);
    memmove(s->edge + from + by, s->edge + from, left * sizeof *s->edge);
    memmove(s->sum + from + by, s->sum + from, (left + 1) * sizeof *s->sum);
    memmove(s->set + (from + by) * words, s->set + from * words, (left + 1) * (size_t)words * sizeof *s->set);
}

static void recentre(leat_circle_sweep *s, const int words) {
    int start = (s->room - s->n) / 2;
    shift(s, s->start, start - s->start, words);
    s->start = start;
}

/* Edges j - 1 and j change places. */
INLINE void exchange(leat_circle_sweep *s, int j, const int words) {
    uint16_t a = s->edge[j - 1], b = s->edge[j];
    end_region(s, j, words);
    s->edge[j - 1] = b;
    s->edge[j] = a;
    flip(s, j, a, words);
    flip(s, j, b, words);
}

static void push_front(leat_circle_sweep *s, int edge, const int words) {
    if (s->start == 0) recentre(s, words);
    int first = --s->start;
    s->n++;
    s->edge[first] = (uint16_t)edge;
    copy_set(s, first + 1, first, words);
    flip(s, first, edge, words);
    s->sum[first] = (quad){0};
}

static void push_back(leat_circle_sweep *s, int edge, const int words) {
    if (s->start + s->n == s->room) recentre(s, words);
    int last = s->start + s->n++;
    s->edge[last] = (uint16_t)edge;
    copy_set(s, last, last + 1, words);
    flip(s, last + 1, edge, words);
    s->sum[last + 1] = (quad){0};
}

static int find(const leat_circle_sweep *s, int edge) {
    int i = s->start;
    while (s->edge[i] != edge) i++;
    return i;
}

/* The edge has left the canvas on this side. */
static void leave_front(leat_circle_sweep *s, int edge, const int words) {
    for (int j = find(s, edge); j > s->start; j--) exchange(s, j, words);
    end_region(s, s->start, words);
    s->start++;
    s->n--;
}

static void leave_back(leat_circle_sweep *s, int edge, const int words) {
    for (int j = find(s, edge) + 1; j < s->start + s->n; j++) exchange(s, j, words);
    end_region(s, s->start + s->n, words);
    s->n--;
}

/* Both edges enter side by side, an empty run between them; sorting moves them apart. */
static void enter_pair(leat_circle_sweep *s, int slot, const int words) {
    int i = s->start, x = s->lanes.x0[slot];
    if (s->start + s->n + 2 > s->room) {
        recentre(s, words);
        i = s->start;
    }
    while (i < s->start + s->n && s->lanes.x0[s->edge[i]] < x) i++;
    shift(s, i, 2, words);
    s->n += 2;
    s->edge[i] = (uint16_t)slot;
    s->edge[i + 1] = (uint16_t)(slot + s->lanes.slots);
    copy_set(s, i + 2, i, words);
    copy_set(s, i + 2, i + 1, words);
    flip(s, i + 1, slot, words);
    s->sum[i] = s->sum[i + 2];
    s->sum[i + 1] = s->sum[i + 2] = (quad){0};
}

/* The runs on both sides of a vanished pair have one set again. */
static void leave_pair(leat_circle_sweep *s, int slot, const int words) {
    int i = find(s, slot), j = find(s, slot + s->lanes.slots);
    for (; i + 1 < j; i++) exchange(s, i + 1, words);
    end_region(s, j, words);
    s->sum[j + 1] += s->sum[i];
    shift(s, j + 1, -2, words);
    s->n -= 2;
}

static void flip_all(leat_circle_sweep *s, int slot, const int words) {
    for (int run = s->start; run <= s->start + s->n; run++) {
        end_region(s, run, words);
        flip(s, run, slot, words);
    }
}

/* ---- rows ----------------------------------------------------------------------------------------------------------------------- */

/* Bits of one circle before and on this row. */
static void change_circle(leat_circle_sweep *s, int slot, leat_circle_bits was, leat_circle_bits is, const int words) {
    int other = slot + s->lanes.slots;
    if (!was.alive) {
        if (is.left && is.right) enter_pair(s, slot, words);
        else if (is.left) push_back(s, slot, words);
        else if (is.right) push_front(s, other, words);
        else flip_all(s, slot, words);
    } else if (!is.alive) {
        if (was.left && was.right) leave_pair(s, slot, words);
        else if (was.left) leave_back(s, slot, words);
        else if (was.right) leave_front(s, other, words);
        else flip_all(s, slot, words);
    } else {
        if (was.left && !is.left) leave_front(s, slot, words);
        if (was.right && !is.right) leave_back(s, other, words);
        if (is.left && !was.left) push_front(s, slot, words);
        if (is.right && !was.right) push_back(s, other, words);
    }
}

static void settle_doubt(leat_circle_sweep *s, const leat_circle *circles, int w, int y) {
    leat_circle_bits *b = &s->now[w];
    for (uint64_t rest = b->doubt; rest; rest &= rest - 1) {
        uint64_t bit = rest & -rest;
        int      slot = w * CIRCLE_LANES + __builtin_ctzll(rest), x0, x1, width = s->target->reference.width;
        leat__circle_span(&circles[slot].x, width, y, &x0, &x1);
        s->lanes.x0[slot] = x0;
        s->lanes.x1[slot] = x1;
        b->alive = x0 < x1 ? b->alive | bit : b->alive & ~bit;
        b->left = x0 < x1 && x0 > 0 ? b->left | bit : b->left & ~bit;
        b->right = x0 < x1 && x1 < width ? b->right | bit : b->right & ~bit;
    }
}

INLINE void change_word(leat_circle_sweep *s, int w, const int words) {
    leat_circle_bits is = s->now[w], was = s->before[w];
    uint64_t changed = (is.alive ^ was.alive) | (is.left ^ was.left) | (is.right ^ was.right);
    for (; changed; changed &= changed - 1) {
        uint64_t bit = changed & -changed;
        leat_circle_bits old = {was.alive & bit, was.left & bit, was.right & bit, 0}, new = {is.alive & bit, is.left & bit, is.right & bit, 0};
        change_circle(s, w * CIRCLE_LANES + __builtin_ctzll(bit), old, new, words);
    }
    s->before[w] = is;
}

/* Insertion sort by x: nearly always sorted already. */
INLINE void sort_edges(leat_circle_sweep *s, const int words) {
    const int32_t *x_of = s->lanes.x0;
    int32_t       *at = s->at, last = 0;
    for (int i = s->start, end = s->start + s->n; i < end; i++) {
        int32_t x = x_of[s->edge[i]];
        at[i] = x;
        if (__builtin_expect(x >= last, 1)) {
            last = x;
            continue;
        }
        for (int j = i; j > s->start && at[j - 1] > x; j--) {
            exchange(s, j, words);
            at[j] = at[j - 1];
            at[j - 1] = x;
        }
    }
}

INLINE void add_row(leat_circle_sweep *s, const quad *prefix, int width) {
    quad  last = {0};
    quad *sum = s->sum;
    int   end = s->start + s->n;
    for (int i = s->start; i < end; i++) {
        quad here = prefix[s->at[i]];
        sum[i] += here - last;
        last = here;
    }
    sum[end] += prefix[width] - last;
}

INLINE void sweep_rows(leat_circle_sweep *s, const leat_circle *circles, const int words) {
    const leat_circle_target *t = s->target;
    int                       width = t->reference.width, height = t->reference.height;
    int64_t                   most = INT32_MAX / (255 * (int64_t)width), rows = 0; /* until a sum might overflow */
    for (int y = 0; y < height; y++) {
        leat__circle.edges(&s->lanes, width, y, s->now);
        for (int w = 0; w < words; w++) {
            if (s->now[w].doubt) settle_doubt(s, circles, w, y);
            change_word(s, w, words);
        }
        sort_edges(s, words);
        add_row(s, (const quad *)t->sums + (int64_t)y * (width + 1), width);
        if (++rows < most && y + 1 < height) continue;
        rows = 0;
        for (int run = s->start; run <= s->start + s->n; run++) end_region(s, run, words);
    }
    colour_regions(s);
}

/* ---- entry ---------------------------------------------------------------------------------------------------------------------- */

static void load_circles(leat_circle_sweep *s, const leat_circle *circles, int count) {
    for (int i = 0; i < s->lanes.slots; i++) {
        if (i >= count || circles[i].opacity == 0) {
            leat__circle_lane_clear(&s->lanes, i);
            continue;
        }
        const leat_circle *c = &circles[i];
        leat__circle_lane_set(&s->lanes, i, &c->x);
        s->paints[i] = (leat_circle_paint){{c->red * c->opacity, c->green * c->opacity, c->blue * c->opacity}, 1 - c->opacity};
    }
}

int64_t leat__circle_sweep_run(leat_circle_sweep *s, const leat_circle_target *target, const leat_circle *circles, int count) {
    s->words = count <= CIRCLE_LANES ? 1 : (count + CIRCLE_LANES - 1) / CIRCLE_LANES;
    s->lanes.slots = s->words * CIRCLE_LANES;
    s->lanes.used = count;
    s->lanes.x1 = s->lanes.x0 + s->lanes.slots;
    s->target = target;
    s->start = s->room / 2;
    s->n = s->regions = 0;
    s->total = 0;
    s->sum[s->start] = (quad){0};
    memset(s->set + s->start * s->words, 0, (size_t)s->words * sizeof *s->set);
    memset(s->before, 0, sizeof s->before);
    load_circles(s, circles, count);
    switch (s->words) {
    case 1: sweep_rows(s, circles, 1); break;
    case 2: sweep_rows(s, circles, 2); break;
    default: sweep_rows(s, circles, s->words);
    }
    return s->total;
}

/* Carves `bytes` from a block that is measured first (*base NULL), then laid out. */
static void *carve(char *base, size_t *used, size_t bytes) {
    void *place = base ? base + *used : NULL;
    *used += (bytes + LEAT_ALIGN - 1) / LEAT_ALIGN * LEAT_ALIGN;
    return place;
}

static size_t lay_out(leat_circle_sweep *s, char *base, size_t slots) {
    size_t used = 0, words = slots / CIRCLE_LANES, room = 8 * slots;
    s->room = (int)room;
    s->lanes.cy = carve(base, &used, slots * sizeof(double));
    s->lanes.r2 = carve(base, &used, slots * sizeof(double));
    s->lanes.fraction = carve(base, &used, slots * sizeof(float));
    s->lanes.slack = carve(base, &used, slots * sizeof(float));
    s->lanes.least = carve(base, &used, slots * sizeof(float));
    s->lanes.base = carve(base, &used, slots * sizeof(int32_t));
    s->lanes.x0 = carve(base, &used, 2 * slots * sizeof(int32_t));
    s->paints = carve(base, &used, slots * sizeof *s->paints);
    s->edge = carve(base, &used, (room + 2) * sizeof *s->edge);
    s->at = carve(base, &used, (room + 2) * sizeof *s->at);
    s->sum = carve(base, &used, (room + 3) * sizeof *s->sum);
    s->set = carve(base, &used, (room + 3) * words * sizeof *s->set);
    s->region_set = carve(base, &used, REGIONS * words * sizeof *s->region_set);
    s->region_sum = carve(base, &used, REGIONS * sizeof *s->region_sum);
    return used;
}

leat_circle_sweep *leat__circle_sweep_open(int max_circles) {
    size_t slots = ((size_t)max_circles + CIRCLE_LANES) / CIRCLE_LANES * CIRCLE_LANES;
    leat_circle_sweep *s = leat__calloc(1, sizeof *s, LEAT_MEMORY_PLAN);
    if (!s) return NULL;
    s->block = leat__calloc(1, lay_out(s, NULL, slots), LEAT_MEMORY_PLAN);
    if (s->block) {
        lay_out(s, s->block, slots);
        return s;
    }
    leat__circle_sweep_close(s);
    return NULL;
}

void leat__circle_sweep_close(leat_circle_sweep *s) {
    if (!s) return;
    leat__free(s->block);
    leat__free(s);
}
