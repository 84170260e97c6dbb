/* report.c - JSON and tables on stdout; see report.h. */
#include "report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "term.h"
#include "text_file.h"

#define JSON_FORM (JSON_COMPACT | JSON_REAL_PRECISION(9))

void cli_print_json(json_t *object) {
    if (!object) cli_fail("out of memory for the JSON report");
    else json_dumpf(object, stdout, JSON_FORM);
    fputc('\n', stdout);
    fflush(stdout); /* a stream's reader sees each object at once */
    json_decref(object);
}

/* Length of the UTF-8 sequence at `text`, 0 when it is not one. */
static size_t sequence_length(const char *text) {
    for (size_t n = 1; n <= 4; n++) {
        json_t *probe = memchr(text, 0, n) ? NULL : json_stringn(text, n);
        json_decref(probe);
        if (probe) return n;
    }
    return 0;
}

json_t *cli_json_text(const char *text) {
    if (!text) return json_null();
    json_t *whole = json_string(text);
    size_t  used = 0, size = strlen(text) * 3 + 1;
    if (whole) return whole;
    char *clean = malloc(size);
    if (!clean) return json_null();
    while (*text) {
        size_t n = sequence_length(text);
        memcpy(clean + used, n ? text : "\xef\xbf\xbd", n ? n : 3);
        used += n ? n : 3;
        text += n ? n : 1;
    }
    whole = json_stringn(clean, used);
    free(clean);
    return whole;
}

json_t *cli_json_number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

json_t *cli_json_shape(int rank, const int64_t *dims, const char *const *names) {
    if (rank < 0) return json_null();
    json_t *shape = json_array();
    for (int d = 0; d < rank; d++)
        json_array_append_new(shape, dims[d] < 0 && names && names[d] ? cli_json_text(names[d]) : json_integer(dims[d]));
    return shape;
}

const char *cli_shape_text(leat_dtype dtype, int rank, const int64_t *dims, const char *const *names, char *buf, size_t size) {
    size_t n = (size_t)snprintf(buf, size, "%s[%s", leat_dtype_name(dtype), rank < 0 ? "..." : "");
    for (int d = 0; d < rank && n < size; d++) {
        const char *comma = d ? "," : "";
        if (dims[d] >= 0) n += (size_t)snprintf(buf + n, size - n, "%s%lld", comma, (long long)dims[d]);
        else n += (size_t)snprintf(buf + n, size - n, "%s%s", comma, names && names[d] ? names[d] : "?");
    }
    if (n < size) snprintf(buf + n, size - n, "]");
    return buf;
}

static const char *scaled(double value, double step, const char *const *units, int n, char *buf, size_t size) {
    int unit = 0;
    for (; value >= step && unit + 1 < n; unit++) value /= step;
    snprintf(buf, size, unit ? "%.2f%s" : "%.0f%s", value, units[unit]);
    return buf;
}

const char *cli_bytes_text(double bytes, char *buf, size_t size) {
    static const char *const units[] = {" B", " kB", " MB", " GB", " TB"};
    return scaled(bytes, 1000, units, 5, buf, size);
}

const char *cli_count_text(double count, char *buf, size_t size) {
    static const char *const units[] = {"", " k", " M", " G", " T"};
    return scaled(count, 1000, units, 5, buf, size);
}

/* ---- tables --------------------------------------------------------------------------------------------------------------- */

void cli_table_init(cli_table *table, const char *header, int left) {
    *table = (cli_table){.columns = 1, .left = left};
    for (const char *c = header; *c; c++) table->columns += *c == '|';
    cli_table_row(table);
    for (int column = 0; column < table->columns; column++) {
        size_t n = strcspn(header, "|");
        cli_table_set(table, column, "%.*s", (int)n, header);
        header += n + (header[n] == '|');
    }
}

void cli_table_fini(cli_table *table) { free(table->cells); }

void cli_table_row(cli_table *table) {
    if (table->rows == table->capacity) {
        int capacity = table->capacity * 2 + 16;
        void *grown = realloc(table->cells, (size_t)capacity * (size_t)table->columns * CLI_CELL);
        if (!grown) return; /* the report is cut short; the program goes on */
        table->cells = grown;
        table->capacity = capacity;
    }
    memset(table->cells + (size_t)table->rows * (size_t)table->columns, 0, (size_t)table->columns * CLI_CELL);
    table->rows++;
}

void cli_table_set(cli_table *table, int column, const char *format, ...) {
    va_list list;
    if (!table->cells) return;
    va_start(list, format);
    char *cell = table->cells[(size_t)(table->rows - 1) * (size_t)table->columns + (size_t)column];
    vsnprintf(cell, CLI_CELL, format, list);
    va_end(list);
    for (; *cell; cell++)
        if ((unsigned char)*cell < ' ' || *cell == 127) *cell = '?'; /* names in files must not steer the terminal */
}

static const char *cell_of(const cli_table *table, int row, int column) { return table->cells[row * table->columns + column]; }

/* Columns that a text takes on a terminal: its characters, not its bytes. */
static int display_width(const char *text) {
    int n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void print_padded(FILE *file, const char *text, int width, int left) {
    int pad = width - display_width(text);
    fprintf(file, "| %*s%s%*s ", left ? 0 : pad, "", text, left ? pad : 0, "");
}

void cli_table_print_to(const cli_table *table, FILE *file) {
    int width[CLI_MOST_COLUMNS] = {0};
    for (int row = 0; row < table->rows; row++)
        for (int column = 0; column < table->columns; column++) {
            int n = display_width(cell_of(table, row, column));
            if (n > width[column]) width[column] = n;
        }
    for (int row = 0; row < table->rows; row++) {
        for (int column = 0; column < table->columns; column++) print_padded(file, cell_of(table, row, column), width[column], column < table->left);
        fputs("|\n", file);
        if (row) continue;
        for (int column = 0; column < table->columns; column++) {
            fprintf(file, "|%s", column < table->left ? ":" : "-");
            for (int i = 0; i < width[column]; i++) fputc('-', file);
            fprintf(file, "%s", column < table->left ? "-" : ":");
        }
        fputs("|\n", file);
    }
}

void cli_table_print(const cli_table *table) { cli_table_print_to(table, stdout); }

static void print_csv_cell(const char *text) {
    if (!strpbrk(text, ",\"\n")) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        if (*text == '"') putchar('"');
        putchar(*text);
    }
    putchar('"');
}

void cli_table_print_csv(const cli_table *table) {
    for (int row = 0; row < table->rows; row++)
        for (int column = 0; column < table->columns; column++) {
            print_csv_cell(cell_of(table, row, column));
            putchar(column + 1 < table->columns ? ',' : '\n');
        }
}

/* ---- files ---------------------------------------------------------------------------------------------------------------- */

int cli_write_json_file(const char *path, json_t *object) {
    cli_text_file text;
    int status = cli_text_open(&text, path);
    if (status) return status;
    json_dumpf(object, text.file, JSON_FORM); /* what fails is seen by the stream */
    return cli_text_close(&text, 1);
}
