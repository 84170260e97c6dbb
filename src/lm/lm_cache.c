/* lm_cache.c - models by path: opened once however many ask, kept while they fit, closed least recently used first (contract in leat/generate.h).
 *
 * An entry holds one reference.  One that is in use (someone else has a reference too) is never closed: it stays, counts, and is looked at again by the next call;
 * since every new reference to a model of which the cache has the only one must come through the cache, under its lock, "in use" cannot change to true meanwhile.
 * A file that changed makes its entry *stale*: nobody finds it any more, and it goes as soon as it is not in use. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/sized_options.h"
#include "lm/lm_impl.h"
#include "leat/generate.h"

/* What tells one content of a path from another. */
typedef struct file_mark {
    uint64_t device, inode, bytes;
    int64_t  changed_s, changed_ns;
} file_mark;

typedef struct entry {
    struct entry *next;
    char         *path;
    file_mark     mark;
    leat_lm      *lm;      /* NULL: being opened */
    int           waiting; /* threads that look at it */
    int           failed;  /* status of the opening */
    int           stale;
    leat_error    error;
    uint64_t      bytes, used; /* used: number of the last call that found it */
} entry;

struct leat_lm_cache {
    pthread_mutex_t lock;
    pthread_cond_t  opened;
    leat_lm_options options;
    entry          *entries;
    uint64_t        calls;
    leat_lm_cache_stats stats;
};

int leat_lm_cache_open(uint64_t max_bytes, const leat_lm_options *options, leat_lm_cache **out, leat_error *error) {
    leat_lm_options wanted;
    leat_lm_options_default(&wanted);
    if (!out) return leat__fail(error, LEAT_EINVAL, "leat_lm_cache_open: cache may not be NULL");
    *out = NULL;
    int status = leat__take_options(&wanted, sizeof wanted, options, "leat_lm_options", error);
    if (status) return status;
    leat_lm_cache *c = leat__calloc(1, sizeof *c, LEAT_MEMORY_OTHER);
    if (!c) return leat__fail(error, LEAT_ENOMEM, "out of memory for a cache of models");
    c->options = wanted;
    if (c->options.pool) leat_tpool_ref(c->options.pool);
    c->stats.max_bytes = max_bytes;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->opened, NULL);
    *out = c;
    return LEAT_OK;
}

static void free_entry(entry *e) {
    leat_lm_unref(e->lm);
    leat__free(e->path);
    leat__free(e);
}

void leat_lm_cache_close(leat_lm_cache *c) {
    if (!c) return;
    for (entry *e = c->entries, *next; e; e = next) {
        next = e->next;
        free_entry(e);
    }
    pthread_cond_destroy(&c->opened);
    pthread_mutex_destroy(&c->lock);
    leat_tpool_unref(c->options.pool);
    leat__free(c);
}

/* ---- under the lock --------------------------------------------------------------------------------------------------------- */

static void unlink_entry(leat_lm_cache *c, const entry *e) {
    for (entry **at = &c->entries; *at; at = &(*at)->next)
        if (*at == e) {
            *at = e->next;
            return;
        }
}

static int is_idle(const entry *e) { return e->lm && !e->waiting && atomic_load_explicit(&e->lm->references, memory_order_acquire) == 1; }

/* The entry to close next: any stale one, else the least recently used when there is too much. */
static entry *choose_victim(leat_lm_cache *c, const entry *keep) {
    entry *oldest = NULL;
    for (entry *e = c->entries; e; e = e->next) {
        if (e == keep || !is_idle(e)) continue;
        if (e->stale) return e;
        if (!oldest || e->used < oldest->used) oldest = e;
    }
    return c->stats.max_bytes && c->stats.bytes > c->stats.max_bytes ? oldest : NULL;
}

/* Takes the victims out; they are closed by the caller, without the lock. */
static entry *sweep(leat_lm_cache *c, const entry *keep) {
    entry *victims = NULL, *e;
    while ((e = choose_victim(c, keep))) {
        unlink_entry(c, e);
        c->stats.bytes -= e->bytes;
        c->stats.models--;
        c->stats.evictions++;
        e->next = victims;
        victims = e;
    }
    return victims;
}

static void close_victims(entry *victims) {
    for (entry *next; victims; victims = next) {
        next = victims->next;
        free_entry(victims);
    }
}

