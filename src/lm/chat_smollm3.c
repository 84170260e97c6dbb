/* chat_smollm3.c - the system message of SmolLM3: metadata with today's date, the mode of reasoning, and instructions.
 *
 * A conversation's system message switches by words in it, which are taken out: "/no_think" and "/think" choose the mode, "/system_override" leaves all else out.  As in the
 * authors' template (huggingface.co/HuggingFaceTB/SmolLM3-3B) the metadata are not closed by <|im_end|>, an overriding message is.  Its long instructions for thinking aloud are
 * not here: a conversation in that mode must bring some.
 */
#include <stdio.h>
#include <string.h>

#include "lm/chat_format.h"

static const char about[] = "You are a helpful AI assistant named SmolLM, trained by Hugging Face.";
/* Taken out one after the other: what is left by the first may make up the second. */
static const char *const switches[] = {"/no_think", "/think", "/system_override"};
enum { MODES = 1, OVERRIDE = 2 };

/* The next byte of the text without switches[0..last], 0 at the end. */
static char next_byte(const char **at, int last) {
    if (last < 0) return **at ? *(*at)++ : 0;
    for (;;) {
        const char *ahead = *at, *word = switches[last];
        while (*word && next_byte(&ahead, last - 1) == *word) word++;
        if (*word) return next_byte(at, last - 1);
        *at = ahead;
    }
}

/* Writes the text without its switches and blanks at the end; returns its bytes.  w NULL: only counts. */
static size_t put_rest(leat_chat_writer *w, const char *text, int last) {
    size_t bytes = 0, kept = 0;
    const char *at = text;
    for (char c; (c = next_byte(&at, last)); kept = strchr(" \t\n\r\v\f", c) ? kept : bytes) bytes++;
    at = text;
    for (size_t i = 0; w && i < kept; i++) {
        char c = next_byte(&at, last);
        leat__chat_put(w, &c, 1);
    }
    return kept;
}

static void put_text(leat_chat_writer *w, const char *text) { leat__chat_put(w, text, strlen(text)); }

int leat__chat_smollm3_thinks(const char *system) { return !system || !strstr(system, "/no_think"); }

int leat__chat_smollm3_lacks(const char *system) {
    return leat__chat_smollm3_thinks(system) && (!system || (!strstr(system, "/system_override") && !put_rest(NULL, system, MODES)));
}

void leat__chat_smollm3_system(leat_chat_writer *w, const char *system) {
    int  thinks = leat__chat_smollm3_thinks(system);
    char metadata[160];
    put_text(w, "<|im_start|>system\n");
    if (system && strstr(system, "/system_override")) {
        put_rest(w, system, OVERRIDE);
        put_text(w, "<|im_end|>\n");
        return;
    }
    snprintf(metadata, sizeof metadata, "## Metadata\n\nKnowledge Cutoff Date: June 2025\nToday Date: %02d %s %d\nReasoning Mode: %s\n\n## Custom Instructions\n\n", w->date.day,
             leat__chat_month(w->date.month), w->date.year, thinks ? "/think" : "/no_think");
    put_text(w, metadata);
    if (!system || !put_rest(w, system, MODES)) put_text(w, about);
    put_text(w, "\n\n");
}
