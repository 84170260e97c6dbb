/* inspect_gguf.c - `leat inspect MODEL.gguf`: metadata, and the tensors by the type that they are stored in. */
#include "inspect_gguf.h"

#include <stdio.h>
#include <string.h>

#include "leat/lm.h"
#include "report.h"
#include "term.h"

enum { MOST_TYPES = 64, SHOWN_ITEMS = 4, SHOWN_BYTES = 60 };

/* Sums over the tensors of one type. */
typedef struct type_sum {
    uint64_t tensors, elements, bytes;
} type_sum;

/* By its name, or by its first bytes.  The name comes first: reading even four bytes of a file that is not in memory brings some megabytes behind them in by small pages, which
 * decoding then reads a quarter slower than huge ones (leat__map_in_huge_pages()). */
int cli_is_gguf(const char *path) {
    const char *ending = strrchr(path, '.');
    char magic[4] = "";
    if (ending && strcmp(ending, ".gguf") == 0) return 1;
    FILE *file = fopen(path, "rb");
    int   is = file && fread(magic, 1, sizeof magic, file) == sizeof magic && memcmp(magic, "GGUF", sizeof magic) == 0;
    if (file) fclose(file);
    return is;
}

static uint64_t elements(const leat_gguf_tensor *t) { return t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3]; }

/* Returns how many tensors have a type that cannot be computed with. */
static uint64_t sum_types(const leat_gguf *file, type_sum sums[MOST_TYPES]) {
    uint64_t unsupported = 0;
    for (uint64_t i = 0; leat_gguf_tensor_at(file, i); i++) {
        const leat_gguf_tensor *t = leat_gguf_tensor_at(file, i);
        sums[t->type].tensors++;
        sums[t->type].elements += elements(t);
        sums[t->type].bytes += t->bytes;
        unsupported += !leat_gguf_type_supported(t->type);
    }
    return unsupported;
}

/* ---- text ------------------------------------------------------------------------------------------------------------------- */

/* A string on one line: control characters as spaces, the rest of a long one as "...". */
static void print_string(const char *text, uint64_t length) {
    putchar('"');
    for (uint64_t i = 0; i < length && i < SHOWN_BYTES; i++) putchar((unsigned char)text[i] < 32 ? ' ' : text[i]);
    fputs(length > SHOWN_BYTES ? "...\"" : "\"", stdout);
}

static int print_item(const leat_gguf_value *v, uint64_t index, uint64_t *at) {
    const char *text;
    uint64_t length;
    int64_t integer;
    double real;
    if (v->item == LEAT_GGUF_STRING) {
        if (leat_gguf_string(v, at, &text, &length)) return 0;
        print_string(text, length);
    } else if (v->item == LEAT_GGUF_BOOL) {
        fputs(leat_gguf_integer(v, index, &integer) == LEAT_OK && integer ? "true" : "false", stdout);
    } else if (leat_gguf_integer(v, index, &integer) == LEAT_OK) {
        printf("%lld", (long long)integer);
    } else if (leat_gguf_real(v, index, &real) == LEAT_OK) {
        printf("%.9g", real);
    }
    return 1;
}

static void print_value(const leat_gguf_value *v) {
    uint64_t at = 0;
    printf("  %-44s ", v->key);
    if (v->kind != LEAT_GGUF_ARRAY) {
        print_item(v, 0, &at);
    } else {
        printf("%s[%llu] ", leat_gguf_kind_name(v->item), (unsigned long long)v->count);
        for (uint64_t i = 0; i < v->count && i < SHOWN_ITEMS; i++) {
            if (i) fputs(", ", stdout);
            print_item(v, i, &at);
        }
        if (v->count > SHOWN_ITEMS) fputs(", ...", stdout);
    }
    putchar('\n');
}

static void print_types(const type_sum sums[MOST_TYPES]) {
    cli_table table;
    char text[32];
    cli_table_init(&table, "type|tensors|elements|bytes|supported", 1);
    for (int t = 0; t < MOST_TYPES; t++) {
        if (!sums[t].tensors) continue;
        cli_table_row(&table);
        cli_table_set(&table, 0, "%s", leat_gguf_type_name(t));
        cli_table_set(&table, 1, "%llu", (unsigned long long)sums[t].tensors);
        cli_table_set(&table, 2, "%s", cli_count_text((double)sums[t].elements, text, sizeof text));
        cli_table_set(&table, 3, "%s", cli_bytes_text((double)sums[t].bytes, text, sizeof text));
        cli_table_set(&table, 4, "%s", leat_gguf_type_supported(t) ? "yes" : "no");
    }
    putchar('\n');
    cli_table_print(&table);
    cli_table_fini(&table);
}

