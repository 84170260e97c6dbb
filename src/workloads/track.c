/* track.c - SORT and ByteTrack: predict, assign, correct, start, forget.
 *
 * An update:
 *   1. every track is moved on to where its object should be;
 *   2. detections of at least `high` are assigned to tracks, so that the sum of overlaps is largest;
 *   3. byte: those of `low`..`high` are assigned to the tracks that found none and were seen in the last update;
 *   4. what is left of the high ones is assigned to tentative tracks; then what is left starts new ones.
 * A track is tentative until it was seen min_hits times in a row; one miss ends it.  One that was reported waits max_age frames.
 *
 * Smoothing belongs to the track, not to a place in a list: the last reported box is moved as the filter says and then drawn towards the new
 * one, so it does not lag behind a moving object; the score is the median of the track's last few.  A track that was not seen is not reported:
 * no ghosts.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "leat/track.h"
#include "track_assign.h"
#include "track_motion.h"

enum { MOST_WINDOW = 15, MOST_TRACKS = 65536, MOST_DETECTIONS = 65536 };

typedef struct track {
    int32_t      id, class_id;
    int32_t      hits;           /* updates in which it was seen */
    int32_t      reported;       /* no longer tentative */
    int32_t      seen;           /* in this update: index of the detection + 1, or 0 */
    int32_t      seen_last;      /* in the update before */
    float        age;            /* frames since it was seen */
    leat__motion motion;
    float        expected[4];    /* box of the prediction */
    float        before[4];      /* filter's box when it was last corrected */
    float        smooth[4];
    float        scores[MOST_WINDOW];
    int32_t      n_scores;       /* ever */
} track;

struct leat_tracker {
    leat_tracker_options options;
    leat_tracker_stats   stats;
    track   *tracks;             /* [max_tracks], the first stats.alive are in use */
    float   *gain;               /* [max_tracks, max_detections] */
    int32_t *rows, *columns;     /* tracks and detections of a pass */
    int32_t *match;              /* [max_tracks] */
    int32_t *owner;              /* [max_detections]: index of the track + 1, or 0 */
    uint8_t *valid;              /* [max_detections] */
    void    *scratch;
    int32_t  next_id;
};

static const char *const kind_names[] = {"none", "sort", "byte"};

const char *leat_track_name(leat_track_kind kind) { return (unsigned)kind < 3 ? kind_names[kind] : NULL; }

void leat_tracker_options_default(leat_tracker_options *options) {
    *options = (leat_tracker_options){.size = sizeof *options, .kind = LEAT_TRACK_BYTE, .high = 0.25f, .low = 0.1f, .start = 0.35f, .iou = 0.2f,
                                      .iou_low = 0.4f, .max_age = 30, .min_hits = 2, .box_weight = 0.7f, .score_window = 5, .max_tracks = 512,
                                      .max_detections = 512};
}

/* ---- open ----------------------------------------------------------------------------------------------------------------- */

static int in_unit(float x) { return x >= 0 && x <= 1; }

static const char *wrong_option(const leat_tracker_options *o) {
    if (o->kind < LEAT_TRACK_NONE || o->kind > LEAT_TRACK_BYTE) return "kind";
    if (!in_unit(o->high) || !in_unit(o->low) || !in_unit(o->start)) return "high, low or start (not in 0..1)";
    if (!in_unit(o->iou) || !in_unit(o->iou_low)) return "iou or iou_low (not in 0..1)";
    if (!in_unit(o->box_weight) || o->box_weight == 0) return "box_weight (not in 0..1, above 0)";
    if (!(o->max_age >= 0) || o->min_hits < 1) return "max_age or min_hits";
    if (o->score_window < 1 || o->score_window > MOST_WINDOW) return "score_window (not in 1..15)";
    if (o->max_tracks < 1 || o->max_tracks > MOST_TRACKS || o->max_detections < 1 || o->max_detections > MOST_DETECTIONS) return "max_tracks or max_detections";
    return NULL;
}

