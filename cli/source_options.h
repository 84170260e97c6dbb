/* source_options.h - from the options that say what is read, and how, to an open source. */
#ifndef LEAT_CLI_SOURCE_OPTIONS_H
#define LEAT_CLI_SOURCE_OPTIONS_H

#include "leat/video.h"
#include "options.h"

/* Opens the positional arguments: one of anything, or several pictures.  0, or an exit status after a message. */
int cli_open_source(const cli_args *args, leat_source **source);

#endif
