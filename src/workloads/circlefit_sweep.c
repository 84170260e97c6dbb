/* circlefit_sweep.c - the exact cost of circles on a canvas of one colour, without painting a pixel.
 *
 * On a flat canvas a scene is a map of regions, each painted by one set of circles and so of one colour v.  A region's squared error is
 * n v^2 - 2 v sum(reference) + sum(reference^2); the last term is the same for every scene.  The sweep goes down the rows with the list
 * of edges (left and right sides of circles) that stand inside the canvas, in order of x.  Run i is what lies between edges i - 1 and i; its
 * area and its sum of the reference come from two prefix sums a row, and add up for as long as the run's set of circles stays the same.
 * Only when two edges cross, or an edge comes or goes, a run ends: its set and its sums are written down as a region, to be coloured later, sixteen
 * at a time.  For 30 random circles on 256 x 256 pixels that is 982,000 pixel writes, 4,700 runs, and some 280 regions.
 *
 *   edge index     0     1     2            the list may start anywhere in its arrays, so that edges
 *   run index   0  |  1  |  2  |  3         come and go at both ends without moving the rest; behind it stand walls, edges at the right border
 *
 * An edge that leaves the canvas on the left is carried to the front by exchanges and taken off there, which leaves the right sets in all runs
 * it passed; coming in is the same backwards.  Sets are bit masks of `words` words.  Everything is integers; sums stay below 2^31 on up to
 * 2^22 pixels.
 */
#include "workloads/circlefit_sweep.h"

#include <string.h>

#include "base/mem.h"

#define INLINE static inline __attribute__((always_inline))

enum { REGIONS = 512 };

typedef int32_t quad __attribute__((vector_size(16), aligned(16)));

/* An edge is called by the place of its column of x in the array of spans. */
#define LEFT_EDGE(circle) ((circle) * 2 * CIRCLE_TILE)
#define RIGHT_EDGE(circle) (LEFT_EDGE(circle) + CIRCLE_TILE)

/* What a circle is doing, before and on a row: bit 0 its span is not empty, bit 1 its left edge stands inside the canvas, bit 2 the right one. */
enum { ALIVE = 1, LEFT = 2, RIGHT = 4 };

struct leat_circle_sweep {
    leat_circle_outline *outlines;   /* [circles] */
    leat_circle_paint   *paints;     /* [circles] */
    int32_t             *y0, *y1;    /* [circles] rows of the box; y0 = y1: invisible */
    leat_circle_spans   *spans;      /* [circles] of the tile of rows */
    leat_circle_flags   *flags;      /* [circles] of the tile of rows */
    uint8_t             *state;      /* [circles] on the last row */
    uint16_t            *active;     /* circles of the tile */
    uint64_t             changed[SWEEP_MOST_WORDS][CIRCLE_TILE]; /* circles whose state changes on a row of the tile */
    unsigned             changing;   /* rows of the tile on which any does */
    uint32_t             wall;       /* an edge that stands at the right border on each row */
    uint32_t            *edge;       /* [room + CIRCLE_EDGES] places in `spans` of the edges' columns: LEFT_EDGE and RIGHT_EDGE of a circle */
    int32_t             *at;         /* [room + CIRCLE_EDGES] x of the edge on this row */
    quad                *sum;        /* [room + CIRCLE_EDGES] of the run: reference R, G, B and pixels */
    uint64_t            *set;        /* [room + 2, words] circles of the run */
    int                  room, start, n, words, row; /* row: of the tile */
    uint64_t            *region_set; /* [words, REGIONS + CIRCLE_BATCH] */
    quad                *region_sum; /* [REGIONS + CIRCLE_BATCH] */
    int                  regions;
    int64_t              total;
    const leat_circle_target *target;
    void                *block;
};

/* ---- regions -------------------------------------------------------------------------------------------------------------------- */

static void colour_regions(leat_circle_sweep *s) {
    memset(s->region_sum + s->regions, 0, CIRCLE_BATCH * sizeof *s->region_sum);
    s->total += leat__circle.regions(s->paints, s->target->ground, s->region_set, s->words, REGIONS + CIRCLE_BATCH, (const int32_t *)s->region_sum, s->regions);
    s->regions = 0;
}

INLINE void end_region(leat_circle_sweep *s, int run, const int words) {
    if (s->sum[run][3] == 0) return; /* no pixels */
    for (int w = 0; w < words; w++) s->region_set[w * (REGIONS + CIRCLE_BATCH) + s->regions] = s->set[run * words + w];
    s->region_sum[s->regions] = s->sum[run];
    s->sum[run] = (quad){0};
    if (++s->regions == REGIONS) colour_regions(s);
}