static void print_text(const leat_gguf *file, const char *path, const type_sum sums[MOST_TYPES]) {
    leat_gguf_info info;
    char text[2][32];
    leat_gguf_get_info(file, &info);
    printf("%s: GGUF version %d, %s, %s parameters in %llu tensors\n", path, info.version, cli_bytes_text((double)info.file_bytes, text[0], 32),
           cli_count_text((double)info.parameters, text[1], 32), (unsigned long long)info.tensors);
    for (uint64_t i = 0; leat_gguf_value_at(file, i); i++) print_value(leat_gguf_value_at(file, i));
    if (info.tensors) print_types(sums);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------------- */

static json_t *json_item(const leat_gguf_value *v, uint64_t index, uint64_t *at) {
    const char *text;
    uint64_t length;
    int64_t integer = 0;
    double real = 0;
    if (v->item == LEAT_GGUF_STRING) {
        if (leat_gguf_string(v, at, &text, &length)) return json_null();
        json_t *string = json_stringn(text, (size_t)length);
        return string ? string : json_string("\xEF\xBF\xBD"); /* not UTF-8, as pieces of byte-level vocabularies may be */
    }
    if (v->item == LEAT_GGUF_BOOL) return json_boolean(leat_gguf_integer(v, index, &integer) == LEAT_OK && integer);
    if (leat_gguf_integer(v, index, &integer) == LEAT_OK) return json_integer((json_int_t)integer);
    if (leat_gguf_real(v, index, &real) == LEAT_OK) return cli_json_number(real);
    return json_null();
}

/* Arrays are cut after SHOWN_ITEMS; "count" tells how long they are. */
static json_t *json_value(const leat_gguf_value *v) {
    uint64_t at = 0;
    if (v->kind != LEAT_GGUF_ARRAY) return json_item(v, 0, &at);
    json_t *items = json_array();
    for (uint64_t i = 0; i < v->count && i < SHOWN_ITEMS; i++) json_array_append_new(items, json_item(v, i, &at));
    return json_pack("{s:s, s:I, s:o}", "items", leat_gguf_kind_name(v->item), "count", (json_int_t)v->count, "first", items);
}

static json_t *json_tensors(const leat_gguf *file) {
    json_t *list = json_array();
    for (uint64_t i = 0; leat_gguf_tensor_at(file, i); i++) {
        const leat_gguf_tensor *t = leat_gguf_tensor_at(file, i);
        json_t *dims = json_array();
        for (int d = 0; d < t->rank; d++) json_array_append_new(dims, json_integer((json_int_t)t->dims[d]));
        json_array_append_new(list, json_pack("{s:o, s:s, s:o, s:I, s:b}", "name", cli_json_text(t->name), "type", leat_gguf_type_name(t->type), "dims", dims, "bytes",
                                              (json_int_t)t->bytes, "supported", leat_gguf_type_supported(t->type)));
    }
    return list;
}

static void print_json(const leat_gguf *file, const char *path) {
    leat_gguf_info info;
    leat_gguf_get_info(file, &info);
    json_t *values = json_object();
    for (uint64_t i = 0; leat_gguf_value_at(file, i); i++) {
        json_t *key = cli_json_text(leat_gguf_value_at(file, i)->key);
        json_object_set_new(values, json_string_value(key), json_value(leat_gguf_value_at(file, i)));
        json_decref(key);
    }
    cli_print_json(json_pack("{s:o, s:s, s:i, s:I, s:I, s:I, s:o, s:o}", "model", cli_json_text(path), "format", "gguf", "version", info.version, "file_bytes",
                             (json_int_t)info.file_bytes, "parameters", (json_int_t)info.parameters, "data_offset", (json_int_t)info.data_offset, "metadata", values,
                             "tensors", json_tensors(file)));
}

/* Whether the model can be run is what opening it finds out; that touches no weights. */
static int check(const cli_args *args, const char *path) {
    leat_lm_options options;
    leat_lm_info    info;
    leat_lm   *lm;
    leat_error error = {0};
    leat_lm_options_default(&options);
    options.threads = 1;
    int failed = leat_lm_open(path, &options, &lm, &error);
    if (failed && failed != LEAT_EUNSUPPORTED) return cli_fail_error(failed, &error);
    if (failed == LEAT_OK) {
        leat_lm_get_info(lm, &info);
        if (!cli_int(args, OPT_JSON)) printf("%s: architecture %s and every tensor are supported\n", path, info.architecture);
        leat_lm_unref(lm);
    } else if (!cli_int(args, OPT_JSON)) {
        puts(error.message);
    }
    if (cli_int(args, OPT_JSON)) cli_print_json(json_pack("{s:o, s:o}", "model", cli_json_text(path), "unsupported", failed ? json_pack("[o]", cli_json_text(error.message)) : json_array()));
    return failed ? CLI_UNSUPPORTED : CLI_DONE;
}

int cli_inspect_gguf(const cli_args *args, const char *path) {
    type_sum   sums[MOST_TYPES] = {{0}};
    leat_gguf *file;
    leat_error error = {0};
    cli_note_unused(args, (const cli_option_id[]){OPT_SHAPE, OPT_INPUT, OPT_DOT, OPT_DUMP, OPT_HELP}, "ONNX models");
    if (cli_int(args, OPT_CHECK)) return check(args, path);
    int failed = leat_gguf_open(path, &file, &error);
    if (failed) return cli_fail_error(failed, &error);
    uint64_t unsupported = sum_types(file, sums);
    if (cli_int(args, OPT_JSON)) print_json(file, path);
    else print_text(file, path, sums);
    leat_gguf_close(file);
    return unsupported ? CLI_UNSUPPORTED : CLI_DONE;
}
