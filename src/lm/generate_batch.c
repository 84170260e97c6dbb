/* generate_batch.c - continuous batching: many requests over some sessions, decoded in common passes over the weights.
 *
 * Each session is a *seat*.  A round is one step of the model: one row for every seat that decodes, and rows of prompts behind them, in the order of the seats: few while
 * others decode, so that those do not freeze, else more.  A seat that is done takes the next request before the next round.
 * The steps run in the scratch of the session that has the largest; every seat keeps its own cache, sampler and text.  Nothing allocates in a round;
 * beginning a request may. */
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "lm/generation.h"

enum { CHUNK = 32, STRETCH = 128 }; /* rows of prompts beside decoding ones; where only prompts are worked on, by several seats: who cancels does not wait for long */

typedef enum seat_state { SEAT_EMPTY, SEAT_PROMPT, SEAT_DECODE } seat_state;

typedef struct seat {
    leat_lm_generation *g;
    seat_state          state;
    int64_t             request;     /* its number */
    int32_t             first, rows; /* in this round */
    int32_t             wanted;      /* number of its logits among those of the step; -1: none yet */
} seat;

typedef struct batch {
    seat            *seats;  /* [n] */
    int32_t          n, capacity, n_wanted;
    leat_lm_session *host;   /* whose scratch the steps run in */
    leat_lm_row     *rows;   /* [capacity] */
    float           *logits; /* [n, vocabulary] */
    const leat_lm_request *requests;
    leat_lm_result  *results;
    leat_lm_token_fn on_token;
    void *const     *users;
    int             *statuses;
    int64_t          count, taken;
    int              failure; /* the first */
    leat_error      *error;
} batch;

/* ---- requests come and go --------------------------------------------------------------------------------------------------- */

static void note(batch *b, int64_t request, int status, const leat_error *error) {
    if (b->statuses) b->statuses[request] = status;
    if (!status || b->failure) return;
    b->failure = status;
    if (b->error) *b->error = *error;
}

static void leave(batch *b, seat *s, int status, const leat_error *error) {
    leat__hot_leave();
    leat__generation_end(s->g, status);
    note(b, s->request, status, error);
    s->state = SEAT_EMPTY;
    leat__hot_enter();
}

/* After a step of a request: goes on, or ends. */
static void settle(batch *b, seat *s, int status, const leat_error *error) {
    if (status || s->g->finish) leave(b, s, status, error);
}

/* Makes the session hold what it has in common with the prompt; the rest comes in rounds.  The last token is always evaluated, for its logits. */
static void begin_prompt(seat *s) {
    leat_lm_session *session = s->g->session;
    int32_t common = 0;
    while (common < session->kv->length && common + 1 < s->g->n_prompt && session->tokens[common] == s->g->prompt[common]) common++;
    common = leat__lm_kv_truncate(session->kv, common);
    session->has_logits = 0;
    session->stats.reused_tokens += common;
    s->state = SEAT_PROMPT;
}

/* A request whose prompt's logits are wanted evaluates it alone. */
static int prefill_alone(seat *s, leat_error *error) {
    int status = leat__generation_prefill(s->g, error);
    if (status == LEAT_OK && !s->g->finish) status = leat__generation_step(s->g, s->g->session->logits, error);
    s->state = SEAT_DECODE;
    return status;
}

static void take_request(batch *b, seat *s) {
    leat_error error = {0};
    s->request = b->taken++;
    atomic_store(&s->g->session->cancelled, 0);
    leat__hot_leave();
    int status = leat__generation_begin(s->g, &b->requests[s->request], &b->results[s->request], b->on_token, b->users ? b->users[s->request] : NULL, &error);
    leat__hot_enter();
    if (status == LEAT_OK && b->results[s->request].prompt_logits) status = prefill_alone(s, &error);
    else if (status == LEAT_OK) begin_prompt(s);
    settle(b, s, status, &error);
}

/* ---- a round ---------------------------------------------------------------------------------------------------------------- */

static void add_rows(batch *b, int32_t *n, seat *s, const int32_t *tokens, int32_t count, int wants) {
    s->first = *n;
    s->rows = count;
    s->wanted = wants ? b->n_wanted++ : -1;
    for (int32_t i = 0; i < count; i++) b->rows[(*n)++] = (leat_lm_row){s->g->session->kv, tokens[i], wants && i + 1 == count};
}

