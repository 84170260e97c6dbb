/* chat.c - recognising a chat template and writing conversations; the formats are in chat_format.c. */
#include "leat/chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "lm/chat_format.h"

/* ---- which format ----------------------------------------------------------------------------------------------------------- */

const char *leat_chat_name(int index) {
    for (int i = 0; index >= 0 && i <= index; i++)
        if (!leat__chat_formats[i].name) return NULL;
    return index >= 0 ? leat__chat_formats[index].name : NULL;
}

/* Whether the text begins with the fragment; its line ends may be spelled as in a string. */
static int begins(const char *text, size_t bytes, const char *fragment) {
    for (size_t at = 0; *fragment; fragment++, at++) {
        if (*fragment == '\n' && at + 1 < bytes && text[at] == '\\' && text[at + 1] == 'n') at++;
        else if (at >= bytes || text[at] != *fragment) return 0;
    }
    return 1;
}

static int contains(const char *text, size_t bytes, const char *fragment) {
    for (const char *at = text, *end = text + bytes; (at = memchr(at, *fragment, (size_t)(end - at))); at++)
        if (begins(at, (size_t)(end - at), fragment)) return 1;
    return 0;
}

static int fits(const leat_chat_format *f, const char *text, size_t bytes) {
    for (size_t i = 0; i < sizeof f->has / sizeof *f->has && f->has[i]; i++)
        if (!contains(text, bytes, f->has[i])) return 0;
    for (size_t i = 0; i < sizeof f->lacks / sizeof *f->lacks && f->lacks[i]; i++)
        if (contains(text, bytes, f->lacks[i])) return 0;
    return f->has[0] != NULL;
}

const char *leat_chat_recognise(const char *text, size_t bytes) {
    if (!text) return NULL;
    const leat_chat_format *f = leat__chat_formats;
    for (int i = 0; leat__chat_foreign[i]; i++)
        if (contains(text, bytes, leat__chat_foreign[i])) return NULL;
    while (f->name && !fits(f, text, bytes)) f++;
    return f->name;
}

/* All names with spaces between, as many as fit. */
static const char *all_names(char names[768]) {
    size_t n = 0;
    *names = 0;
    for (const leat_chat_format *f = leat__chat_formats; f->name && n < 768; f++) n += (size_t)snprintf(names + n, 768 - n, "%s%s", n ? " " : "", f->name);
    return names;
}

int leat_chat_of_file(const leat_gguf *file, const char **name, leat_error *error) {
    const char *text;
    char names[768];
    uint64_t at = 0, length;
    if (name) *name = NULL;
    if (!file || !name) return leat__fail(error, LEAT_EINVAL, "chat: file and name are needed");
    const leat_gguf_value *value = leat_gguf_find(file, "tokenizer.chat_template");
    if (!value || leat_gguf_string(value, &at, &text, &length))
        return leat__fail(error, LEAT_EUNSUPPORTED, "the model's file has no chat template; choose one by name (--template NAME): %s", all_names(names));
    *name = leat_chat_recognise(text, length);
    if (*name) return LEAT_OK;
    return leat__fail(error, LEAT_EUNSUPPORTED, "the chat template of the model is not known (\"%.*s...\"); choose one by name (--template NAME): %s", (int)(length < 60 ? length : 60), text,
                      all_names(names));
}

static const leat_chat_format *find_format(const char *name, leat_error *error) {
    char names[768];
    for (const leat_chat_format *f = leat__chat_formats; f->name; f++)
        if (name && strcmp(f->name, name) == 0) return f;
    leat__fail(error, LEAT_EINVAL, "there is no chat template '%.60s'; there are: %s", name ? name : "", all_names(names));
    return NULL;
}

const char *leat_chat_stop(const char *name) {
    const leat_chat_format *f = leat__chat_formats;
    while (f->name && name && strcmp(f->name, name) != 0) f++;
    return name ? f->stop : NULL;
}

/* ---- writing ---------------------------------------------------------------------------------------------------------------- */

/* A piece of the format, with its stand-ins. */
static void put_markup(leat_chat_writer *w, const char *markup) {
    for (; markup && *markup; markup++) {
        const char *const stand_ins[] = {NULL, w->role, w->bos, w->eos, w->no_thoughts, w->today};
        const char *stands_for = (unsigned char)*markup < sizeof stand_ins / sizeof *stand_ins ? stand_ins[(unsigned char)*markup] : NULL;
        if (stands_for) leat__chat_put(w, stands_for, strlen(stands_for));
        else leat__chat_put(w, markup, 1);
    }
}

