/* test_generate_async.c - generations on their own threads under bad manners: cancel storms, callbacks that cancel, sessions closed in flight, batches that are told to
 * stop, models evicted while they work.  Run under ThreadSanitizer by `make check`.
 */
#include "../golden/lm_case.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rng.h"
#include "leat/generate.h"

static leat_lm_request request(int64_t n) {
    leat_lm_request r;
    leat_lm_request_default(&r);
    r.prompt = "Once upon a time";
    r.prompt_bytes = strlen(r.prompt);
    r.max_tokens = n;
    r.flags = LEAT_GENERATE_IGNORE_EOS;
    r.sampling.seed = 3;
    return r;
}

typedef struct watch {
    leat_lm_session *session;
    atomic_int       pieces, completed;
    int              status, cancel_at, stop_at;
    pthread_t        thread;
} watch;

static int on_token(void *user, const leat_lm_piece *piece) {
    watch *w = user;
    int n = atomic_fetch_add(&w->pieces, 1) + 1;
    assert_true(piece->text != NULL);
    if (n == w->cancel_at) leat_lm_cancel(w->session);
    return n == w->stop_at;
}

static void on_complete(void *user, int status, const leat_lm_result *result) {
    watch *w = user;
    assert_int_equal(leat_lm_poll(w->session), LEAT_EAGAIN); /* not yet */
    assert_int_equal(atomic_load(&w->completed), 0);
    assert_true(result->total_ns > 0);
    w->status = status;
    atomic_store(&w->completed, 1);
}

static void test_start_and_wait(void **state) {
    (void)state;
    leat_lm *lm = lm_open_stories(2);
    leat_lm_session *s = lm_session(lm, LEAT_KV_F16, 128, 32);
    leat_lm_request r = request(30);
    leat_lm_result  result;
    leat_error error = {0};
    assert_int_equal(leat_lm_poll(s), LEAT_OK);
    assert_int_equal(leat_lm_wait(s, -1, &error), LEAT_OK);
    for (int i = 0; i < 5; i++) {
        watch w = {.session = s};
        leat_lm_result_init(&result);
        assert_int_equal(leat_lm_start(s, &r, &result, on_token, on_complete, &w, &error), LEAT_OK);
        while (leat_lm_wait(s, 1000000, &error) == LEAT_EAGAIN) continue;
        assert_int_equal(leat_lm_poll(s), LEAT_OK);
        assert_int_equal(w.status, LEAT_OK);
        assert_int_equal(atomic_load(&w.completed), 1);
        assert_int_equal(result.n_tokens, 30);
        assert_true(atomic_load(&w.pieces) >= 30);
    }
    r.sampling.top_p = 7;
    watch w = {.session = s};
    leat_lm_result_init(&result);
    assert_int_equal(leat_lm_start(s, &r, &result, NULL, NULL, &w, &error), LEAT_OK);
    assert_int_equal(leat_lm_wait(s, -1, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "top_p"));
    leat_lm_session_close(s);
    leat_lm_unref(lm);
}

/* Whatever else is asked of a session in flight is refused. */
static void test_in_flight(void **state) {
    (void)state;
    leat_lm *lm = lm_open_stories(1);
    leat_lm_session *s = lm_session(lm, LEAT_KV_F16, 512, 32);
    leat_lm_request r = request(-1);
    leat_lm_result  result, other;
    const int32_t one[] = {1};
    watch w = {.session = s};
    leat_lm_result_init(&result);
    leat_lm_result_init(&other);
    assert_int_equal(leat_lm_start(s, &r, &result, on_token, NULL, &w, NULL), LEAT_OK);
    while (atomic_load(&w.pieces) == 0) usleep(100);
    int sync = leat_lm_sync(s, one, 1, NULL), generate = leat_lm_generate(s, &r, &other, NULL, NULL, NULL);
    leat_error error = {0};
    int flying = leat_lm_poll(s) == LEAT_EAGAIN, start = leat_lm_start(s, &r, &other, NULL, NULL, NULL, &error);
    if (flying && start) assert_non_null(strstr(error.message, "in flight"));
    if (flying) assert_int_equal(sync, LEAT_ESTATE);
    if (flying) assert_int_equal(generate, LEAT_ESTATE);
    leat_lm_cancel(s);
    int status = leat_lm_wait(s, -1, NULL);
    assert_true(status == LEAT_ECANCELLED || status == LEAT_OK);
    leat_lm_session_close(s);
    leat_lm_unref(lm);
}

