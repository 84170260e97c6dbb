/* target.h - where a file is written to: under a temporary name beside its path, which is renamed when all of it is there.
 *
 * Links are followed, so what a link points to is replaced and not the link.  What is there and is no regular file (a device, a FIFO) is opened and written to as it
 * is: a rename would take its place away from it, /dev/stdout's as well.  A closed pipe raises SIGPIPE, a limit on the size of files SIGXFSZ, which a library may
 * neither let kill the program nor switch off for it: they are blocked in this thread around the write, and taken back if the write raised one. */
#ifndef LEAT_BASE_TARGET_H
#define LEAT_BASE_TARGET_H

#include <sys/types.h>

#include "leat/status.h"

typedef struct leat_target {
    int   fd;
    char *path, *temporary; /* path: where it ends up; temporary NULL: written in place */
} leat_target;

/* Opens what is to be at `path`.  LEAT_EIO (path and reason), LEAT_ENOMEM. */
int leat__target_open(const char *path, leat_target *target, leat_error *error);
/* keep 1: the file is at its path now; 0: it is gone, as if it had never been begun (what was written in place stays).  Returns 0, or errno of what failed. */
int leat__target_close(leat_target *target, int keep);
/* write(), without the signals. */
ssize_t leat__write_quietly(int fd, const void *data, size_t bytes);

#endif
