/* track_assign.c - the assignment problem, exactly: connected parts first, then shortest augmenting paths.
 *
 * Pairs that are allowed make a graph that nearly always falls into small parts (objects that do not touch).  Each part is solved on its own:
 * one row and one column are a pair; else shortest augmenting paths with potentials (Jonker and Volgenant 1987; Kuhn 1955), O(n^2 m) of the
 * part.  Costs are 1 - gain; a pair that is not allowed costs 1, as much as staying alone, and is dropped afterwards.
 */
#include <math.h>
#include <string.h>

#include "track_assign.h"

/* Scratch: the union-find over rows and columns, whose roots head lists of members; a part; the potentials and paths of its solution. */
typedef struct work {
    int32_t *parent, *head, *next; /* [rows + columns] */
    int32_t *row, *column;    /* members of the part */
    double  *u, *v, *least;   /* potentials of lines and posts, slack */
    int32_t *line_of, *way;   /* of each post: its line, the post before it on the path */
    uint8_t *used;
    int      rows, columns;   /* of the part */
} work;

static size_t padded(size_t n) { return (n + 8) / 8 * 8; }

size_t leat__assign_bytes(int rows, int columns) {
    size_t n = padded((size_t)rows + (size_t)columns + 1);
    return n * (3 * sizeof(double) + 7 * sizeof(int32_t) + 1);
}

static work carve(void *scratch, int rows, int columns) {
    size_t n = padded((size_t)rows + (size_t)columns + 1);
    double *d = scratch;
    int32_t *i = (int32_t *)(d + 3 * n);
    return (work){i, i + n, i + 2 * n, i + 3 * n, i + 4 * n, d, d + n, d + 2 * n, i + 5 * n, i + 6 * n, (uint8_t *)(i + 7 * n), 0, 0};
}

/* ---- parts ---------------------------------------------------------------------------------------------------------------- */

static int32_t root(int32_t *parent, int32_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

static void find_parts(const float *gain, int rows, int columns, int stride, work *w) {
    for (int i = 0; i < rows + columns; i++) w->parent[i] = i, w->head[i] = -1;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            if (gain[(size_t)i * (size_t)stride + (size_t)j] > 0) w->parent[root(w->parent, i)] = root(w->parent, rows + j);
    for (int i = rows + columns - 1; i >= 0; i--) {
        int32_t r = root(w->parent, i);
        w->next[i] = w->head[r];
        w->head[r] = i;
    }
}

/* ---- a part --------------------------------------------------------------------------------------------------------------- */

typedef struct part {
    const float *gain;
    int          stride, turned; /* turned: lines are columns */
    work        *w;
} part;

static double cost(const part *p, int line, int post) {
    int i = p->turned ? post : line, j = p->turned ? line : post;
    return 1.0 - (double)p->gain[(size_t)p->w->row[i] * (size_t)p->stride + (size_t)p->w->column[j]];
}

/* One step of Dijkstra from post `at`: relaxes all posts, moves the potentials, returns the nearest new post. */
static int step(const part *p, int at, int posts) {
    work *w = p->w;
    int line = w->line_of[at], next = 0;
    double delta = INFINITY;
    w->used[at] = 1;
    for (int j = 1; j <= posts; j++) {
        if (w->used[j]) continue;
        double slack = cost(p, line - 1, j - 1) - w->u[line] - w->v[j];
        if (slack < w->least[j]) w->least[j] = slack, w->way[j] = at;
        if (w->least[j] < delta) delta = w->least[j], next = j;
    }
    for (int j = 0; j <= posts; j++) {
        if (w->used[j]) w->u[w->line_of[j]] += delta, w->v[j] -= delta;
        else w->least[j] -= delta;
    }
    return next;
}

/* Lines are numbered from 1, post 0 is where each path begins; lines <= posts. */
static void solve(const part *p, int lines, int posts) {
    work *w = p->w;
    for (int i = 0; i <= lines; i++) w->u[i] = 0;
    for (int j = 0; j <= posts; j++) w->v[j] = 0, w->line_of[j] = 0;
    for (int i = 1; i <= lines; i++) {
        int at = 0;
        w->line_of[0] = i;
        for (int j = 0; j <= posts; j++) w->least[j] = INFINITY, w->used[j] = 0;
        do at = step(p, at, posts);
        while (w->line_of[at] != 0);
        for (; at; at = w->way[at]) w->line_of[at] = w->line_of[w->way[at]];
    }
}

static void match_part(const float *gain, int stride, work *w, int32_t *match) {
    part p = {gain, stride, w->rows > w->columns, w};
    if (w->rows == 1 && w->columns == 1) {
        match[w->row[0]] = w->column[0];
        return;
    }
    int posts = p.turned ? w->rows : w->columns;
    solve(&p, p.turned ? w->columns : w->rows, posts);
    for (int j = 1; j <= posts; j++) {
        int line = w->line_of[j] - 1, i = p.turned ? j - 1 : line, k = p.turned ? line : j - 1;
        if (line >= 0 && gain[(size_t)w->row[i] * (size_t)stride + (size_t)w->column[k]] > 0) match[w->row[i]] = w->column[k];
    }
}

void leat__assign(const float *gain, int rows, int columns, int stride, int32_t *match, void *scratch) {
    work w = carve(scratch, rows, columns);
    find_parts(gain, rows, columns, stride, &w);
    for (int i = 0; i < rows; i++) match[i] = -1;
    for (int r = 0; r < rows + columns; r++) {
        w.rows = w.columns = 0;
        for (int32_t k = w.head[r]; k >= 0; k = w.next[k]) {
            if (k < rows) w.row[w.rows++] = k;
            else w.column[w.columns++] = k - rows;
        }
        if (w.rows && w.columns) match_part(gain, stride, &w, match);
    }
}