static void *storm(void *arg) {
    watch *w = arg;
    while (!atomic_load(&w->completed)) leat_lm_cancel(w->session);
    return NULL;
}

/* Several threads cancel all the time; each generation ends, as cancelled or done, and the session is as good as new. */
static void test_cancel_storm(void **state) {
    (void)state;
    leat_lm *lm = lm_open_stories(2);
    leat_lm_session *s = lm_session(lm, LEAT_KV_F16, 256, 32);
    leat_lm_request r = request(40);
    leat_lm_result  result;
    for (int i = 0; i < 30; i++) {
        pthread_t threads[2];
        watch w = {.session = s, .cancel_at = i % 3 == 0 ? i / 3 : 0, .stop_at = i % 7 == 0 ? 5 : 0};
        leat_lm_result_init(&result);
        assert_int_equal(leat_lm_start(s, &r, &result, on_token, on_complete, &w, NULL), LEAT_OK);
        if (i % 2) usleep((unsigned)(leat__rng_uniform(1, 1, (uint64_t)i) * 3000));
        for (int k = 0; k < 2; k++) pthread_create(&threads[k], NULL, storm, &w);
        int status = leat_lm_wait(s, -1, NULL);
        for (int k = 0; k < 2; k++) pthread_join(threads[k], NULL);
        assert_true(status == LEAT_OK || status == LEAT_ECANCELLED);
        assert_int_equal(result.finish == LEAT_FINISH_CANCELLED, status == LEAT_ECANCELLED);
    }
    leat_lm_result_init(&result);
    assert_int_equal(leat_lm_generate(s, &r, &result, NULL, NULL, NULL), LEAT_OK);
    assert_int_equal(result.n_tokens, 40);
    leat_lm_session_close(s);
    leat_lm_unref(lm);
}

static void test_close_in_flight(void **state) {
    (void)state;
    leat_lm *lm = lm_open_stories(2);
    for (int i = 0; i < 20; i++) {
        leat_lm_session *s = lm_session(lm, LEAT_KV_F16, 512, 32);
        leat_lm_request r = request(-1);
        leat_lm_result  result;
        watch w = {.session = s};
        leat_lm_result_init(&result);
        assert_int_equal(leat_lm_start(s, &r, &result, on_token, on_complete, &w, NULL), LEAT_OK);
        if (i == 10) { /* the model goes first: the session holds its own reference */
            leat_lm_unref(lm);
        }
        if (i % 2) usleep((unsigned)(i * 200));
        leat_lm_session_close(s);
        assert_int_equal(atomic_load(&w.completed), 1);
        if (i == 10) lm = lm_open_stories(2);
    }
    leat_lm_unref(lm);
}

static void *generate_much(void *arg) {
    watch *w = arg;
    leat_lm_request r = request(30);
    leat_lm_result  result;
    int32_t tokens[30], first[30];
    for (int i = 0; i < 6; i++) {
        leat_lm_result_init(&result);
        result.tokens = i ? tokens : first;
        result.token_capacity = 30;
        w->status = leat_lm_generate(w->session, &r, &result, on_token, w, NULL);
        if (w->status || (i && memcmp(tokens, first, sizeof first) != 0)) return "differs";
    }
    return NULL;
}

static void test_sessions_at_once(void **state) {
    (void)state;
    leat_lm *lm = lm_open_stories(2);
    watch w[4] = {{0}};
    for (int i = 0; i < 4; i++) {
        w[i].session = lm_session(lm, LEAT_KV_F16, 128, 32);
        pthread_create(&w[i].thread, NULL, generate_much, &w[i]);
    }
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(w[i].thread, &wrong);
        assert_null(wrong);
        leat_lm_session_close(w[i].session);
    }
    leat_lm_unref(lm);
}

/* ---- batches ---------------------------------------------------------------------------------------------------------------- */

typedef struct trouble {
    leat_lm_session **sessions;
    atomic_int        over;
} trouble;

static void *cancel_around(void *arg) {
    trouble *t = arg;
    for (uint64_t i = 0; !atomic_load(&t->over); i++) {
        leat_lm_cancel(t->sessions[i % 3]);
        usleep((unsigned)(leat__rng_uniform(2, 1, i) * 4000));
    }
    return NULL;
}