/* ---- the list of edges ---------------------------------------------------------------------------------------------------------- */

INLINE void flip(leat_circle_sweep *s, int run, uint32_t edge, const int words) {
    uint32_t circle = edge / (2 * CIRCLE_TILE);
    s->set[run * words + (words == 1 ? 0 : circle / CIRCLE_LANES)] ^= 1ull << (circle % CIRCLE_LANES);
}

/* The spans as one array of columns, CIRCLE_TILE rows each. */
INLINE int32_t *columns_of(const leat_circle_sweep *s) { return (int32_t *)s->spans; }

/* x of an edge on the row in hand. */
INLINE int32_t x_of(const leat_circle_sweep *s, uint32_t edge) { return columns_of(s)[edge + s->row]; }

/* Whatever is read together with the last edges of the list. */
INLINE void put_walls(leat_circle_sweep *s) {
    for (int i = 0; i < CIRCLE_EDGES; i++) s->edge[s->start + s->n + i] = s->wall;
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
    uint32_t a = s->edge[j - 1], b = s->edge[j];
    end_region(s, j, words);
    s->edge[j - 1] = b;
    s->edge[j] = a;
    flip(s, j, a, words);
    flip(s, j, b, words);
}

static void push_front(leat_circle_sweep *s, uint32_t edge, const int words) {
    if (s->start == 0) recentre(s, words);
    int first = --s->start;
    s->n++;
    s->edge[first] = edge;
    copy_set(s, first + 1, first, words);
    flip(s, first, edge, words);
    s->sum[first] = (quad){0};
}

static void push_back(leat_circle_sweep *s, uint32_t edge, const int words) {
    if (s->start + s->n == s->room) recentre(s, words);
    int last = s->start + s->n++;
    s->edge[last] = edge;
    copy_set(s, last, last + 1, words);
    flip(s, last + 1, edge, words);
    s->sum[last + 1] = (quad){0};
}

static int find(const leat_circle_sweep *s, uint32_t edge) {
    int i = s->start;
    while (s->edge[i] != edge) i++;
    return i;
}

/* The edge has left the canvas on this side. */
static void leave_front(leat_circle_sweep *s, uint32_t edge, const int words) {
    for (int j = find(s, edge); j > s->start; j--) exchange(s, j, words);
    end_region(s, s->start, words);
    s->start++;
    s->n--;
}

static void leave_back(leat_circle_sweep *s, uint32_t edge, const int words) {
    for (int j = find(s, edge) + 1; j < s->start + s->n; j++) exchange(s, j, words);
    end_region(s, s->start + s->n, words);
    s->n--;
}

/* Both edges enter side by side, an empty run between them; sorting moves them apart. */
static void enter_pair(leat_circle_sweep *s, uint32_t circle, const int words) {
    int i = s->start, x = x_of(s, LEFT_EDGE(circle));
    if (s->start + s->n + 2 > s->room) {
        recentre(s, words);
        i = s->start;
    }
    while (i < s->start + s->n && x_of(s, s->edge[i]) < x) i++;
    shift(s, i, 2, words);
    s->n += 2;
    s->edge[i] = LEFT_EDGE(circle);
    s->edge[i + 1] = RIGHT_EDGE(circle);
    copy_set(s, i + 2, i, words);
    copy_set(s, i + 2, i + 1, words);
    flip(s, i + 1, LEFT_EDGE(circle), words);
    s->sum[i] = s->sum[i + 2];
    s->sum[i + 1] = s->sum[i + 2] = (quad){0};
}

/* The runs on both sides of a vanished pair have one set again. */
static void leave_pair(leat_circle_sweep *s, uint32_t circle, const int words) {
    int i = find(s, LEFT_EDGE(circle)), j = find(s, RIGHT_EDGE(circle));
    for (; i + 1 < j; i++) exchange(s, i + 1, words);
    end_region(s, j, words);
    s->sum[j + 1] += s->sum[i];
    shift(s, j + 1, -2, words);
    s->n -= 2;
}

static void flip_all(leat_circle_sweep *s, uint32_t circle, const int words) {
    for (int run = s->start; run <= s->start + s->n; run++) {
        end_region(s, run, words);
        flip(s, run, LEFT_EDGE(circle), words);
    }
}

/* ---- rows ----------------------------------------------------------------------------------------------------------------------- */

