/* detect_setup.h - from the options of `leat detect` to an open source, model and stream. */
#ifndef LEAT_CLI_DETECT_SETUP_H
#define LEAT_CLI_DETECT_SETUP_H

#include "leat/detect_stream.h"
#include "options.h"

typedef struct cli_detect_job {
    const cli_args     *args;
    leat_model         *model;
    leat_labels        *labels;
    leat_source        *source;
    leat_detect_stream *stream;
    const char         *outputs[LEAT_DETECT_MAX_OUTPUTS];
    int32_t             classes[1024];
    int64_t             frames;   /* that result() saw */
} cli_detect_job;

/* Opens everything; `result` of the stream may be NULL.  0, or an exit status after a message. */
int cli_detect_open(cli_detect_job *job, void (*result)(void *user, const leat_detect_result *result));
void cli_detect_close(cli_detect_job *job);

#endif