static void test_batch_cancelled(void **state) {
    (void)state;
    enum { REQUESTS = 40 };
    leat_lm *lm = lm_open_stories(2);
    leat_lm_session *sessions[3];
    leat_lm_request requests[REQUESTS];
    leat_lm_result  results[REQUESTS];
    int statuses[REQUESTS];
    pthread_t thread;
    trouble t = {.sessions = sessions};
    for (int i = 0; i < 3; i++) sessions[i] = lm_session(lm, LEAT_KV_F16, 128, 32);
    for (int i = 0; i < REQUESTS; i++) {
        requests[i] = request(10 + i);
        leat_lm_result_init(&results[i]);
    }
    pthread_create(&thread, NULL, cancel_around, &t);
    int status = leat_lm_generate_batch(sessions, 3, requests, results, REQUESTS, NULL, NULL, statuses, NULL);
    atomic_store(&t.over, 1);
    pthread_join(thread, NULL);
    assert_true(status == LEAT_OK || status == LEAT_ECANCELLED);
    for (int i = 0; i < REQUESTS; i++) {
        assert_true(statuses[i] == LEAT_OK || statuses[i] == LEAT_ECANCELLED);
        if (statuses[i] == LEAT_OK) assert_int_equal(results[i].n_tokens, 10 + i);
    }
    for (int i = 0; i < 3; i++) leat_lm_session_close(sessions[i]);
    leat_lm_unref(lm);
}

/* ---- the cache -------------------------------------------------------------------------------------------------------------- */

enum { COPIES = 4, WORKERS = 4 };
static char copies[COPIES][64];
static int64_t model_bytes;

static void copy_model(const char *to) {
    char path[GOLDEN_PATH], block[65536];
    FILE *in = fopen(golden_path(path, STORIES), "rb"), *out = fopen(to, "wb");
    size_t n;
    assert_non_null(in);
    assert_non_null(out);
    model_bytes = 0;
    while ((n = fread(block, 1, sizeof block, in)) > 0) model_bytes += (int64_t)fwrite(block, 1, n, out);
    fclose(in);
    fclose(out);
}

static void make_copies(void) {
    char path[GOLDEN_PATH];
    golden_need(golden_path(path, STORIES));
    for (int i = 0; i < COPIES; i++) {
        snprintf(copies[i], sizeof copies[i], "/tmp/leat_cache_%d_%d.gguf", (int)getpid(), i);
        copy_model(copies[i]);
    }
}

static void remove_copies(void) {
    for (int i = 0; i < COPIES; i++) unlink(copies[i]);
}

static void test_cache(void **state) {
    (void)state;
    make_copies();
    leat_lm_options options;
    leat_lm_options_default(&options);
    options.threads = 1;
    leat_error error = {0};
    leat_lm_cache *cache;
    leat_lm_cache_stats stats;
    leat_lm *a, *b, *c, *again;
    assert_int_equal(leat_lm_cache_open((uint64_t)(2 * model_bytes), &options, &cache, &error), LEAT_OK);
    assert_int_equal(leat_lm_cache_get(cache, copies[0], &a, &error), LEAT_OK);
    assert_int_equal(leat_lm_cache_get(cache, copies[0], &again, &error), LEAT_OK);
    assert_ptr_equal(a, again);
    leat_lm_unref(again);
    assert_int_equal(leat_lm_cache_get(cache, copies[1], &b, &error), LEAT_OK);
    leat_lm_unref(b);
    assert_int_equal(leat_lm_cache_get(cache, copies[2], &c, &error), LEAT_OK); /* a is older, and in use: b goes */
    leat_lm_cache_get_stats(cache, &stats);
    assert_int_equal(stats.models, 2);
    assert_int_equal(stats.evictions, 1);
    assert_int_equal(stats.bytes, 2 * model_bytes);
    assert_int_equal(stats.hits, 1);
    assert_int_equal(stats.misses, 3);
    assert_int_equal(leat_lm_cache_get(cache, copies[1], &b, &error), LEAT_OK); /* all three in use: too much, and no harm */
    leat_lm_cache_get_stats(cache, &stats);
    assert_int_equal(stats.models, 3);
    leat_lm_unref(a);
    leat_lm_cache_get_stats(cache, &stats);
    assert_int_equal(stats.models, 2);
    copy_model(copies[1]); /* changed: another time */
    usleep(20000);
    copy_model(copies[1]);
    assert_int_equal(leat_lm_cache_get(cache, copies[1], &again, &error), LEAT_OK);
    assert_ptr_not_equal(again, b);
    leat_lm_unref(again);
    leat_lm_unref(b);
    leat_lm_unref(c);
    assert_int_equal(leat_lm_cache_get(cache, "/nonexistent/model.gguf", &a, &error), LEAT_EIO);
    assert_null(a);
    FILE *damaged = fopen(copies[3], "wb");
    fputs("GGUF, not quite", damaged);
    fclose(damaged);
    assert_int_equal(leat_lm_cache_get(cache, copies[3], &a, &error), LEAT_EFORMAT);
    assert_non_null(strstr(error.message, copies[3]));
    leat_lm_cache_close(cache);
    remove_copies();
}

