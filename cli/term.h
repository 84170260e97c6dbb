/* term.h - what the program says on stderr, and how it ends: messages, progress, interrupts, exit statuses. */
#ifndef LEAT_CLI_TERM_H
#define LEAT_CLI_TERM_H

#include <stdint.h>

#include "leat/model.h"
#include "leat/status.h"

struct leat_source;
struct leat_lm_session;

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_UNSUPPORTED = 3, CLI_NOT_MET = 4, CLI_INTERRUPTED = 130 };

/* Silences notes and progress. */
void cli_set_quiet(int quiet);

/* Print "leat: ..." on stderr and return the exit status. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));  /* 1 */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2))); /* 2 */
int cli_fail_error(int status, const leat_error *error);                      /* 1, 3 or 130 by the status */
/* Puts "path: " in front of a message that does not know it. */
void cli_name_file(leat_error *error, const char *path);
/* Prints "note: ..." unless quiet. */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

int64_t cli_now_ns(void);

/* SIGINT and SIGTERM ask for an end: the flag is set and the run of the registered contexts is cancelled; a second one ends at once. */
void cli_catch_signals(void);
int cli_interrupted(void);
/* What was asked to end has ended: the next interrupt is a first one again. */
void cli_forget_interrupt(void);
void cli_register_context(leat_context *context); /* NULL forgets all */
void cli_register_lm_session(struct leat_lm_session *session); /* NULL forgets all */
void cli_register_source(struct leat_source *source); /* is cancelled too; NULL forgets it */

/* Progress of long work, shown after 2 s: a line that is rewritten on a terminal, else one every 5 s; none when quiet. */
typedef struct cli_progress {
    const char *what;
    int64_t     start_ns, shown_ns;
    int         shown;
} cli_progress;
void cli_progress_start(cli_progress *progress, const char *what);
/* `done` of `total` units (0 = unknown), named by `unit`. */
void cli_progress_show(cli_progress *progress, double done, double total, const char *unit);
void cli_progress_end(cli_progress *progress);

/* Flushes stdout: `status`, or 1 when writing failed (a message unless the reader went away). */
int cli_finish_output(int status);

#endif
