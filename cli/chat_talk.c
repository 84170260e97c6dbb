/* chat_talk.c - see chat_talk.h. */
#include "chat_talk.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "term.h"
#include "text_file.h"

/* ---- messages ---------------------------------------------------------------------------------------------------------------- */

static void forget_tokens(chat_talk *talk) {
    free(talk->text);
    free(talk->tokens);
    talk->text = NULL;
    talk->tokens = NULL;
    talk->n_tokens = 0;
}

static void free_message(leat_chat_message *m) {
    free((char *)m->role);
    free((char *)m->content);
}

void chat_talk_fini(chat_talk *talk) {
    for (int64_t i = 0; i < talk->count; i++) free_message(&talk->messages[i]);
    free(talk->messages);
    forget_tokens(talk);
    *talk = (chat_talk){.format = talk->format};
}

int chat_talk_add(chat_talk *talk, const char *role, const char *content) {
    if (talk->count == talk->capacity) {
        int64_t larger = talk->capacity ? 2 * talk->capacity : 16;
        leat_chat_message *more = realloc(talk->messages, (size_t)larger * sizeof *more);
        if (!more) return cli_fail("out of memory");
        talk->messages = more;
        talk->capacity = larger;
    }
    leat_chat_message m = {strdup(role), strdup(content)};
    if (!m.role || !m.content) {
        free_message(&m);
        return cli_fail("out of memory");
    }
    talk->messages[talk->count++] = m;
    return CLI_DONE;
}

void chat_talk_drop(chat_talk *talk, int64_t index) {
    free_message(&talk->messages[index]);
    memmove(talk->messages + index, talk->messages + index + 1, (size_t)(talk->count - index - 1) * sizeof *talk->messages);
    talk->count--;
}

int chat_talk_system(chat_talk *talk, const char *content) {
    if (talk->count && strcmp(talk->messages[0].role, "system") == 0) chat_talk_drop(talk, 0);
    if (!content || !*content) return CLI_DONE;
    int status = chat_talk_add(talk, "system", content);
    if (status) return status;
    leat_chat_message system = talk->messages[talk->count - 1];
    memmove(talk->messages + 1, talk->messages, (size_t)(talk->count - 1) * sizeof *talk->messages);
    talk->messages[0] = system;
    return CLI_DONE;
}

/* ---- tokens ------------------------------------------------------------------------------------------------------------------ */

/* NUL-terminated; NULL after a message, *status tells. */
static char *render(const chat_talk *talk, const leat_lm *lm, uint32_t flags, int *status) {
    leat_error error = {0};
    size_t bytes = 0;
    int failed = leat_chat_render(talk->format, leat_lm_tokenizer(lm), talk->messages, talk->count, flags, NULL, 0, &bytes, &error);
    char *text = failed == LEAT_OK || failed == LEAT_ELIMIT ? malloc(bytes + 1) : NULL;
    if (text) failed = leat_chat_render(talk->format, leat_lm_tokenizer(lm), talk->messages, talk->count, flags, text, bytes, &bytes, &error);
    *status = CLI_DONE;
    if (text && failed == LEAT_OK) {
        text[bytes] = 0;
        return text;
    }
    *status = failed == LEAT_ELIMIT ? cli_fail("out of memory") : cli_fail_error(failed, &error);
    free(text);
    return NULL;
}

/* Appends the tokens of text; BOS only in front of all. */
static int encode(chat_talk *talk, const leat_lm *lm, const char *text, uint32_t flags) {
    const leat_tokenizer *t = leat_lm_tokenizer(lm);
    int64_t room = (int64_t)strlen(text) + 16, count = 0;
    int failed = LEAT_ELIMIT;
    for (int tries = 0; failed == LEAT_ELIMIT && tries < 2; tries++, room = count) {
        int32_t *more = realloc(talk->tokens, (size_t)(talk->n_tokens + room) * sizeof *more);
        if (!more) return cli_fail("out of memory");
        talk->tokens = more;
        failed = leat_tokenizer_encode(t, text, strlen(text), flags | LEAT_TOKENIZE_PARSE, more + talk->n_tokens, room, &count);
    }
    if (failed != LEAT_OK) return cli_fail("the conversation cannot be tokenised: %s", leat_status_text(failed));
    leat_tokenizer_info info;
    leat_tokenizer_get_info(t, &info);
    if ((flags & LEAT_TOKENIZE_SPECIALS) && info.add_eos && count > 0) count--;
    talk->n_tokens += count;
    return CLI_DONE;
}