static int32_t occupied(const batch *b) {
    int32_t n = 0;
    for (int32_t i = 0; i < b->n; i++) n += b->seats[i].state != SEAT_EMPTY;
    return n;
}

static int32_t fill_rows(batch *b) {
    int32_t n = b->n_wanted = 0;
    for (int32_t i = 0; i < b->n; i++) {
        b->seats[i].rows = 0;
        if (b->seats[i].state == SEAT_DECODE) add_rows(b, &n, &b->seats[i], &b->seats[i].g->next, 1, 1);
    }
    int32_t most = n ? n + CHUNK : occupied(b) > 1 ? STRETCH : b->capacity, room = most < b->capacity ? most : b->capacity;
    for (int32_t i = 0; i < b->n && n < room; i++) {
        seat *s = &b->seats[i];
        if (s->state != SEAT_PROMPT) continue;
        int32_t at = s->g->session->kv->length, left = (int32_t)s->g->n_prompt - at, count = left < room - n ? left : room - n;
        if (count > s->g->session->batch) count = s->g->session->batch; /* its cache has no room for more at once */
        add_rows(b, &n, s, s->g->prompt + at, count, count == left);
    }
    return n;
}

/* What the step evaluated belongs to the sessions now. */
static void take_rows(const batch *b, seat *s, int64_t ns) {
    leat_lm_session *session = s->g->session;
    leat_lm_session_stats *stats = &session->stats;
    int32_t at = session->kv->length - s->rows;
    for (int32_t i = 0; i < s->rows; i++) session->tokens[at + i] = b->rows[s->first + i].token;
    session->has_logits = 0;
    stats->evaluated_tokens += s->rows;
    if (s->state == SEAT_DECODE) stats->decode_ns += ns, stats->decode_tokens++;
    else stats->prompt_ns += ns, stats->prompt_tokens += s->rows;
}

static void use_logits(batch *b, seat *s, const float *logits) {
    leat_error error = {0};
    int status = s->state == SEAT_PROMPT ? leat__generation_prefilled(s->g, &error) : LEAT_OK;
    s->state = SEAT_DECODE;
    if (status == LEAT_OK && !s->g->finish) status = leat__generation_step(s->g, logits, &error);
    settle(b, s, status, &error);
}

static int32_t only_seat(const batch *b, int32_t *at) {
    int32_t busy = 0;
    for (int32_t i = 0; i < b->n; i++)
        if (b->seats[i].rows) busy++, *at = i;
    return busy;
}

/* Those who were told to stop leave before the step; with a single one the step itself looks at its flag. */
static void drop_cancelled(batch *b) {
    const leat_error error = {.status = LEAT_ECANCELLED, .message = "cancelled"};
    for (int32_t i = 0; i < b->n; i++) {
        seat *s = &b->seats[i];
        if (s->state != SEAT_EMPTY && atomic_load_explicit(&s->g->session->cancelled, memory_order_relaxed)) leave(b, s, LEAT_ECANCELLED, &error);
    }
}

static void fail_all(batch *b, int status, const leat_error *error) {
    for (int32_t i = 0; i < b->n; i++)
        if (b->seats[i].rows) leave(b, &b->seats[i], status, error);
}

static void run_round(batch *b) {
    leat_error error = {0};
    int32_t only = 0, n = fill_rows(b), vocabulary = b->host->lm->params.vocabulary;
    if (n == 0) return;
    const atomic_int *cancel = only_seat(b, &only) == 1 ? &b->seats[only].g->session->cancelled : NULL;
    int64_t start = leat__now_ns();
    int status = leat__lm_forward(b->host->runner, b->rows, n, &(leat_lm_outputs){.logits = b->logits}, cancel, &error);
    if (status) {
        fail_all(b, status, &error);
        return;
    }
    int64_t ns = leat__now_ns() - start;
    for (int32_t i = 0; i < b->n; i++)
        if (b->seats[i].rows) take_rows(b, &b->seats[i], ns);
    for (int32_t i = 0; i < b->n; i++)
        if (b->seats[i].rows && b->seats[i].wanted >= 0) use_logits(b, &b->seats[i], b->logits + (int64_t)b->seats[i].wanted * vocabulary);
}

