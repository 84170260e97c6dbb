/* labels.c - class names from a text file: one block of text, one array of pointers into it. */
#include <ctype.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "leat/workload.h"

#define MAX_FILE_BYTES ((size_t)64 << 20)

struct leat_labels {
    char        *text;
    const char **names; /* [count] into text */
    int          count;
};

/* "n01440764 tench" -> "tench" */
static const char *skip_wordnet_id(const char *line) {
    if (line[0] != 'n') return line;
    for (int i = 1; i <= 8; i++)
        if (!isdigit((unsigned char)line[i])) return line;
    return line[9] == ' ' ? line + 10 : line;
}

static int count_lines(const char *text) {
    int n = 0;
    for (const char *at = text; *at; n++) {
        const char *end = strchr(at, '\n');
        at = end ? end + 1 : at + strlen(at);
    }
    return n;
}

static void split_lines(leat_labels *labels) {
    char *at = labels->text;
    for (int i = 0; i < labels->count; i++) {
        char *end = strchr(at, '\n'), *next = end ? end + 1 : at + strlen(at);
        if (end) *end = 0;
        size_t n = strlen(at);
        if (n > 0 && at[n - 1] == '\r') at[n - 1] = 0;
        labels->names[i] = skip_wordnet_id(at);
        at = next;
    }
}

/* Takes `text`, also on failure. */
static int from_text(char *text, leat_labels **out) {
    leat_labels *labels = leat__calloc(1, sizeof *labels, LEAT_MEMORY_IO);
    int count = count_lines(text);
    const char **names = leat__calloc((size_t)count, sizeof *names, LEAT_MEMORY_IO);
    if (!labels || !names) {
        leat__free(labels);
        leat__free(names);
        leat__free(text);
        return LEAT_ENOMEM;
    }
    *labels = (leat_labels){text, names, count};
    split_lines(labels);
    *out = labels;
    return LEAT_OK;
}

int leat_labels_open(const char *path, leat_labels **labels, leat_error *error) {
    char  *text = NULL;
    size_t bytes = 0;
    *labels = NULL;
    int status = leat__read_file(path, MAX_FILE_BYTES, &text, &bytes, error);
    if (status != LEAT_OK) return status;
    if (text[0] == 0 || strlen(text) != bytes) {
        leat__free(text);
        return leat__fail(error, LEAT_EFORMAT, "%s: not a text file with a class name on each line", path);
    }
    status = from_text(text, labels);
    return status == LEAT_OK ? status : leat__fail(error, status, "%s: no memory for the class names", path);
}

int leat_labels_from(const char *const *names, int count, leat_labels **labels) {
    size_t bytes = 1;
    *labels = NULL;
    if (count < 1) return LEAT_EINVAL;
    for (int i = 0; i < count; i++) {
        if (strchr(names[i], '\n')) return LEAT_EINVAL;
        bytes += strlen(names[i]) + 1;
    }
    char *text = leat__alloc(bytes, LEAT_MEMORY_IO), *at = text;
    if (!text) return LEAT_ENOMEM;
    for (int i = 0; i < count; i++) {
        size_t n = strlen(names[i]);
        memcpy(at, names[i], n);
        at[n] = '\n';
        at += n + 1;
    }
    *at = 0;
    return from_text(text, labels);
}

void leat_labels_close(leat_labels *labels) {
    if (!labels) return;
    leat__free(labels->names);
    leat__free(labels->text);
    leat__free(labels);
}

int leat_labels_count(const leat_labels *labels) { return labels ? labels->count : 0; }

const char *leat_labels_name(const leat_labels *labels, int index) {
    return labels && index >= 0 && index < labels->count ? labels->names[index] : NULL;
}
