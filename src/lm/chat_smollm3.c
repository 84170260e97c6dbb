/* chat_smollm3.c - the system message of SmolLM3: metadata with today's date, the mode of reasoning, and instructions, the conversation's own or the model's.
 *
 * A conversation's system message switches by words in it, which are taken out: "/no_think" and "/think" choose the mode, "/system_override" leaves all else out.  As in the
 * authors' template (huggingface.co/HuggingFaceTB/SmolLM3-3B) the metadata are not closed by <|im_end|>, an overriding message is.
 */
#include <stdio.h>
#include <string.h>

#include "lm/chat_format.h"

static const char about[] = "You are a helpful AI assistant named SmolLM, trained by Hugging Face.";
static const char about_thinking[] =
    " Your role as an assistant involves thoroughly exploring questions through a systematic thinking process before providing the final precise and accurate solutions. "
    "This requires engaging in a comprehensive cycle of analysis, summarizing, exploration, reassessment, reflection, backtracking, and iteration to develop well-considered "
    "thinking process. Please structure your response into two main sections: Thought and Solution using the specified format: <think> Thought section </think> Solution section. "
    "In the Thought section, detail your reasoning process in steps. Each step should include detailed considerations such as analysing questions, summarizing relevant findings, "
    "brainstorming new ideas, verifying the accuracy of the current steps, refining any errors, and revisiting previous steps. In the Solution section, based on various attempts, "
    "explorations, and reflections from the Thought section, systematically present the final solution that you deem correct. The Solution section should be logical, accurate, and "
    "concise and detail necessary steps needed to reach the conclusion.";

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
    if (!system || !put_rest(w, system, MODES)) {
        put_text(w, about);
        if (thinks) put_text(w, about_thinking);
    }
    put_text(w, "\n\n");
}
