/* throttle.c - admission of frames by count, rate and latency. */
#include "pipeline/throttle.h"

#include <stdatomic.h>

#define MEAN_OF 16                    /* frames of the mean latency, about */
#define SETTLE 3                      /* latencies until a change of the gap shows in the mean */
#define EARLY_SHARE 4                 /* a frame passes 1/4 of the gap early: cameras jitter, and a skipped frame is a whole period */

void leat__throttle_init(leat__throttle *t, int live, double max_fps, int every_nth, int64_t target_ns) {
    *t = (leat__throttle){.skips = live, .every_nth = every_nth < 1 ? 1 : every_nth, .target_ns = live ? target_ns : 0};
    if (max_fps > 0) t->gap_ns = (int64_t)(1e9 / max_fps);
}

static int64_t gap_of(leat__throttle *t) {
    int64_t adaptive = atomic_load_explicit(&t->adaptive_ns, memory_order_relaxed);
    return adaptive > t->gap_ns ? adaptive : t->gap_ns;
}

/* Counts an offer and keeps the mean time between two of them. */
static void note_offer(leat__throttle *t, int64_t now_ns) {
    if (t->seen++ > 0) {
        int64_t mean = atomic_load_explicit(&t->offer_gap_ns, memory_order_relaxed), gap = now_ns - t->offered_ns;
        atomic_store_explicit(&t->offer_gap_ns, mean == 0 ? gap : mean + (gap - mean) / 8, memory_order_relaxed);
    }
    t->offered_ns = now_ns;
}

leat__admission leat__throttle_ask(leat__throttle *t, int64_t now_ns, int64_t *until_ns) {
    int64_t gap = gap_of(t);
    if (t->seen % (uint64_t)t->every_nth != 0) {
        note_offer(t, now_ns);
        return LEAT__SKIP;
    }
    if (gap == 0 || t->seen == 0) return LEAT__PASS;
    if (t->skips) {
        if (now_ns >= t->due_ns - gap / EARLY_SHARE) return LEAT__PASS;
        note_offer(t, now_ns);
        return LEAT__SKIP;
    }
    *until_ns = t->due_ns;
    return now_ns >= t->due_ns ? LEAT__PASS : LEAT__WAIT;
}

/* The schedule advances by the gap, not from now, so that the mean rate is met; who is late by a whole gap starts anew, without a
 * burst. */
void leat__throttle_passed(leat__throttle *t, int64_t now_ns) {
    int64_t gap = gap_of(t);
    if (t->seen == 0 || now_ns - t->due_ns > gap) t->due_ns = now_ns + gap;
    else t->due_ns += gap;
    note_offer(t, now_ns);
}

/* Mean of the last latencies and twice their mean deviation: about one frame in twenty takes longer. */
static int64_t note_latency(leat__throttle *t, int64_t latency_ns) {
    int64_t mean = atomic_load_explicit(&t->latency_ns, memory_order_relaxed);
    int64_t spread = atomic_load_explicit(&t->spread_ns, memory_order_relaxed);
    int64_t off = mean == 0 ? 0 : latency_ns - mean;
    mean = mean == 0 ? latency_ns : mean + off / MEAN_OF;
    spread += ((off < 0 ? -off : off) - spread) / MEAN_OF;
    atomic_store_explicit(&t->latency_ns, mean, memory_order_relaxed);
    atomic_store_explicit(&t->spread_ns, spread, memory_order_relaxed);
    return mean + 2 * spread;
}

/* Widens by an eighth, and not again before that has come through; narrows slowly, so that the rate stays just below the one that
 * is too much. */
void leat__throttle_feedback(leat__throttle *t, int64_t now_ns, int64_t latency_ns) {
    if (t->target_ns == 0) return;
    int64_t gap = atomic_load_explicit(&t->adaptive_ns, memory_order_relaxed);
    int64_t offered = atomic_load_explicit(&t->offer_gap_ns, memory_order_relaxed);
    int64_t high = note_latency(t, latency_ns);
    if (high > t->target_ns) {
        if (now_ns - atomic_load_explicit(&t->adapted_ns, memory_order_relaxed) < SETTLE * latency_ns) return;
        atomic_store_explicit(&t->adapted_ns, now_ns, memory_order_relaxed);
        gap = gap < offered ? offered : gap;
        gap += gap / 8 + 1;
        if (gap > high) gap = high; /* one frame at a time: fewer would help nobody */
    } else if (high < t->target_ns - t->target_ns / 32 && gap > 0) {
        gap -= gap / 256 + 1;
        if (gap < offered) gap = 0;
    }
    atomic_store_explicit(&t->adaptive_ns, gap, memory_order_relaxed);
}
