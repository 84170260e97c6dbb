/* term.c - messages, progress and interrupts; see term.h. */
#include "term.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "leat/lm.h"
#include "leat/video.h"

#define SHOW_AFTER_NS 2000000000
#define TERMINAL_EVERY_NS 100000000
#define LINE_EVERY_NS 5000000000
#define MAX_CONTEXTS 256

static int                    is_quiet;
static volatile sig_atomic_t  interrupted;
static leat_context *volatile contexts[MAX_CONTEXTS];
static volatile sig_atomic_t  n_contexts;
static leat_source *volatile  source;
static leat_lm_session *volatile lm_sessions[MAX_CONTEXTS];
static volatile sig_atomic_t  n_lm_sessions;

void cli_set_quiet(int quiet) { is_quiet = quiet; }

int64_t cli_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- messages ------------------------------------------------------------------------------------------------------------- */

static int use_colour(void) {
    const char *term = getenv("TERM"), *off = getenv("NO_COLOR");
    return !(off && *off) && term && strcmp(term, "dumb") != 0 && isatty(STDERR_FILENO);
}

static void say(const char *colour, const char *tag, const char *format, va_list list) {
    int coloured = use_colour();
    fflush(stdout);
    fprintf(stderr, "%s%s%s ", coloured ? colour : "", tag, coloured ? "\033[0m" : "");
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
}

int cli_fail(const char *format, ...) {
    va_list list;
    va_start(list, format);
    say("\033[31m", "leat:", format, list);
    va_end(list);
    return CLI_FAILED;
}

int cli_usage(const char *format, ...) {
    va_list list;
    va_start(list, format);
    say("\033[31m", "leat:", format, list);
    va_end(list);
    return CLI_USAGE;
}

void cli_note(const char *format, ...) {
    va_list list;
    if (is_quiet) return;
    va_start(list, format);
    say("\033[33m", "note:", format, list);
    va_end(list);
}

int cli_fail_error(int status, const leat_error *error) {
    if (status == LEAT_ECANCELLED && cli_interrupted()) return CLI_INTERRUPTED;
    cli_fail("%s", error && error->message[0] ? error->message : leat_status_text(status));
    return status == LEAT_EUNSUPPORTED ? CLI_UNSUPPORTED : CLI_FAILED;
}

void cli_name_file(leat_error *error, const char *path) {
    leat_error bare = *error;
    snprintf(error->message, sizeof error->message, "%.200s: %.500s", path, bare.message);
}

/* ---- interrupts ----------------------------------------------------------------------------------------------------------- */

static void on_signal(int number) {
    (void)number;
    if (interrupted) _exit(CLI_INTERRUPTED);
    interrupted = 1;
    for (int i = 0; i < n_contexts; i++) leat_context_cancel(contexts[i]); /* an atomic store */
    for (int i = 0; i < n_lm_sessions; i++) leat_lm_cancel(lm_sessions[i]);
    if (source) leat_source_cancel(source);
}

void cli_catch_signals(void) {
    struct sigaction catch = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &catch, NULL);
    sigaction(SIGTERM, &catch, NULL);
    sigaction(SIGPIPE, &ignore, NULL); /* a reader that went away is seen as a failed write */
    sigaction(SIGXFSZ, &ignore, NULL); /* and so is a file that may not grow */
}

int cli_interrupted(void) { return interrupted; }

void cli_forget_interrupt(void) { interrupted = 0; }

void cli_register_source(leat_source *input) { source = input; }

void cli_register_lm_session(leat_lm_session *session) {
    if (!session) {
        n_lm_sessions = 0;
    } else if (n_lm_sessions < MAX_CONTEXTS) {
        lm_sessions[n_lm_sessions] = session;
        n_lm_sessions++;
    }
}

void cli_register_context(leat_context *context) {
    if (!context) {
        n_contexts = 0;
    } else if (n_contexts < MAX_CONTEXTS) {
        contexts[n_contexts] = context;
        n_contexts++;
    }
}

/* ---- progress ------------------------------------------------------------------------------------------------------------- */

void cli_progress_start(cli_progress *progress, const char *what) {
    *progress = (cli_progress){.what = what, .start_ns = cli_now_ns()};
}

/* As many as keep a large number from an exponent. */
static int digits(double number) { return number < 1e4 ? 4 : 15; }

void cli_progress_show(cli_progress *progress, double done, double total, const char *unit) {
    int64_t now = cli_now_ns(), elapsed = now - progress->start_ns;
    int     terminal = isatty(STDERR_FILENO);
    int64_t every = terminal ? TERMINAL_EVERY_NS : LINE_EVERY_NS;
    if (is_quiet || (total > 0 && done >= total) || elapsed < SHOW_AFTER_NS || (progress->shown && now - progress->shown_ns < every)) return;
    double seconds = (double)elapsed / 1e9, rate = done / seconds;
    fprintf(stderr, "%s%s: %.*g", terminal ? "\r\033[K" : "", progress->what, digits(done), done);
    if (total > 0) fprintf(stderr, " of %.*g", digits(total), total);
    fprintf(stderr, " %s, %.4g/s", unit, rate);
    if (total > 0 && rate > 0) fprintf(stderr, ", %.0f s left", (total - done) / rate);
    if (!terminal) fputc('\n', stderr);
    fflush(stderr);
    progress->shown = 1;
    progress->shown_ns = now;
}

void cli_progress_end(cli_progress *progress) {
    if (progress->shown && isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
}

int cli_finish_output(int status) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    if (errno == 0) { /* an earlier write failed and the rest was empty: one more byte tells why */
        clearerr(stdout);
        fputc('\n', stdout);
        fflush(stdout);
    }
    if (errno != EPIPE) cli_fail("cannot write to standard output: %s", errno ? strerror(errno) : "an earlier write failed");
    return status == CLI_DONE ? CLI_FAILED : status;
}
