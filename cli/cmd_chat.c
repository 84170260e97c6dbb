/* cmd_chat.c - `leat chat`: a conversation, line by line.
 *
 * The session keeps what it has evaluated: a turn costs its own tokens, not the whole conversation's.  When the context is full the oldest messages are dropped, the
 * system's excepted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chat_talk.h"
#include "lm_request.h"
#include "report.h"
#include "term.h"

typedef struct chat_job {
    const cli_args  *args;
    leat_lm         *lm;
    leat_lm_info     info;
    leat_lm_session *session;
    cli_lm_request   request;
    const char     **stop;   /* of the options, and the format's own */
    chat_talk        talk;
    leat_lm_result   result; /* with room for the longest reply */
    int64_t          context;
    int              json, failed;
} chat_job;

/* ---- setting up -------------------------------------------------------------------------------------------------------------- */

static int choose_format(chat_job *j) {
    const char *name = cli_text(j->args, OPT_TEMPLATE);
    leat_error error = {0};
    int failed;
    if (name) {
        size_t bytes;
        failed = leat_chat_render(name, NULL, NULL, 0, 0, NULL, 0, &bytes, &error);
        j->talk.format = name;
        return failed == LEAT_OK || failed == LEAT_ELIMIT ? CLI_DONE : cli_usage("%s", error.message);
    }
    failed = leat_chat_of_file(leat_lm_gguf(j->lm), &j->talk.format, &error);
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

/* The format's own stop text goes with those of the options. */
static int add_stop(chat_job *j) {
    const char *own = leat_chat_stop(j->talk.format);
    leat_lm_request *r = &j->request.request;
    j->stop = calloc((size_t)r->n_stop + 1, sizeof *j->stop);
    if (!j->stop) return cli_fail("out of memory");
    for (int32_t i = 0; i < r->n_stop; i++) j->stop[i] = r->stop[i];
    if (own) j->stop[r->n_stop++] = own;
    r->stop = j->stop;
    return CLI_DONE;
}

static int make_room(chat_job *j) {
    leat_lm_session_stats stats;
    leat_lm_session_get_stats(j->session, &stats);
    j->context = stats.context;
    int64_t most = j->request.request.max_tokens;
    if (most < 0 || most > j->context) most = j->context;
    leat_lm_result_init(&j->result);
    j->result.token_capacity = most;
    j->result.text_capacity = (size_t)most * 256 + 256;
    j->result.tokens = calloc((size_t)most + 1, sizeof *j->result.tokens);
    j->result.text = malloc(j->result.text_capacity);
    return j->result.tokens && j->result.text ? CLI_DONE : cli_fail("out of memory");
}

/* ---- a turn ------------------------------------------------------------------------------------------------------------------ */

static int on_token(void *user, const leat_lm_piece *piece) {
    const chat_job *j = user;
    if (!j->json && piece->bytes) {
        fwrite(piece->text, 1, piece->bytes, stdout);
        fflush(stdout);
    }
    return cli_interrupted() || ferror(stdout);
}

/* Drops the oldest messages until the prompt leaves room for a reply. */
static int fit_prompt(chat_job *j) {
    int64_t reply = j->result.token_capacity < j->context / 4 ? j->result.token_capacity : j->context / 4;
    int dropped = 0;
    for (;;) {
        int status = chat_talk_prompt(&j->talk, j->lm);
        int64_t first = j->talk.count && strcmp(j->talk.messages[0].role, "system") == 0;
        if (status || j->talk.n_tokens + reply <= j->context || j->talk.count - first < 3) {
            if (dropped) cli_note("the context of %lld tokens is full: the %d oldest messages are forgotten", (long long)j->context, dropped);
            return status;
        }
        chat_talk_drop(&j->talk, first);
        if (strcmp(j->talk.messages[first].role, "assistant") == 0) {
            chat_talk_drop(&j->talk, first);
            dropped++;
        }
        dropped++;
    }
}

static void show_reply(const chat_job *j) {
    const leat_lm_result *r = &j->result;
    if (!j->json) {
        putchar('\n');
        fflush(stdout);
        cli_print_timings(r, j->info.open_ns);
        return;
    }
    cli_print_json(json_pack("{s:s, s:o, s:s, s:I, s:I, s:o}", "role", "assistant", "content", cli_json_text(r->text), "finish", leat_finish_name(r->finish), "tokens",
                             (json_int_t)r->n_tokens, "seed", (json_int_t)r->seed, "timings", cli_json_timings(r, j->info.open_ns)));
}

static int say(chat_job *j, const char *text) {
    leat_error error = {0};
    int status = chat_talk_add(&j->talk, "user", text);
    if (status == CLI_DONE) status = fit_prompt(j);
    if (status) return status;
    leat_lm_request request = j->request.request;
    request.tokens = j->talk.tokens;
    request.n_tokens = j->talk.n_tokens;
    j->result.text[0] = 0;
    j->result.n_tokens = 0;
    int failed = leat_lm_generate(j->session, &request, &j->result, on_token, j, &error);
    int ended = failed == LEAT_OK || failed == LEAT_ECANCELLED;
    if (ended) show_reply(j);
    if (failed == LEAT_ECANCELLED || cli_interrupted()) {
        cli_forget_interrupt();
        cli_note("the reply was interrupted");
    }
    if (!ended) {
        if (!j->json && j->result.text_bytes) putchar('\n');
        chat_talk_drop(&j->talk, j->talk.count - 1);
        return cli_fail_error(failed, &error);
    }
    int64_t kept = j->result.n_tokens < j->result.token_capacity ? j->result.n_tokens : j->result.token_capacity;
    return chat_talk_reply(&j->talk, j->lm, j->result.text, j->result.tokens, kept);
}

/* ---- commands ---------------------------------------------------------------------------------------------------------------- */

static char *kv_path(const char *path) {
    char *name = malloc(strlen(path) + 4);
    if (name) strcat(strcpy(name, path), ".kv");
    return name;
}

static int save_talk(chat_job *j, const char *path) {
    char *name = kv_path(path);
    leat_error error = {0};
    int status = name ? chat_talk_save(&j->talk, path) : cli_fail("out of memory");
    int failed = status == CLI_DONE ? leat_lm_session_save(j->session, name, &error) : LEAT_OK;
    free(name);
    return failed == LEAT_OK ? status : cli_fail_error(failed, &error);
}

/* Without the model's state the conversation is evaluated anew at the next turn. */
static int load_talk(chat_job *j, const char *path) {
    char *name = kv_path(path);
    leat_error error = {0};
    int status = name ? chat_talk_load(&j->talk, path) : cli_fail("out of memory");
    if (status == CLI_DONE && leat_lm_session_load(j->session, name, &error) != LEAT_OK) cli_note("the conversation will be evaluated anew: %s", error.message);
    free(name);
    return status;
}

/* What the line says behind the command; NULL when it is another one. */
static const char *argument_of(const char *line, const char *command) {
    size_t n = strlen(command);
    if (strncmp(line, command, n) != 0 || (line[n] && line[n] != ' ')) return NULL;
    for (line += n; *line == ' ';) line++;
    return line;
}

static int reset_talk(chat_job *j) {
    const char *system = j->talk.count && strcmp(j->talk.messages[0].role, "system") == 0 ? j->talk.messages[0].content : NULL;
    char *kept = system ? strdup(system) : NULL;
    chat_talk_fini(&j->talk);
    int status = chat_talk_system(&j->talk, kept);
    free(kept);
    return status;
}

/* 1 = go on, 0 = the end. */
static int obey(chat_job *j, const char *line) {
    const char *argument;
    int status = CLI_DONE;
    if (argument_of(line, "/exit") || argument_of(line, "/quit")) return 0;
    if (argument_of(line, "/reset")) status = reset_talk(j);
    else if ((argument = argument_of(line, "/system"))) status = chat_talk_system(&j->talk, argument);
    else if ((argument = argument_of(line, "/save"))) status = *argument ? save_talk(j, argument) : cli_usage("/save FILE");
    else if ((argument = argument_of(line, "/load"))) status = *argument ? load_talk(j, argument) : cli_usage("/load FILE");
    else status = cli_usage("there are /reset, /system TEXT, /save FILE, /load FILE and /exit; a message that begins with a slash is written with two");
    if (status) j->failed = status;
    return 1;
}

/* ---- the loop ---------------------------------------------------------------------------------------------------------------- */

/* A message: lines that end in a backslash are joined.  NULL at the end of the input or an interrupt; free() it. */
static char *read_message(int prompt) {
    char *message = NULL, *line = NULL;
    size_t room = 0, length = 0;
    for (int more = 1; more;) {
        if (prompt) {
            fputs(message ? ". " : "> ", stderr);
            fflush(stderr);
        }
        ssize_t n = getline(&line, &room, stdin);
        if (n < 0) break;
        while (n && (line[n - 1] == '\n' || line[n - 1] == '\r')) n--;
        more = n && line[n - 1] == '\\';
        if (more) line[n - 1] = '\n';
        char *longer = realloc(message, length + (size_t)n + 1);
        if (!longer) break;
        message = longer;
        memcpy(message + length, line, (size_t)n);
        message[length += (size_t)n] = 0;
    }
    free(line);
    return message;
}

static int converse(chat_job *j) {
    int prompt = isatty(STDIN_FILENO) && isatty(STDERR_FILENO), going = 1;
    char *message;
    while (going && !ferror(stdout) && (message = read_message(prompt))) {
        int command = message[0] == '/' && message[1] != '/', status = CLI_DONE;
        if (cli_interrupted()) going = 0;
        else if (command) going = obey(j, message);
        else if (*message) status = say(j, message + (message[0] == '/'));
        if (status) j->failed = status;
        free(message);
        if (status && !prompt) break; /* a script ends at its first failure */
    }
    if (prompt && going) fputc('\n', stderr);
    return cli_interrupted() ? CLI_INTERRUPTED : j->failed;
}

int cli_chat(const cli_args *args) {
    chat_job j = {.args = args, .json = cli_int(args, OPT_JSON)};
    int status = cli_open_generator(args, &j.lm);
    if (status == CLI_DONE) leat_lm_get_info(j.lm, &j.info);
    if (status == CLI_DONE && j.info.encoder) status = cli_usage("%s only makes embeddings", cli_text(args, OPT_MODEL));
    if (status == CLI_DONE) status = choose_format(&j);
    if (status == CLI_DONE) status = cli_lm_request_make(args, j.lm, &j.request);
    if (status == CLI_DONE) status = add_stop(&j);
    if (status == CLI_DONE) status = cli_open_lm_session(args, j.lm, &j.session);
    if (status == CLI_DONE) status = make_room(&j);
    if (status == CLI_DONE) status = chat_talk_system(&j.talk, cli_text(args, OPT_SYSTEM));
    if (status == CLI_DONE) {
        cli_register_lm_session(j.session);
        status = converse(&j);
        cli_register_lm_session(NULL);
    }
    chat_talk_fini(&j.talk);
    leat_lm_session_close(j.session);
    cli_lm_request_fini(&j.request);
    free(j.stop);
    free(j.result.tokens);
    free(j.result.text);
    leat_lm_unref(j.lm);
    return status;
}
