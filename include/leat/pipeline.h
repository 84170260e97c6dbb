/* pipeline.h - a chain of stages that work on several frames at once.
 *
 *     source ──link──▶ stage ──link──▶ stage (k replicas) ──link──▶ sink
 *
 * A *stage* is a set of callbacks of the program; each of its replicas has a thread of its own.  A *link* is a bounded queue with
 * a policy for when it is full, and, if its producer makes new items, a pool of buffers.  An *item* is a ref-counted buffer of a
 * pool: it carries whatever its stages put into it, and three stamps.  Stages talk to the scheduler only:
 *
 *     leat_pipeline_open -> leat_pipeline_add (each stage, in order) -> leat_pipeline_start -> leat_pipeline_wait -> leat_pipeline_close
 *
 * Without a source among the stages the program feeds the chain itself, and takes from its end (options.push, options.pull):
 *
 *     while (have_input) {
 *         if (leat_pipeline_send(p, item, 0) == LEAT_EAGAIN) ... ;      // full: get() first, send again
 *         while (leat_pipeline_get(p, &done, 0) == LEAT_OK) use(done);  // LEAT_EAGAIN: nothing yet
 *     }
 *     leat_pipeline_finish(p);
 *     while (leat_pipeline_get(p, &done, -1) == LEAT_OK) use(done);     // then LEAT_EEND, or why it failed
 *
 * Guarantees.  Items leave a stage in the order in which they entered it, however many replicas it has.  Everything is allocated
 * by leat_pipeline_start(): while frames flow the scheduler allocates nothing, writes no log and holds no lock while a callback
 * runs.  Every item that was sent is accounted for: it is out, dropped, skipped, filtered or discarded.
 */
#ifndef LEAT_PIPELINE_H
#define LEAT_PIPELINE_H

#include "leat/common.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define LEAT_PIPELINE_MAX_STAGES 32
#define LEAT_PIPELINE_MAX_REPLICAS 64
#define LEAT_PIPELINE_MAX_BATCH 256

/* ---- items and pools ------------------------------------------------------------------------------------------------------ */

typedef struct leat_pool     leat_pool;
typedef struct leat_pipeline leat_pipeline;
typedef struct leat_stage    leat_stage; /* one replica of a stage, as its callbacks see it */

/* A buffer of a pool.  Made by the library only (more fields follow).  Who holds the only reference may write; else it is
 * read-only by agreement.  Content stays from one use to the next, so that what a stage put there (sub-buffers) is found again. */
typedef struct leat_item {
    int64_t index;      /* number of the frame in its source; -1 = the pipeline numbers it */
    int64_t pts_ns;     /* presentation time */
    int64_t capture_ns; /* CLOCK_MONOTONIC at capture; 0 = the pipeline stamps it when it leaves its source */
    void   *data;       /* [bytes], LEAT_ALIGN-aligned, the same for the item's whole life; zeroed when made */
    size_t  bytes;
} leat_item;

typedef struct leat_pool_options {
    size_t size;                             /* sizeof, set by _default() */
    size_t item_bytes;                       /* of leat_item.data */
    int    count;                            /* items, all made at once: 1..65536 */
    void  *user;                             /* passed to the callbacks; must live as long as the pool's last item */
    int  (*make)(void *user, leat_item *item);    /* after an item was allocated; a failure fails leat_pool_new(); may be NULL */
    void (*recycle)(void *user, leat_item *item); /* its last reference went, before it is handed out again; may be NULL */
    void (*destroy)(void *user, leat_item *item); /* before its memory goes; may be NULL */
} leat_pool_options;
/* Fills *options: 0 bytes, 8 items, no callbacks.  RT-safe. */
void leat_pool_options_default(leat_pool_options *options);

/* Makes a pool.  options: borrows.  *pool: the caller takes one reference; NULL on failure.  LEAT_EINVAL, LEAT_ENOMEM, what
 * make() returned. */
int leat_pool_new(const leat_pool_options *options, leat_pool **pool);
/* Shares: one more reference.  Any thread, RT-safe. */
leat_pool *leat_pool_ref(leat_pool *pool);
/* Drops a reference; with the last one the idle items go, and those in use as soon as their own last reference goes.  NULL
 * allowed. */
void leat_pool_unref(leat_pool *pool);
/* *item: the caller takes one reference to an idle item, index -1, other stamps 0.  Waits for one at most timeout_ns (0: not at
 * all, negative: for ever).  LEAT_EAGAIN when there is none.  Any thread; RT-safe with timeout 0. */