static int is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f'; }

enum { TRIM_NOT, TRIM_ALL, TRIM_END };

static void put_content(leat_chat_writer *w, const char *text, int trim) {
    size_t bytes = strlen(text);
    while (trim == TRIM_ALL && bytes && is_blank(*text)) text++, bytes--;
    while (trim && bytes && is_blank(text[bytes - 1])) bytes--;
    leat__chat_put(w, text, bytes);
}

/* What is left of a reply without its thoughts; lines: line ends in front of it go. */
static const char *behind_thoughts(const char *text, int lines) {
    const char *end;
    int thought = 0;
    for (; (end = strstr(text, "</think>")); thought = 1) text = end + 8;
    while (lines && thought && *text == '\n') text++;
    return text;
}

/* The thoughts of a reply in a block of their own: what is between the last "<think>" and the first "</think>". */
static void put_thoughts(leat_chat_writer *w, const char *text) {
    const char *end = strstr(text, "</think>"), *begin;
    put_markup(w, "<think>\n");
    while (end && end > text && end[-1] == '\n') end--;
    for (; end && (begin = strstr(text, "<think>")) && begin < end;) text = begin + 7;
    while (end && text < end && *text == '\n') text++;
    if (end) leat__chat_put(w, text, (size_t)(end - text));
    put_markup(w, "\n</think>\n\n");
}

/* ---- the conversation ------------------------------------------------------------------------------------------------------- */

typedef struct conversation {
    const leat_chat_format  *f;
    const leat_chat_message *messages;
    int64_t                  count, first_user, last_user; /* -1 = none */
    const char              *system;                       /* to be put into a user's message, or NULL */
} conversation;

static int is(const leat_chat_message *m, const char *role) { return strcmp(m->role, role) == 0; }

static int look_over(conversation *c, leat_error *error) {
    const unsigned inside = c->f->flags & (LEAT_CHAT_SYSTEM_FIRST | LEAT_CHAT_SYSTEM_LAST), only_first = inside | (c->f->flags & LEAT_CHAT_SMOLLM3);
    c->first_user = c->last_user = -1;
    for (int64_t i = 0; i < c->count; i++) {
        const leat_chat_message *m = &c->messages[i];
        if (!m->role || !m->content) return leat__fail(error, LEAT_EINVAL, "chat: message %lld has no role or no content", (long long)i);
        if (is(m, "user")) {
            if (c->first_user < 0) c->first_user = i;
            c->last_user = i;
        } else if (is(m, "system")) {
            if (!c->f->system[0]) return leat__fail(error, LEAT_EUNSUPPORTED, "chat: template '%s' has no system message", c->f->name);
            if (only_first && i) return leat__fail(error, LEAT_EUNSUPPORTED, "chat: template '%s' takes a system message in the first place only", c->f->name);
        } else if (!is(m, "assistant") && !c->f->other[0]) {
            return leat__fail(error, LEAT_EUNSUPPORTED, "chat: template '%s' has no role '%.40s'", c->f->name, m->role);
        }
    }
    const char *first = c->count && is(&c->messages[0], "system") ? c->messages[0].content : NULL;
    if (c->count && ((c->f->flags & LEAT_CHAT_NEEDS_SYSTEM && !first) || (c->f->flags & LEAT_CHAT_SMOLLM3 && leat__chat_smollm3_lacks(first))))
        return leat__fail(error, LEAT_EUNSUPPORTED, "chat: the model's template has a system message of its own, which is not known here: give one (--system TEXT)");
    c->system = inside ? first : NULL;
    if (c->system && c->first_user < 0) return leat__fail(error, LEAT_EUNSUPPORTED, "chat: template '%s' puts the system message into the user's, and there is none", c->f->name);
    return LEAT_OK;
}

static void put_user(leat_chat_writer *w, const conversation *c, int64_t i) {
    const leat_chat_format *f = c->f;
    if (i != c->first_user) put_markup(w, f->again);
    put_markup(w, f->user[0]);
    int last = f->flags & LEAT_CHAT_SYSTEM_LAST, mine = last ? i == c->last_user && i == c->count - 1 : i == c->first_user;
    if (c->system && mine) {
        put_markup(w, f->system[0]);
        put_content(w, c->system, TRIM_NOT);
        put_markup(w, f->system[1]);
    }
    int trim = !(f->flags & LEAT_CHAT_TRIM) ? TRIM_NOT : c->system && mine && f->flags & LEAT_CHAT_TRIM_WHOLE ? TRIM_END : TRIM_ALL;
    put_content(w, c->messages[i].content, trim);
    put_markup(w, f->user[1]);
}