static int allocate(leat_tracker *t, leat_error *error) {
    size_t rows = (size_t)t->options.max_tracks, columns = (size_t)t->options.max_detections;
    t->tracks = leat__calloc(rows, sizeof *t->tracks, LEAT_MEMORY_IO);
    t->gain = leat__calloc(rows * columns, sizeof *t->gain, LEAT_MEMORY_IO);
    t->rows = leat__calloc(rows, sizeof *t->rows, LEAT_MEMORY_IO);
    t->match = leat__calloc(rows, sizeof *t->match, LEAT_MEMORY_IO);
    t->columns = leat__calloc(columns, sizeof *t->columns, LEAT_MEMORY_IO);
    t->owner = leat__calloc(columns, sizeof *t->owner, LEAT_MEMORY_IO);
    t->valid = leat__calloc(columns, 1, LEAT_MEMORY_IO);
    t->scratch = leat__calloc(leat__assign_bytes((int)rows, (int)columns), 1, LEAT_MEMORY_IO);
    if (t->tracks && t->gain && t->rows && t->match && t->columns && t->owner && t->valid && t->scratch) return LEAT_OK;
    return leat__fail(error, LEAT_ENOMEM, "no memory for %d tracks and %d detections", (int)rows, (int)columns);
}

int leat_tracker_open(const leat_tracker_options *options, leat_tracker **tracker, leat_error *error) {
    leat_tracker_options defaults;
    leat_tracker_options_default(&defaults);
    if (!options) options = &defaults;
    *tracker = NULL;
    const char *wrong = wrong_option(options);
    if (wrong) return leat__fail(error, LEAT_EINVAL, "tracker option out of range: %s", wrong);
    leat_tracker *t = leat__calloc(1, sizeof *t, LEAT_MEMORY_IO);
    if (!t) return leat__fail(error, LEAT_ENOMEM, "no memory for a tracker");
    t->options = *options;
    t->next_id = 1;
    int status = allocate(t, error);
    if (status != LEAT_OK) {
        leat_tracker_close(t);
        return status;
    }
    *tracker = t;
    return LEAT_OK;
}

void leat_tracker_close(leat_tracker *t) {
    if (!t) return;
    leat__free(t->tracks);
    leat__free(t->gain);
    leat__free(t->rows);
    leat__free(t->match);
    leat__free(t->columns);
    leat__free(t->owner);
    leat__free(t->valid);
    leat__free(t->scratch);
    leat__free(t);
}

void leat_tracker_get_stats(const leat_tracker *t, leat_tracker_stats *stats) { *stats = t->stats; }

/* ---- overlap -------------------------------------------------------------------------------------------------------------- */

static float iou(const float a[4], const leat_detection *d) {
    float right = a[2] < d->x2 ? a[2] : d->x2, left = a[0] > d->x1 ? a[0] : d->x1;
    float bottom = a[3] < d->y2 ? a[3] : d->y2, top = a[1] > d->y1 ? a[1] : d->y1;
    float w = right - left, h = bottom - top;
    if (!(w > 0 && h > 0)) return 0;
    return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (d->x2 - d->x1) * (d->y2 - d->y1) - w * h);
}

/* ---- a pass --------------------------------------------------------------------------------------------------------------- */

typedef enum pass { CONFIRMED, SECOND, TENTATIVE } pass;

static int takes_part(const track *k, pass p) {
    if (k->seen) return 0;
    if (p == TENTATIVE) return !k->reported;
    return k->reported && (p == CONFIRMED || k->seen_last);
}

/* Gathers the tracks of the pass and the free detections of least <= score < below. */
static void gather(leat_tracker *t, pass p, const leat_detection *d, int n, float least, float below, int *rows, int *columns) {
    *rows = *columns = 0;
    for (int i = 0; i < t->stats.alive; i++)
        if (takes_part(&t->tracks[i], p)) t->rows[(*rows)++] = i;
    for (int j = 0; j < n; j++)
        if (t->valid[j] && !t->owner[j] && d[j].score >= least && d[j].score < below) t->columns[(*columns)++] = j;
}

