/* sidecar.h - MODEL.json beside MODEL.onnx: how a classifier wants its images, and its class names. */
#ifndef LEAT_CLI_SIDECAR_H
#define LEAT_CLI_SIDECAR_H

#include "leat/workload.h"

/* Reads model.json beside model.onnx, if it is there, into options->preprocess and *labels (left alone when it names none).
 *   {"input_size": [W, H], "mean": [r, g, b], "std": [r, g, b], "color": "rgb" | "bgr", "fit": "stretch" | "crop" | "letterbox", "antialias": bool,
 *    "labels": ["name", ...] or "file name beside it"}
 * mean and std are for pixels in 0..1 unless a mean is above 1.  *found: whether there was one.  0, or an exit status after a message. */
int cli_sidecar_read(const char *model_path, leat_classifier_options *options, leat_labels **labels, int *found);

/* Sets mean [3] or std [3] of *preprocess and keeps the scale in step: pixels are 0..255 if a mean is above 1, else 0..1. */
void cli_set_mean(leat_preprocess *preprocess, const float mean[3]);

/* Path of the bundled classifier: LEAT_MODELS, then models/ of the working folder, of the program's parent folder, of its share/leat.
 * NULL when there is none; free(). */
char *cli_bundled_model(const char *name);

#endif