int leat_pool_get(leat_pool *pool, int64_t timeout_ns, leat_item **item);
/* Items that are idle now.  Any thread, RT-safe. */
int leat_pool_idle(const leat_pool *pool);
/* Shares: one more reference; returns the item.  Any thread, RT-safe. */
leat_item *leat_item_ref(leat_item *item);
/* Drops a reference; the last one calls recycle() and gives the item back to its pool.  NULL allowed.  Any thread, RT-safe if
 * recycle() is. */
void leat_item_unref(leat_item *item);

/* ---- stages and links ----------------------------------------------------------------------------------------------------- */

/* What a full queue does with a new item.  Whatever goes is counted. */
typedef enum leat_policy {
    LEAT_POLICY_DEFAULT = 0,     /* live: drop-oldest on the first link, block on the others; not live: block */
    LEAT_POLICY_BLOCK = 1,       /* the producer waits */
    LEAT_POLICY_DROP_OLDEST = 2, /* the item that waited longest goes: the newest frame wins */
    LEAT_POLICY_DROP_NEWEST = 3  /* the new item goes */
} leat_policy;
/* "block", "drop-oldest", "drop-newest"; NULL when out of range or DEFAULT.  RT-safe. */
const char *leat_policy_name(leat_policy policy);

typedef struct leat_link_options {
    int         capacity; /* items it holds, 1..4096; 0 = 1 on the first link of a live pipeline, else what may be in flight, at most 8 */
    leat_policy policy;
    leat_pool  *pool;     /* that leat_stage_get() takes from; shares; NULL: the producer only passes items on */
} leat_link_options;
/* How many items a pool needs: behind a source what may be in flight + 2, behind k replicas 2 k times what a call emits; and what the
 * program itself keeps.  With fewer, fewer frames are in flight. */

#define LEAT_STAGE_ALLOCATES 1u /* process() may allocate (decoders, files): not under the hot-phase guard */

/* Callbacks run on the replica's thread, unless said otherwise, one at a time per replica.  `user` is that of the options. */
typedef struct leat_stage_options {
    size_t      size;          /* sizeof, set by _default() */
    const char *name;          /* copied; at most 31 bytes */
    int         replicas;      /* threads that run process() at once, 1..LEAT_PIPELINE_MAX_REPLICAS; a source has one */
    int         batch;         /* most items of one process() call */
    int64_t     batch_wait_ns; /* how long a first item may wait for more; 0 = take what is there */
    uint32_t    flags;         /* LEAT_STAGE_* */
    void       *user;
    leat_link_options output;  /* the link behind this stage; the last stage has one only with options.pull */

    /* Before the first item, once per replica, on the thread of leat_pipeline_start().  May be NULL. */
    int (*open)(leat_stage *stage, void *user, leat_error *error);
    /* items [n], 1 <= n <= batch, in order: borrows, take a reference to keep one.  A source gets n = 0 and is called until it
     * returns LEAT_EEND.  Emit any number of items: none filters, leat_stage_emit(stage, leat_item_ref(items[0])) passes
     * on.  LEAT_OK; LEAT_EEND: this was the last call, upstream is stopped, what was emitted goes on; else: the run fails at this
     * frame, with the status and *error. */
    int (*process)(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error);
    /* After the last item, once per replica in turn, also when the run was ended early or failed elsewhere, not when it was
     * cancelled or this stage failed.  May emit.  The place to finish a file.  May be NULL. */
    int (*flush)(leat_stage *stage, void *user, leat_error *error);
    /* Once for each replica that was opened, on the thread of leat_pipeline_wait() or _close(), or _start() if that fails.  May
     * be NULL. */
    void (*close)(leat_stage *stage, void *user);
    /* Asks a process() that blocks in a system call to return soon; on the thread of finish(), cancel() or of a stage that
     * failed, at any time between open and close.  May be NULL. */
    void (*interrupt)(void *user);
} leat_stage_options;
/* Fills *options: one replica, batch 1, no callbacks.  RT-safe. */
void leat_stage_options_default(leat_stage_options *options);

/* For callbacks.  *item: takes one reference to an idle item of the output link's pool, waiting for one; its stamps are those of
 * the first item of this process() call.  LEAT_EEND when the run is being stopped (return it), LEAT_ESTATE without a pool. */
int leat_stage_get(leat_stage *stage, leat_item **item);
/* For callbacks: sends an item on.  Takes the reference, also on failure; NULL is ignored.  Waits while the link is full, if its
 * policy is to block.  LEAT_EEND when nobody downstream wants more (return it), LEAT_ESTATE when there is no link behind this
 * stage. */