static void associate(leat_tracker *t, pass p, const leat_detection *d, int n, float least, float below, float gate) {
    int rows, columns;
    gather(t, p, d, n, least, below, &rows, &columns);
    if (!rows || !columns) return;
    for (int i = 0; i < rows; i++) {
        const track *k = &t->tracks[t->rows[i]];
        float *gain = t->gain + (size_t)i * (size_t)columns;
        for (int j = 0; j < columns; j++) {
            const leat_detection *b = &d[t->columns[j]];
            float overlap = t->options.any_class || b->class_id == k->class_id ? iou(k->expected, b) : 0;
            gain[j] = overlap > 0 && overlap >= gate ? overlap : 0;
        }
    }
    leat__assign(t->gain, rows, columns, columns, t->match, t->scratch);
    for (int i = 0; i < rows; i++) {
        if (t->match[i] < 0) continue;
        int j = t->columns[t->match[i]];
        t->owner[j] = t->rows[i] + 1;
        t->tracks[t->rows[i]].seen = j + 1;
    }
}

/* ---- a track's life ------------------------------------------------------------------------------------------------------- */

static void predict(leat_tracker *t, float elapsed) {
    for (int i = 0; i < t->stats.alive; i++) {
        track *k = &t->tracks[i];
        k->seen_last = k->age == 0;
        k->age += elapsed;
        k->seen = 0;
        if (k->age > elapsed) leat__motion_hold_shape(&k->motion); /* what grew or shrank because it was being covered must not go on so */
        leat__motion_predict(&k->motion, elapsed);
        leat__motion_box(&k->motion, k->expected);
    }
}

static void confirm(leat_tracker *t, track *k) {
    k->reported = 1;
    k->id = t->next_id++;
    t->stats.tracks++;
}

static void correct(leat_tracker *t, track *k, const leat_detection *d) {
    const float box[4] = {d->x1, d->y1, d->x2, d->y2};
    float weight = t->options.box_weight;
    for (int i = 0; i < 4; i++) {
        float moved = k->smooth[i] + (k->expected[i] - k->before[i]);
        k->smooth[i] = moved + weight * (box[i] - moved);
    }
    if (!(k->smooth[2] > k->smooth[0] && k->smooth[3] > k->smooth[1])) memcpy(k->smooth, box, sizeof box);
    leat__motion_correct(&k->motion, box);
    leat__motion_box(&k->motion, k->before);
    k->scores[k->n_scores++ % t->options.score_window] = d->score;
    k->class_id = d->class_id;
    k->age = 0;
    k->hits++;
    if (!k->reported && k->hits >= t->options.min_hits) confirm(t, k);
}

static void forget(leat_tracker *t) {
    int left = 0;
    for (int i = 0; i < t->stats.alive; i++) {
        track *k = &t->tracks[i];
        if (!k->seen && (!k->reported || k->age > t->options.max_age)) continue;
        if (left != i) {
            t->tracks[left] = *k;
            if (k->seen) t->owner[k->seen - 1] = left + 1;
        }
        left++;
    }
    t->stats.alive = left;
}

/* A place for a new track: behind the others, or that of the one lost for longest; NULL when all were seen. */
static track *make_room(leat_tracker *t) {
    track *oldest = NULL;
    if (t->stats.alive < t->options.max_tracks) {
        track *k = &t->tracks[t->stats.alive++];
        if (t->stats.alive > t->stats.most) t->stats.most = t->stats.alive;
        return k;
    }
    for (int i = 0; i < t->stats.alive; i++)
        if (!t->tracks[i].seen && (!oldest || t->tracks[i].age > oldest->age)) oldest = &t->tracks[i];
    t->stats.displaced += oldest != NULL;
    return oldest;
}

