/* report.h - data on stdout: JSON objects and aligned tables. */
#ifndef LEAT_CLI_REPORT_H
#define LEAT_CLI_REPORT_H

#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "leat/common.h"
#include "leat/tensor.h"

/* Prints one object and a line end; drops the reference. */
void cli_print_json(json_t *object);
/* A string of any bytes, as names in files are: what is not UTF-8 becomes U+FFFD; null for NULL. */
json_t *cli_json_text(const char *text);
/* A number, or null when it is not finite. */
json_t *cli_json_number(double value);
/* [1, 3, "H", -1]: names (may be NULL) stand for open dimensions; null for an unknown rank. */
json_t *cli_json_shape(int rank, const int64_t *dims, const char *const *names);
/* "float32[1,3,H,W]"; returns buf. */
const char *cli_shape_text(leat_dtype dtype, int rank, const int64_t *dims, const char *const *names, char *buf, size_t size);
/* "1.23 MB" and so on; returns buf [16 at least]. */
const char *cli_bytes_text(double bytes, char *buf, size_t size);
/* The same for counts: "3.49 M". */
const char *cli_count_text(double count, char *buf, size_t size);

enum { CLI_CELL = 96, CLI_MOST_COLUMNS = 24 };
/* A table that is collected, then printed with aligned columns as Markdown, or as CSV.  Columns are aligned right but for the first ones. */
typedef struct cli_table {
    char (*cells)[CLI_CELL]; /* rows of `columns` cells, the first row is the header */
    int    columns, rows, capacity, left; /* left: columns aligned left */
} cli_table;
/* `header`: names separated by '|'. */
void cli_table_init(cli_table *table, const char *header, int left);
void cli_table_fini(cli_table *table);
void cli_table_row(cli_table *table);
/* Sets a cell of the last row. */
void cli_table_set(cli_table *table, int column, const char *format, ...) __attribute__((format(printf, 3, 4)));
void cli_table_print(const cli_table *table);
void cli_table_print_to(const cli_table *table, FILE *file);
void cli_table_print_csv(const cli_table *table);

/* Writes a file by a temporary name beside it, then renames.  0, or 1 after a message. */
int cli_write_json_file(const char *path, json_t *object);

#endif
