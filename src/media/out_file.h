/* out_file.h - a file that is written bit by bit under a temporary name and then renamed; or standard output. */
#ifndef LEAT_MEDIA_OUT_FILE_H
#define LEAT_MEDIA_OUT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "leat/status.h"

typedef struct leat_out_file leat_out_file;

/* Opens a temporary file beside `path`; "-" is standard output.  *file: the caller takes it, leat__out_close().  LEAT_EIO, LEAT_ENOMEM. */
int leat__out_open(const char *path, leat_out_file **file, leat_error *error);
/* Keeps `bytes` free on the disk behind the end for what leat__out_close()'s caller still must write (an index): from then on a full disk
 * shows as leat__out_is_full() while these bytes can still be written. */
void leat__out_reserve(leat_out_file *file, int64_t bytes);
/* 1 once the disk was found full; writes may still succeed out of the reserve. */
int leat__out_is_full(const leat_out_file *file);
/* Writes at the current position.  LEAT_EIO: disk full, pipe closed, ... */
int leat__out_write(leat_out_file *file, const void *data, size_t bytes, leat_error *error);
int leat__out_seek(leat_out_file *file, int64_t position, leat_error *error); /* not on pipes */
int64_t leat__out_position(const leat_out_file *file);
/* Cuts the file to `bytes` (after a frame that was written in part).  A pipe stays as it is. */
void leat__out_cut(leat_out_file *file, int64_t bytes);
/* keep 1: renames to the path; 0: removes it.  Frees `file` in any case; NULL allowed. */
int leat__out_close(leat_out_file *file, int keep, leat_error *error);

#endif
