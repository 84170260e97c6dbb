/* text_file.h - a file that a command writes as text: there when it is whole, or not at all. */
#ifndef LEAT_CLI_TEXT_FILE_H
#define LEAT_CLI_TEXT_FILE_H

#include <limits.h>
#include <stdio.h>

typedef struct cli_text_file {
    FILE *file;
    char  path[PATH_MAX], temporary[PATH_MAX]; /* temporary empty: written in place */
} cli_text_file;

/* Opens a temporary file beside `path`, whose links are followed; what is there and is no regular file (a device, a FIFO) itself.  0, or 1 after a message. */
int cli_text_open(cli_text_file *text, const char *path);
/* keep 1: it is at its path now.  0, or 1 after a message. */
int cli_text_close(cli_text_file *text, int keep);

/* Whether a file can be made at `path`, as far as its folder tells: asked before long work whose result is to be written there.  0, or 1 after a message. */
int cli_check_place(const char *path);

#endif