int leat_stage_emit(leat_stage *stage, leat_item *item);
/* 1 when the run is being stopped: a source that sleeps or polls should return LEAT_EEND.  RT-safe. */
int leat_stage_stopping(const leat_stage *stage);
/* Number of the replica, from 0.  RT-safe. */
int leat_stage_replica(const leat_stage *stage);
/* A pointer of the program's own for each replica, set in open() and read in the others; NULL at first.  RT-safe. */
void  leat_stage_set_state(leat_stage *stage, void *state);
void *leat_stage_state(const leat_stage *stage);

/* ---- the pipeline --------------------------------------------------------------------------------------------------------- */

/* The last frames, for long runs. */
typedef struct leat_window {
    int64_t elapsed_ns;                        /* since the start */
    int     frames;                            /* that the figures are of: at most options.window */
    double  fps;                               /* of those frames */
    double  latency_avg_ms, latency_p95_ms, latency_max_ms; /* capture to end of the last stage */
    uint64_t done, dropped;                    /* since the start, warm-up included */
} leat_window;

typedef struct leat_pipeline_options {
    size_t  size;              /* sizeof, set by _default() */
    int     live;              /* 1: the newest frame wins and drops are counted; 0: every frame is processed */
    int     in_flight;         /* most items between the first link and the end; 0 = live: found while running, so that latency stays low;
                                  not live: twice the threads */
    int     push, pull;        /* 1: leat_pipeline_send(), leat_pipeline_get() are used */
    leat_link_options entry;   /* with push: the link before the first stage */
    int64_t warmup;            /* frames that count in no statistic */
    double  max_fps;           /* live: frames above this rate are skipped; not live: the source is held back; 0 = no limit */
    int     every_nth;         /* only each n-th frame is used; 0 or 1 = all */
    int64_t latency_target_ns; /* live: fewer in flight (in_flight is the most then) and frames skipped, so that latency stays below; 0 = off */
    int64_t spin_ns;           /* a thread looks this long for work before it sleeps; 0 = sleep at once; default 5000 */
    int     window;            /* frames of leat_window, default 120 */
    int64_t report_ns;         /* leat_pipeline_wait() calls report() this often; 0 = never */
    void  (*report)(void *user, leat_pipeline *pipeline, const leat_window *window); /* on the waiting thread */
    void   *user;              /* of report() */
    int     trace_events;      /* kept per thread for leat_pipeline_write_trace(), the oldest go first; 0 = no trace */
} leat_pipeline_options;
/* Fills *options for a file (live 0) or a camera (live 1).  RT-safe. */
void leat_pipeline_options_default(leat_pipeline_options *options, int live);

/* Makes an empty pipeline.  options: borrows, NULL = the defaults for files.  LEAT_EINVAL, LEAT_ENOMEM.  Any thread. */
int leat_pipeline_open(const leat_pipeline_options *options, leat_pipeline **pipeline, leat_error *error);
/* Adds a stage behind those that are there; the first one is the source unless options.push.  options: borrows.  LEAT_EINVAL,
 * LEAT_ELIMIT, LEAT_ESTATE after the start, LEAT_ENOMEM. */
int leat_pipeline_add(leat_pipeline *pipeline, const leat_stage_options *options, leat_error *error);
/* Opens all stages, then starts their threads.  Fails with what an open() returned, its stage named; all is closed again then. */
int leat_pipeline_start(leat_pipeline *pipeline, leat_error *error);
/* Feeds the first stage.  Takes the reference with LEAT_OK only (also when the policy dropped or the throttle skipped it).  Waits
 * at most timeout_ns while the link is full (0: not at all, negative: for ever).  LEAT_EAGAIN full; LEAT_EEND the chain wants no
 * more; LEAT_ESTATE.  Any thread, one at a time; RT-safe with timeout 0. */
int leat_pipeline_send(leat_pipeline *pipeline, leat_item *item, int64_t timeout_ns);
/* *item: the caller takes one reference to what the last stage emitted.  Waits as send() does.  LEAT_EAGAIN nothing yet;
 * LEAT_EEND all done; LEAT_ESTATE; after a failure and what came before it, its status.  Any thread, one at a time; RT-safe with
 * timeout 0. */
int leat_pipeline_get(leat_pipeline *pipeline, leat_item **item, int64_t timeout_ns);
/* Ends the input: the source is not called again, send() returns LEAT_EEND; what is in flight is finished and flushed.  Any
 * thread, not in a signal handler. */
void leat_pipeline_finish(leat_pipeline *pipeline);
/* Ends at once: items in flight are discarded, nothing is flushed; wait() returns LEAT_ECANCELLED.  Any thread, not in a signal
 * handler. */