static void run(batch *b) {
    leat__hot_enter();
    do {
        drop_cancelled(b);
        for (int32_t i = 0; i < b->n; i++)
            while (b->seats[i].state == SEAT_EMPTY && b->taken < b->count) take_request(b, &b->seats[i]);
        run_round(b);
    } while (occupied(b) || b->taken < b->count);
    leat__hot_leave();
}

/* ---- the call --------------------------------------------------------------------------------------------------------------- */

static int check(leat_lm_session *const *sessions, int32_t n, const leat_lm_request *requests, const leat_lm_result *results, int64_t count, leat_error *error) {
    if (!sessions || n < 1) return leat__fail(error, LEAT_EINVAL, "n_sessions is %d", (int)n);
    if (count < 0 || (count && (!requests || !results))) return leat__fail(error, LEAT_EINVAL, "count is %lld, or requests or results are NULL", (long long)count);
    for (int32_t i = 0; i < n; i++) {
        if (!sessions[i]) return leat__fail(error, LEAT_EINVAL, "sessions[%d] is NULL", (int)i);
        if (sessions[i]->lm != sessions[0]->lm) return leat__fail(error, LEAT_EINVAL, "sessions[%d] is of another model than sessions[0]", (int)i);
    }
    return LEAT_OK;
}

static void close_batch(batch *b) {
    leat__free(b->seats);
    leat__free(b->rows);
    leat__free(b->logits);
}

static int open_batch(batch *b, leat_lm_session *const *sessions, int32_t n, leat_error *error) {
    b->host = sessions[0];
    for (int32_t i = 1; i < n; i++)
        if (sessions[i]->batch > b->host->batch) b->host = sessions[i];
    b->n = n;
    b->capacity = b->host->batch;
    if (b->capacity < n) return leat__fail(error, LEAT_ELIMIT, "%d sessions need one whose batch is as large; the largest is %d", (int)n, (int)b->capacity);
    b->seats = leat__calloc((size_t)n, sizeof *b->seats, LEAT_MEMORY_ARENA);
    b->rows = leat__calloc((size_t)b->capacity, sizeof *b->rows, LEAT_MEMORY_ARENA);
    b->logits = leat__calloc((size_t)n, (size_t)b->host->lm->params.vocabulary * sizeof *b->logits, LEAT_MEMORY_ARENA);
    if (!b->seats || !b->rows || !b->logits) {
        close_batch(b);
        return leat__fail(error, LEAT_ENOMEM, "out of memory for a batch of %d", (int)n);
    }
    for (int32_t i = 0; i < n; i++) b->seats[i].g = sessions[i]->generation;
    return LEAT_OK;
}

static void release_all(leat_lm_session *const *sessions, int32_t n) {
    for (int32_t i = 0; i < n; i++) leat__generation_release(sessions[i], LEAT_OK, NULL);
}

int leat_lm_generate_batch(leat_lm_session *const *sessions, int32_t n_sessions, const leat_lm_request *requests, leat_lm_result *results, int64_t count,
                           leat_lm_token_fn on_token, void *const *users, int *statuses, leat_error *error) {
    batch b = {.requests = requests, .results = results, .on_token = on_token, .users = users, .statuses = statuses, .count = count, .error = error};
    int status = check(sessions, n_sessions, requests, results, count, error);
    for (int64_t i = 0; status && statuses && i < count; i++) statuses[i] = status;
    if (status) return status;
    int32_t claimed = 0;
    while (claimed < n_sessions && status == LEAT_OK) {
        status = leat__generation_claim(sessions[claimed], error);
        claimed += status == LEAT_OK;
    }
    if (status == LEAT_OK) status = open_batch(&b, sessions, n_sessions, error);
    if (status == LEAT_OK) {
        run(&b);
        close_batch(&b);
        status = b.failure;
    } else {
        for (int64_t i = 0; statuses && i < count; i++) statuses[i] = status;
    }
    release_all(sessions, claimed);
    return status;
}