static void change_circle(leat_circle_sweep *s, uint32_t circle, int was, int is, const int words) {
    uint32_t left = LEFT_EDGE(circle), right = RIGHT_EDGE(circle);
    if (!(was & ALIVE)) {
        if (is == (ALIVE | LEFT | RIGHT)) enter_pair(s, circle, words);
        else if (is & LEFT) push_back(s, left, words);
        else if (is & RIGHT) push_front(s, right, words);
        else flip_all(s, circle, words);
    } else if (!(is & ALIVE)) {
        if (was == (ALIVE | LEFT | RIGHT)) leave_pair(s, circle, words);
        else if (was & LEFT) leave_back(s, left, words);
        else if (was & RIGHT) leave_front(s, right, words);
        else flip_all(s, circle, words);
    } else {
        if (was & ~is & LEFT) leave_front(s, left, words);
        if (was & ~is & RIGHT) leave_back(s, right, words);
        if (is & ~was & LEFT) push_front(s, left, words);
        if (is & ~was & RIGHT) push_back(s, right, words);
    }
}

/* Circles that reach the tile, or ended with the one before, and their spans.  Nothing here waits for a result. */
INLINE int find_spans(leat_circle_sweep *s, const leat_circle *circles, int count, int y) {
    int n = 0, width = s->target->reference.width, end = y + CIRCLE_TILE;
    for (int i = 0; i < count; i++) {
        s->active[n] = (uint16_t)i;
        n += s->y0[i] < end && s->y1[i] >= y && s->y0[i] < s->y1[i];
    }
    for (int k = 0; k < n; k++) {
        int i = s->active[k];
        s->flags[i] = leat__circle.spans(&s->outlines[i], &circles[i].x, width, y, &s->spans[i]);
    }
    return n;
}

/* Rows on which a flag differs from the row before; `before`: the flag on the last row of the tile before. */
INLINE unsigned steps(unsigned flag, int before) { return flag ^ (flag << 1 | (before != 0)); }

INLINE void begin_tile(leat_circle_sweep *s, const leat_circle *circles, int count, int y, int rows, const int words) {
    int n = find_spans(s, circles, count, y);
    s->changing = 0;
    for (int w = 0; w < words; w++)
        for (int i = 0; i < CIRCLE_TILE; i++) s->changed[w][i] = 0;
    for (int k = 0; k < n; k++) {
        int      i = s->active[k], was = s->state[i], w = words == 1 ? 0 : i / CIRCLE_LANES;
        leat_circle_flags f = s->flags[i];
        unsigned when = steps(leat__circle_alive(f), was & ALIVE) | steps(leat__circle_left(f), was & LEFT) | steps(leat__circle_right(f), was & RIGHT);
        when &= (1u << rows) - 1;
        s->changing |= when;
        for (; when; when &= when - 1) s->changed[w][__builtin_ctz(when)] |= 1ull << (i % CIRCLE_LANES);
    }
}

static void change_circles(leat_circle_sweep *s, const int words) {
    int row = s->row;
    for (int w = 0; w < words; w++)
        for (uint64_t rest = s->changed[w][row]; rest; rest &= rest - 1) {
            uint32_t circle = (uint32_t)(w * CIRCLE_LANES + __builtin_ctzll(rest));
            uint64_t f = s->flags[circle].bits >> row;
            int      is = (int)((f & 1) * ALIVE | (f >> 16 & 1) * LEFT | (f >> 32 & 1) * RIGHT);
            change_circle(s, circle, s->state[circle], is, words);
            s->state[circle] = (uint8_t)is;
        }
    put_walls(s);
}

/* Insertion sort by x, of a row that is not in order. */
static void sort_edges(leat_circle_sweep *s, const int words) {
    int32_t *at = s->at;
    for (int i = s->start + 1, end = s->start + s->n; i < end; i++) {
        int32_t x = at[i];
        for (int j = i; j > s->start && at[j - 1] > x; j--) {
            exchange(s, j, words);
            at[j] = at[j - 1];
            at[j - 1] = x;
        }
    }
}

/* Rows of a tile, from event to event. */
INLINE void sweep_tile(leat_circle_sweep *s, int y, int rows, const int words) {
    for (int row = 0; row < rows;) {
        s->row = row;
        if (s->changing >> row & 1) change_circles(s, words);
        unsigned later = s->changing >> row >> 1;
        int      end = later ? row + 1 + __builtin_ctz(later) : rows;
        leat_circle_list list = {s->edge + s->start, s->at + s->start, (int32_t *)(s->sum + s->start), s->n, 0};
        while ((row += leat__circle.add_rows(&s->target->table, y + row, end - row, columns_of(s) + row, &list)) < end) {
            sort_edges(s, words);
            list.is_located = 1;
        }
    }
}