static void put_message(leat_chat_writer *w, const conversation *c, int64_t i) {
    const leat_chat_format *f = c->f;
    const leat_chat_message *m = &c->messages[i];
    const char *content = m->content;
    int trim = f->flags & LEAT_CHAT_TRIM && !(f->flags & LEAT_CHAT_RAW_SYSTEM && is(m, "system")) ? TRIM_ALL : TRIM_NOT;
    w->role = m->role;
    if (is(m, "user")) {
        put_user(w, c, i);
        return;
    }
    if (is(m, "system") && (c->system || f->flags & LEAT_CHAT_SMOLLM3)) return;
    const char *const *markup = is(m, "system") ? f->system : is(m, "assistant") ? f->reply : f->other;
    if (markup == f->reply && f->flags & LEAT_CHAT_NO_THOUGHTS && i < c->last_user) content = behind_thoughts(content, 1);
    if (markup == f->reply && f->flags & LEAT_CHAT_CUT_THOUGHTS) content = behind_thoughts(content, 0);
    while (markup == f->reply && f->flags & LEAT_CHAT_SMOLLM3 && *content == '\n') content++;
    put_markup(w, markup[0]);
    if (markup == f->reply && f->flags & LEAT_CHAT_LAST_THOUGHTS && i > c->last_user && i == c->count - 1) {
        put_thoughts(w, content);
        content = behind_thoughts(content, 1);
        while (*content == '\n') content++;
    }
    put_content(w, content, markup == f->reply && f->flags & LEAT_CHAT_TRIM_REPLY ? TRIM_ALL : trim);
    put_markup(w, markup[1]);
}

static void spell(const leat_tokenizer *tokenizer, int32_t token, const char *otherwise, char out[64]) {
    size_t bytes = 0;
    if (!tokenizer || token < 0 || leat_tokenizer_piece(tokenizer, token, LEAT_DETOKENIZE_SPECIALS, out, 63, &bytes)) bytes = 0;
    out[bytes] = 0;
    if (!tokenizer) snprintf(out, 64, "%s", otherwise);
}

int leat_chat_render(const char *name, const leat_tokenizer *tokenizer, const leat_chat_message *messages, int64_t count, uint32_t flags, char *text, size_t capacity,
                     size_t *bytes, leat_error *error) {
    if (!bytes || (!text && capacity) || count < 0 || (!messages && count)) return leat__fail(error, LEAT_EINVAL, "chat: messages, text and bytes are needed");
    leat_tokenizer_info info = {.bos = -1, .eos = -1};
    conversation c = {.f = find_format(name, error), .messages = messages, .count = count};
    int status = c.f ? look_over(&c, error) : LEAT_EINVAL;
    if (status) return status;
    leat_chat_writer w = {.text = text, .capacity = capacity, .no_thoughts = ""};
    status = leat__chat_find_today(&w, error);
    if (status) return status;
    if (tokenizer) leat_tokenizer_get_info(tokenizer, &info);
    spell(tokenizer, info.bos, "<s>", w.bos);
    spell(tokenizer, info.eos, "</s>", w.eos);
    put_markup(&w, c.f->start);
    if (c.f->flags & LEAT_CHAT_SMOLLM3 && count) {
        const char *system = is(&messages[0], "system") ? messages[0].content : NULL;
        leat__chat_smollm3_system(&w, system);
        if (!leat__chat_smollm3_thinks(system)) w.no_thoughts = "<think>\n\n</think>\n";
    }
    if (c.f->default_system && !(count && is(&messages[0], "system"))) {
        w.role = "system";
        put_markup(&w, c.f->system[0]);
        put_content(&w, c.f->default_system, TRIM_NOT);
        put_markup(&w, c.f->system[1]);
    }
    for (int64_t i = 0; i < count; i++) put_message(&w, &c, i);
    if (flags & LEAT_CHAT_PROMPT) put_markup(&w, c.f->prompt);
    *bytes = w.bytes;
    return w.bytes > capacity ? LEAT_ELIMIT : LEAT_OK;
}
