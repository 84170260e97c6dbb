/* file.h - read-only mappings and atomic writes. */
#ifndef LEAT_BASE_FILE_H
#define LEAT_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "leat/status.h"

typedef struct leat_mapping {
    const uint8_t *data; /* NULL when bytes == 0 */
    size_t         bytes;
} leat_mapping;

/* Maps a regular file read-only and private.  LEAT_EIO names the path and errno. */
int leat__map_file(const char *path, leat_mapping *mapping, leat_error *error);
/* The same as a copy in the process's own memory, in huge pages where the system has them: decided now, whatever the page cache looks like, and no longer touched by what
 * happens to the file.  LEAT_ENOMEM too. */
int leat__map_copy(const char *path, leat_mapping *mapping, leat_error *error);
/* Maps `path` relative to the folder `base`, which it may not leave: refuses absolute paths, "..", links (unless allow_links, and
 * then only to targets under the real folder), hard-linked and non-regular files. */
int leat__map_beneath(const char *base, const char *path, int allow_links, leat_mapping *mapping, leat_error *error);
void leat__unmap(leat_mapping *mapping);
/* Asks for huge pages: reading through them is up to a third faster, where the file system can hold files so and they are not in memory yet in small ones. */
void leat__map_in_huge_pages(const leat_mapping *mapping);
/* Tells the OS that the pages of [data, data+bytes) inside a mapping are not needed now (they are re-read if touched). */
void leat__map_release(const void *data, size_t bytes);

/* Writes the whole buffer under a temporary name beside `path`, then renames.  Nothing is left behind on failure. */
int leat__write_file(const char *path, const void *data, size_t bytes, leat_error *error);
/* The same of several parts, one behind the other. */
typedef struct leat_file_part {
    const void *data;
    size_t      bytes;
} leat_file_part;
int leat__write_parts(const char *path, const leat_file_part *parts, size_t count, leat_error *error);
/* Reads a whole (also non-regular) file up to `limit` bytes; *data: the caller takes it, NUL-terminated, leat__free(). */
int leat__read_file(const char *path, size_t limit, char **data, size_t *bytes, leat_error *error);

#endif