static entry *find(leat_lm_cache *c, const char *path, const file_mark *mark) {
    for (entry *e = c->entries; e; e = e->next) {
        if (e->stale || strcmp(e->path, path) != 0) continue;
        if (memcmp(&e->mark, mark, sizeof *mark) == 0) return e;
        e->stale = 1;
    }
    return NULL;
}

static entry *add_entry(leat_lm_cache *c, const char *path, const file_mark *mark) {
    entry *e = leat__calloc(1, sizeof *e, LEAT_MEMORY_OTHER);
    char  *copy = leat__strdup(path, LEAT_MEMORY_OTHER);
    if (!e || !copy) {
        leat__free(e);
        leat__free(copy);
        return NULL;
    }
    e->path = copy;
    e->mark = *mark;
    e->next = c->entries;
    c->entries = e;
    return e;
}

/* ---- getting ---------------------------------------------------------------------------------------------------------------- */

static int read_mark(const char *path, file_mark *mark, leat_error *error) {
    struct stat st;
    memset(mark, 0, sizeof *mark);
    if (stat(path, &st) != 0) return leat__fail(error, LEAT_EIO, "%s: cannot be read: %s", path, strerror(errno));
    mark->device = (uint64_t)st.st_dev;
    mark->inode = (uint64_t)st.st_ino;
    mark->bytes = (uint64_t)st.st_size;
    mark->changed_s = st.st_mtim.tv_sec;
    mark->changed_ns = st.st_mtim.tv_nsec;
    return LEAT_OK;
}

/* Opens without the lock, so that other models can be had meanwhile. */
static void open_entry(leat_lm_cache *c, entry *e) {
    leat_lm *lm = NULL;
    leat_error error = {0};
    pthread_mutex_unlock(&c->lock);
    int status = leat_lm_open(e->path, &c->options, &lm, &error);
    pthread_mutex_lock(&c->lock);
    if (status == LEAT_OK) {
        e->lm = lm;
        e->bytes = lm->info.file_bytes;
        c->stats.bytes += e->bytes;
        c->stats.models++;
    } else {
        e->failed = status;
        e->error = error;
        unlink_entry(c, e);
    }
    pthread_cond_broadcast(&c->opened);
}

/* Waits for the model of the entry, and takes a reference; the last one who looks at a failure frees it. */
static int take(leat_lm_cache *c, entry *e, leat_lm **out, leat_error *error) {
    while (!e->lm && !e->failed) pthread_cond_wait(&c->opened, &c->lock);
    int status = e->failed;
    if (status == LEAT_OK) *out = leat_lm_ref(e->lm);
    else if (error) *error = e->error;
    if (--e->waiting == 0 && e->failed) free_entry(e);
    return status;
}

int leat_lm_cache_get(leat_lm_cache *c, const char *path, leat_lm **out, leat_error *error) {
    file_mark mark;
    if (out) *out = NULL;
    if (!c || !path || !out) return leat__fail(error, LEAT_EINVAL, "leat_lm_cache_get: cache, path and lm may not be NULL");
    int status = read_mark(path, &mark, error);
    if (status) return status;
    pthread_mutex_lock(&c->lock);
    entry *e = find(c, path, &mark);
    int    found = e != NULL;
    if (!e) e = add_entry(c, path, &mark);
    if (!e) {
        pthread_mutex_unlock(&c->lock);
        return leat__fail(error, LEAT_ENOMEM, "out of memory for the cache of models");
    }
    *(found ? &c->stats.hits : &c->stats.misses) += 1;
    e->used = ++c->calls;
    e->waiting++;
    if (!found) open_entry(c, e);
    entry *victims = sweep(c, e);
    status = take(c, e, out, error);
    pthread_mutex_unlock(&c->lock);
    close_victims(victims);
    return status;
}

void leat_lm_cache_get_stats(leat_lm_cache *c, leat_lm_cache_stats *stats) {
    if (!stats) return;
    *stats = (leat_lm_cache_stats){0};
    if (!c) return;
    pthread_mutex_lock(&c->lock);
    entry *victims = sweep(c, NULL);
    *stats = c->stats;
    pthread_mutex_unlock(&c->lock);
    close_victims(victims);
}