void leat_pipeline_cancel(leat_pipeline *pipeline);
/* Waits until the run has ended and closes its stages.  LEAT_OK at the end of the stream; LEAT_EAGAIN after timeout_ns (negative:
 * none); LEAT_ECANCELLED; the status of the stage that failed first, *error naming stage and frame.  One thread, not a stage's. */
int leat_pipeline_wait(leat_pipeline *pipeline, int64_t timeout_ns, leat_error *error);
/* Cancels if it runs, waits, frees.  NULL allowed.  Items and pools that the program holds stay valid. */
void leat_pipeline_close(leat_pipeline *pipeline);

/* ---- telemetry ------------------------------------------------------------------------------------------------------------ */

/* A distribution of times from a histogram with 32 buckets per power of two: percentiles within 1.6 %, the rest exact. */
typedef struct leat_timing {
    uint64_t n;
    double mean_ms, sd_ms, min_ms, p50_ms, p95_ms, p99_ms, p999_ms, max_ms;
} leat_timing;

/* One stage, all replicas together, without the warm-up but for the counts of items. */
typedef struct leat_stage_stats {
    const char *name;          /* owned by the pipeline */
    int      replicas, batch;
    uint64_t calls;            /* of process() */
    uint64_t items_in, items_out;
    uint64_t filtered;         /* process() calls that emitted nothing, where there is a link behind */
    leat_timing run;           /* of one process() call, without waiting in emit() and get() */
    leat_timing starved;       /* waiting for input, and for a CPU */
    leat_timing blocked;       /* waiting for room, buffers and its turn, one call */
    double   cpu_ms;           /* of its threads, warm-up included; compute pools that it uses are not in it */
    double   busy;             /* share of the time in process(), of all replicas: 0..1 */
    uint64_t allocations;      /* of the library, inside process() */
    int64_t  signalled_ns, started_ns, finished_ns; /* activation record, CLOCK_MONOTONIC: its input became ready, process() began, ended; last */
    int64_t  worst_delay_ns;   /* from signalled to started */
} leat_stage_stats;

typedef struct leat_link_stats {
    const char *from, *to;     /* stages, or "send" and "get" */
    leat_policy policy;
    int      capacity, depth, most; /* items: it may hold, holds now, has held at once */
    uint64_t put, taken;
    uint64_t dropped;          /* by the policy */
    uint64_t discarded;        /* left in it when the run ended early */
    leat_timing wait;          /* in the queue */
    int      pool_items, pool_idle; /* 0 without a pool */
} leat_link_stats;

typedef struct leat_pipeline_stats {
    int      stages, links;
    int      running;          /* 1 between start and the end */
    uint64_t sources;          /* items that the source emitted or send() took */
    uint64_t skipped;          /* of them, by the throttle */
    uint64_t dropped;          /* by the links' policies */
    uint64_t discarded;        /* when the run ended early */
    uint64_t done;             /* items that reached the end */
    uint64_t measured;         /* of them, after the warm-up */
    int      in_flight, in_flight_limit; /* now */
    double   elapsed_s;        /* that the rates are of: from the end of the warm-up to the last frame done */
    double   fps;              /* measured / elapsed_s */
    double   cpu_percent;      /* of the process since the end of the warm-up; 100 = one CPU */
    uint64_t peak_rss_bytes;   /* of the process */
    uint64_t allocations;      /* of the library after the warm-up */
    double   allocations_per_frame;
    uint64_t hot_allocations;  /* of them, where there should be none */
    leat_timing latency;       /* from capture to the end of the last stage (with pull: to get()), measured frame by frame */
} leat_pipeline_stats;

/* Fill *stats, during the run or after it.  LEAT_EINVAL when the index is out of range, LEAT_ESTATE before the start.  Any
 * thread; no callback is held up. */
int leat_pipeline_get_stats(leat_pipeline *pipeline, leat_pipeline_stats *stats);
int leat_pipeline_get_stage(leat_pipeline *pipeline, int index, leat_stage_stats *stats);
int leat_pipeline_get_link(leat_pipeline *pipeline, int index, leat_link_stats *stats);
int leat_pipeline_get_window(leat_pipeline *pipeline, leat_window *window);
/* Writes what the threads did as Chrome trace events (ui.perfetto.dev): one track per replica, queue depths, drops, and arrows
 * that follow a frame.  LEAT_ESTATE without options.trace_events or while it runs, LEAT_EIO, LEAT_ENOMEM.  After the end. */
int leat_pipeline_write_trace(leat_pipeline *pipeline, const char *path, leat_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