/* Whether the text begins with a control token, or the tokenizer puts nothing in front of a text: then it may be encoded apart from what is before it. */
static int stands_alone(const leat_lm *lm, const char *text) {
    leat_tokenizer_info info;
    int32_t first = -1;
    int64_t count;
    leat_tokenizer_get_info(leat_lm_tokenizer(lm), &info);
    if (!info.add_space_prefix) return 1;
    size_t bytes = strlen(text);
    int failed = leat_tokenizer_encode(leat_lm_tokenizer(lm), text, bytes < 64 ? bytes : 64, LEAT_TOKENIZE_PARSE, &first, 1, &count);
    return (failed == LEAT_OK || failed == LEAT_ELIMIT) && leat_tokenizer_type(leat_lm_tokenizer(lm), first) == LEAT_TOKEN_CONTROL;
}

int chat_talk_prompt(chat_talk *talk, const leat_lm *lm) {
    int status;
    char *text = render(talk, lm, LEAT_CHAT_PROMPT, &status);
    if (!text) return status;
    size_t known = talk->text ? strlen(talk->text) : 0;
    if (known && strncmp(text, talk->text, known) == 0 && stands_alone(lm, text + known)) {
        status = encode(talk, lm, text + known, 0);
    } else {
        talk->n_tokens = 0;
        status = encode(talk, lm, text, LEAT_TOKENIZE_SPECIALS);
    }
    free(talk->text);
    talk->text = text;
    return status;
}

int chat_talk_reply(chat_talk *talk, const leat_lm *lm, const char *text, const int32_t *tokens, int64_t count) {
    while (count && leat_tokenizer_type(leat_lm_tokenizer(lm), tokens[count - 1]) == LEAT_TOKEN_CONTROL) count--; /* the end token is the format's to write */
    size_t known = strlen(talk->text), more = strlen(text);
    char *longer = realloc(talk->text, known + more + 1);
    if (longer) talk->text = longer;
    int32_t *all = realloc(talk->tokens, (size_t)(talk->n_tokens + count + 1) * sizeof *all);
    if (all) talk->tokens = all;
    if (!longer || !all) return cli_fail("out of memory");
    memcpy(longer + known, text, more + 1);
    memcpy(all + talk->n_tokens, tokens, (size_t)count * sizeof *all);
    talk->n_tokens += count;
    while (*text == ' ') text++; /* it belongs to the format where the format has one */
    return chat_talk_add(talk, "assistant", text);
}

/* ---- files ------------------------------------------------------------------------------------------------------------------- */

int chat_talk_save(const chat_talk *talk, const char *path) {
    json_t *list = json_array();
    for (int64_t i = 0; i < talk->count; i++)
        json_array_append_new(list, json_pack("{s:s, s:o}", "role", talk->messages[i].role, "content", cli_json_text(talk->messages[i].content)));
    json_t *all = json_pack("{s:s, s:o}", "template", talk->format, "messages", list);
    cli_text_file text;
    int status = all ? cli_text_open(&text, path) : cli_fail("out of memory");
    if (status == CLI_DONE) {
        json_dumpf(all, text.file, JSON_INDENT(2)); /* what fails is seen by the stream */
        status = cli_text_close(&text, 1);
    }
    json_decref(all);
    return status;
}

int chat_talk_load(chat_talk *talk, const char *path) {
    json_error_t wrong;
    json_t *all = json_load_file(path, 0, &wrong), *list = json_object_get(all, "messages"), *entry;
    chat_talk loaded = {.format = talk->format};
    size_t i;
    int status = CLI_DONE;
    if (!all && wrong.line < 0) return cli_fail("%s", wrong.text); /* not opened: the path is in it */
    if (!all) return cli_fail("%s: line %d: %s", path, wrong.line, wrong.text);
    if (!json_is_array(list)) status = cli_fail("%s is not a conversation: it has no \"messages\"", path);
    json_array_foreach(list, i, entry) {
        const char *role = json_string_value(json_object_get(entry, "role")), *content = json_string_value(json_object_get(entry, "content"));
        if (status) break;
        status = role && content ? chat_talk_add(&loaded, role, content) : cli_fail("%s: message %zu has no \"role\" or no \"content\"", path, i);
    }
    json_decref(all);
    if (status == CLI_DONE) {
        chat_talk_fini(talk);
        *talk = loaded;
    } else {
        chat_talk_fini(&loaded);
    }
    return status;
}
