/* pipeline_report.h - a pipeline's telemetry for people and programs: table and live line on stderr, JSON. */
#ifndef LEAT_CLI_PIPELINE_REPORT_H
#define LEAT_CLI_PIPELINE_REPORT_H

#include <jansson.h>

#include "leat/pipeline.h"

/* One row a stage (its times, its queue, what was dropped before it), then frames, rate and latency.  On stderr. */
void cli_pipeline_table(leat_pipeline *pipeline);
/* {"frames":{...},"fps":..,"latency_ms":{...},"stages":[...],"links":[...]}; the caller takes it. */
json_t *cli_pipeline_json(leat_pipeline *pipeline);
/* For leat_pipeline_options.report: one line on stderr, rewritten on a terminal. */
void cli_pipeline_live(void *user, leat_pipeline *pipeline, const leat_window *window);
/* Ends the rewritten line, if there is one. */
void cli_pipeline_live_end(void);
/* "1s", "500ms", "2" (seconds): nanoseconds, or -1 when it is none of these or not within 0.01..3600 s. */
int64_t cli_parse_interval(const char *text);

#endif
