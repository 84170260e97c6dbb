/* media_options.h - the options that say what frames are read and written, and how. */
#ifndef LEAT_CLI_MEDIA_OPTIONS_H
#define LEAT_CLI_MEDIA_OPTIONS_H

#include "leat/video.h"
#include "options.h"

/* Opens the positional arguments: one of anything, or several pictures.  0, or an exit status after a message. */
int cli_open_source(const cli_args *args, leat_source **source);
/* Sets quality and encoder.  0, or an exit status after a message. */
int cli_set_sink(const cli_args *args, leat_sink_options *options);

#endif
