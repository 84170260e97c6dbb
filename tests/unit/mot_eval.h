/* mot_eval.h - MOTA (Bernardin and Stiefelhagen 2008) and IDF1 (Ristani et al. 2016) of tracks against the truth.
 *
 * A match needs an IoU of 0.5.  MOTA: pairs of the last frame are kept while they overlap, the rest is matched so that most pairs, then most overlap,
 * come out.  IDF1: one assignment of true to found identities over the whole sequence.  The assignment is the test's own: rows are added by the
 * Bellman-Ford way over the residual graph, slow and simple.
 */
#ifndef LEAT_TESTS_MOT_EVAL_H
#define LEAT_TESTS_MOT_EVAL_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct eval_box {
    int   frame, id; /* frame from 0, id from 1 */
    float box[4];
} eval_box;

typedef struct eval_result {
    double mota, idf1;
    int    truths, misses, false_boxes, switches;
} eval_result;

static inline double eval_iou(const float *a, const float *b) {
    double w = fmin(a[2], b[2]) - fmax(a[0], b[0]), h = fmin(a[3], b[3]) - fmax(a[1], b[1]);
    if (w <= 0 || h <= 0) return 0;
    return w * h / ((double)(a[2] - a[0]) * (double)(a[3] - a[1]) + (double)(b[2] - b[0]) * (double)(b[3] - b[1]) - w * h);
}

/* Pairs of largest sum of gain [rows][columns]; match [rows] = column or -1.  Augments along the best path until none gains. */
static inline double eval_assign(const double *gain, int rows, int columns, int *match) {
    int    *owner = malloc((size_t)(columns + 1) * sizeof *owner), *from = malloc((size_t)(columns + 1) * sizeof *from);
    double *best = malloc((size_t)(columns + 1) * sizeof *best), total = 0;
    for (int j = 0; j < columns; j++) owner[j] = -1;
    for (int i = 0; i < rows; i++) match[i] = -1;
    for (;;) {
        int end = -1;
        double top = 1e-12;
        for (int j = 0; j < columns; j++) { /* paths of one edge, from a free row */
            best[j] = -INFINITY, from[j] = -1;
            for (int i = 0; i < rows; i++)
                if (match[i] < 0 && gain[i * columns + j] > best[j]) best[j] = gain[i * columns + j], from[j] = i;
        }
        for (int changed = 1; changed;) { /* j is taken by row r: r may move on to another column */
            changed = 0;
            for (int j = 0; j < columns; j++) {
                int r = owner[j];
                if (r < 0 || best[j] == -INFINITY) continue;
                for (int k = 0; k < columns; k++) {
                    double value = best[j] - gain[r * columns + j] + gain[r * columns + k];
                    if (k != j && value > best[k] + 1e-12) best[k] = value, from[k] = r, changed = 1;
                }
            }
        }
        for (int j = 0; j < columns; j++)
            if (owner[j] < 0 && best[j] > top) top = best[j], end = j;
        if (end < 0) break;
        total += top;
        while (end >= 0) {
            int r = from[end], next = match[r];
            match[r] = end;
            owner[end] = r;
            end = next;
        }
    }
    free(owner);
    free(from);
    free(best);
    return total;
}

static inline int eval_most_id(const eval_box *b, int n) {
    int most = 0;
    for (int i = 0; i < n; i++) most = b[i].id > most ? b[i].id : most;
    return most;
}

/* Counts a frame's pairs; held [id of the truth] = id of the track it was last matched with. */
static inline void eval_frame(const eval_box *t, int nt, const eval_box *f, int nf, int *held, eval_result *r, double *together, int most_f) {
    double *gain = calloc((size_t)(nt * nf + 1), sizeof *gain);
    int    *match = calloc((size_t)nt + 1, sizeof *match), hits = 0;
    for (int i = 0; i < nt; i++)
        for (int j = 0; j < nf; j++) {
            double iou = eval_iou(t[i].box, f[j].box);
            if (iou >= 0.5) gain[i * nf + j] = 1000 + iou + (held[t[i].id] == f[j].id ? 1e6 : 0);
            if (iou >= 0.5) together[t[i].id * (most_f + 1) + f[j].id] += 1;
        }
    eval_assign(gain, nt, nf, match);
    for (int i = 0; i < nt; i++) {
        if (match[i] < 0 || gain[i * nf + match[i]] == 0) continue;
        int id = f[match[i]].id;
        r->switches += held[t[i].id] && held[t[i].id] != id;
        held[t[i].id] = id;
        hits++;
    }
    r->truths += nt;
    r->misses += nt - hits;
    r->false_boxes += nf - hits;
    free(gain);
    free(match);
}

/* Both lists in order of frames. */
static inline eval_result eval_tracks(const eval_box *t, int nt, const eval_box *f, int nf) {
    eval_result r = {0};
    int most_t = eval_most_id(t, nt), most_f = eval_most_id(f, nf), i = 0, j = 0;
    int    *held = calloc((size_t)most_t + 1, sizeof *held), *match = calloc((size_t)most_t + 1, sizeof *match);
    double *together = calloc((size_t)(most_t + 1) * (size_t)(most_f + 1), sizeof *together);
    while (i < nt || j < nf) {
        int frame = i < nt && (j >= nf || t[i].frame <= f[j].frame) ? t[i].frame : f[j].frame, a = i, b = j;
        while (i < nt && t[i].frame == frame) i++;
        while (j < nf && f[j].frame == frame) j++;
        eval_frame(t + a, i - a, f + b, j - b, held, &r, together, most_f);
    }
    double true_positives = eval_assign(together, most_t + 1, most_f + 1, match);
    r.mota = 1.0 - (double)(r.misses + r.false_boxes + r.switches) / (r.truths ? r.truths : 1);
    r.idf1 = nt + nf ? 2 * true_positives / (nt + nf) : 1;
    free(held);
    free(match);
    free(together);
    return r;
}

#endif