static void start(leat_tracker *t, const leat_detection *d, int n) {
    for (int j = 0; j < n; j++) {
        if (!t->valid[j] || t->owner[j] || d[j].score < t->options.start || d[j].score < t->options.high) continue;
        track *k = make_room(t);
        if (!k) return;
        const float box[4] = {d[j].x1, d[j].y1, d[j].x2, d[j].y2};
        *k = (track){.class_id = d[j].class_id, .hits = 1, .seen = j + 1, .scores = {d[j].score}, .n_scores = 1};
        leat__motion_start(&k->motion, box);
        memcpy(k->before, box, sizeof box);
        memcpy(k->smooth, box, sizeof box);
        t->owner[j] = (int32_t)(k - t->tracks) + 1;
        if (t->stats.frames == 1 || t->options.min_hits == 1) confirm(t, k);
    }
}

/* ---- update --------------------------------------------------------------------------------------------------------------- */

static float median_score(const leat_tracker *t, const track *k) {
    float sorted[MOST_WINDOW];
    int n = k->n_scores < t->options.score_window ? k->n_scores : t->options.score_window;
    for (int i = 0; i < n; i++) {
        int at = i;
        for (; at > 0 && sorted[at - 1] > k->scores[i]; at--) sorted[at] = sorted[at - 1];
        sorted[at] = k->scores[i];
    }
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static void check_boxes(leat_tracker *t, const leat_detection *d, int n) {
    for (int j = 0; j < n; j++) {
        float w = d[j].x2 - d[j].x1, h = d[j].y2 - d[j].y1, area = w * h;
        t->valid[j] = w > 0 && h > 0 && area > 0 && area < INFINITY;
        t->owner[j] = 0;
    }
}

static int report(const leat_tracker *t, const leat_detection *d, int n, leat_detection *out) {
    int count = 0;
    for (int j = 0; j < n; j++) {
        const track *k = t->owner[j] ? &t->tracks[t->owner[j] - 1] : NULL;
        if (!k || !k->reported) continue;
        leat_detection r = d[j];
        r.track = k->id;
        r.x1 = k->smooth[0], r.y1 = k->smooth[1], r.x2 = k->smooth[2], r.y2 = k->smooth[3];
        r.score = median_score(t, k);
        out[count++] = r;
    }
    return count;
}

static int pass_through(const leat_tracker *t, const leat_detection *d, int n, leat_detection *out) {
    int count = 0;
    for (int j = 0; j < n; j++) {
        if (!t->valid[j] || !(d[j].score >= t->options.high)) continue;
        out[count] = d[j];
        out[count++].track = 0;
    }
    return count;
}

int leat_tracker_update(leat_tracker *t, const leat_detection *d, int n, float elapsed, leat_detection *tracked, int *count) {
    const leat_tracker_options *o = &t->options;
    *count = 0;
    if (n < 0 || !(elapsed >= 0 && elapsed < INFINITY)) return LEAT_EINVAL;
    if (n > o->max_detections) n = o->max_detections;
    t->stats.frames++;
    check_boxes(t, d, n);
    if (o->kind == LEAT_TRACK_NONE) {
        *count = pass_through(t, d, n, tracked);
        return LEAT_OK;
    }
    predict(t, elapsed);
    associate(t, CONFIRMED, d, n, o->high, INFINITY, o->iou);
    if (o->kind == LEAT_TRACK_BYTE) associate(t, SECOND, d, n, o->low, o->high, o->iou_low);
    associate(t, TENTATIVE, d, n, o->high, INFINITY, o->iou);
    for (int i = 0; i < t->stats.alive; i++)
        if (t->tracks[i].seen) correct(t, &t->tracks[i], &d[t->tracks[i].seen - 1]);
    forget(t);
    start(t, d, n);
    *count = report(t, d, n, tracked);
    return LEAT_OK;
}