INLINE void sweep_rows(leat_circle_sweep *s, const leat_circle *circles, int count, const int words) {
    int height = s->target->reference.height;
    for (int y = 0; y < height; y += CIRCLE_TILE) {
        int rows = height - y < CIRCLE_TILE ? height - y : CIRCLE_TILE;
        begin_tile(s, circles, count, y, rows, words);
        sweep_tile(s, y, rows, words);
    }
    for (int run = s->start; run <= s->start + s->n; run++) end_region(s, run, words);
    colour_regions(s);
}

/* ---- entry ---------------------------------------------------------------------------------------------------------------------- */

static void load_circles(leat_circle_sweep *s, const leat_circle *circles, int count) {
    for (int i = 0; i < count; i++) {
        leat__circle_rows(&circles[i].x, s->target->reference.height, &s->y0[i], &s->y1[i]);
        s->state[i] = 0;
        if (circles[i].opacity == 0) s->y0[i] = s->y1[i] = 0;
        leat__circle_outline_of(&circles[i].x, &s->outlines[i]);
        leat__circle_paint_of(&circles[i].x, &s->paints[i]);
    }
}

int64_t leat__circle_sweep_run(leat_circle_sweep *s, const leat_circle_target *target, const leat_circle *circles, int count) {
    s->words = count <= CIRCLE_LANES ? 1 : (count + CIRCLE_LANES - 1) / CIRCLE_LANES;
    s->target = target;
    s->start = s->room / 2;
    s->n = s->regions = 0;
    s->total = 0;
    s->sum[s->start] = (quad){0};
    memset(s->set + s->start * s->words, 0, (size_t)s->words * sizeof *s->set);
    for (int i = 0; i < CIRCLE_TILE; i++) columns_of(s)[s->wall + i] = target->reference.width;
    put_walls(s);
    load_circles(s, circles, count);
    if (s->words == 1) sweep_rows(s, circles, count, 1);
    else sweep_rows(s, circles, count, s->words);
    return s->total;
}

/* Carves `bytes` from a block that is measured first (base NULL), then laid out. */
static void *carve(char *base, size_t *used, size_t bytes) {
    void *place = base ? base + *used : NULL;
    *used += (bytes + LEAT_ALIGN - 1) / LEAT_ALIGN * LEAT_ALIGN;
    return place;
}

static size_t lay_out(leat_circle_sweep *s, char *base, size_t circles) {
    size_t used = 0, words = (circles + CIRCLE_LANES - 1) / CIRCLE_LANES, room = 6 * circles + 8, regions = REGIONS + CIRCLE_BATCH;
    s->room = (int)room;
    s->wall = LEFT_EDGE((uint32_t)circles);
    s->outlines = carve(base, &used, circles * sizeof *s->outlines);
    s->paints = carve(base, &used, circles * sizeof *s->paints);
    s->y0 = carve(base, &used, circles * sizeof *s->y0);
    s->y1 = carve(base, &used, circles * sizeof *s->y1);
    s->spans = carve(base, &used, (circles + 1) * sizeof *s->spans);
    s->flags = carve(base, &used, circles * sizeof *s->flags);
    s->state = carve(base, &used, circles * sizeof *s->state);
    s->active = carve(base, &used, (circles + 1) * sizeof *s->active);
    s->edge = carve(base, &used, (room + CIRCLE_EDGES) * sizeof *s->edge);
    s->at = carve(base, &used, (room + CIRCLE_EDGES) * sizeof *s->at);
    s->sum = carve(base, &used, (room + CIRCLE_EDGES) * sizeof *s->sum);
    s->set = carve(base, &used, (room + 2) * words * sizeof *s->set);
    s->region_set = carve(base, &used, regions * words * sizeof *s->region_set);
    s->region_sum = carve(base, &used, regions * sizeof *s->region_sum);
    return used;
}

leat_circle_sweep *leat__circle_sweep_open(int max_circles) {
    size_t circles = max_circles < 1 ? 1 : (size_t)max_circles;
    leat_circle_sweep *s = leat__calloc(1, sizeof *s, LEAT_MEMORY_PLAN);
    if (!s) return NULL;
    s->block = leat__calloc(1, lay_out(s, NULL, circles), LEAT_MEMORY_PLAN);
    if (s->block) {
        lay_out(s, s->block, circles);
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