static void *use_cache(void *arg) {
    leat_lm_cache *cache = ((void **)arg)[0];
    uint64_t number = (uint64_t)(uintptr_t)((void **)arg)[1];
    for (uint64_t i = 0; i < 25; i++) {
        leat_lm *lm;
        int which = (int)(leat__rng_uniform(9, number, i) * COPIES);
        if (leat_lm_cache_get(cache, copies[which], &lm, NULL) != LEAT_OK) return "get";
        leat_lm_session *s = lm_session(lm, LEAT_KV_F16, 64, 16);
        leat_lm_unref(lm);
        leat_lm_request r = request(4);
        leat_lm_result  result;
        leat_lm_result_init(&result);
        if (leat_lm_generate(s, &r, &result, NULL, NULL, NULL) != LEAT_OK) return "generate";
        leat_lm_session_close(s);
    }
    return NULL;
}

/* Room for one model, four in demand by four threads that work with them. */
static void test_cache_under_load(void **state) {
    (void)state;
    make_copies();
    leat_lm_options options;
    leat_lm_options_default(&options);
    options.threads = 1;
    leat_lm_cache *cache;
    leat_lm_cache_stats stats;
    pthread_t threads[WORKERS];
    void *args[WORKERS][2], *wrong;
    assert_int_equal(leat_lm_cache_open((uint64_t)model_bytes, &options, &cache, NULL), LEAT_OK);
    for (int i = 0; i < WORKERS; i++) {
        args[i][0] = cache;
        args[i][1] = (void *)(uintptr_t)i;
        pthread_create(&threads[i], NULL, use_cache, args[i]);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    leat_lm_cache_get_stats(cache, &stats);
    assert_int_equal(stats.hits + stats.misses, WORKERS * 25);
    assert_true(stats.evictions > 0);
    assert_int_equal(stats.models, 1);
    assert_int_equal(stats.bytes, model_bytes);
    leat_lm_cache_close(cache);
    remove_copies();
}

static void *open_same(void *arg) {
    leat_lm *lm = NULL;
    leat_lm_cache_get(arg, copies[0], &lm, NULL);
    return lm;
}

static void test_cache_opens_once(void **state) {
    (void)state;
    make_copies();
    for (int round = 0; round < 10; round++) {
        leat_lm_cache *cache;
        leat_lm_cache_stats stats;
        pthread_t threads[WORKERS];
        void *lm[WORKERS];
        assert_int_equal(leat_lm_cache_open(0, NULL, &cache, NULL), LEAT_OK);
        for (int i = 0; i < WORKERS; i++) pthread_create(&threads[i], NULL, open_same, cache);
        for (int i = 0; i < WORKERS; i++) pthread_join(threads[i], &lm[i]);
        leat_lm_cache_get_stats(cache, &stats);
        assert_int_equal(stats.misses, 1);
        assert_int_equal(stats.models, 1);
        for (int i = 0; i < WORKERS; i++) {
            assert_ptr_equal(lm[i], lm[0]);
            leat_lm_unref(lm[i]);
        }
        leat_lm_cache_close(cache);
    }
    remove_copies();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_and_wait), cmocka_unit_test(test_in_flight), cmocka_unit_test(test_cancel_storm),
        cmocka_unit_test(test_close_in_flight), cmocka_unit_test(test_sessions_at_once), cmocka_unit_test(test_batch_cancelled),
        cmocka_unit_test(test_cache), cmocka_unit_test(test_cache_under_load), cmocka_unit_test(test_cache_opens_once),
    };
    return cmocka_run_group_tests_name("generate_async", tests, NULL, NULL);
}
