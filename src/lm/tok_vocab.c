/* tok_vocab.c - opens the vocabulary of a GGUF file: pieces, scores, types, merges, and the tables that find them.
 *
 * Pieces and merges stay in the mapping; what is made here is two arrays of pointers and two hash tables.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "lm/tok.h"

#define MAX_TOKENS (1 << 24)

/* ---- tables ----------------------------------------------------------------------------------------------------------------- */

/* FNV-1a with a last mixing, as the mask takes the low bits. */
static uint32_t hash_text(uint32_t hash, const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ (uint8_t)text[i]) * 16777619u;
    return hash;
}
static uint32_t mix(uint32_t hash) {
    hash ^= hash >> 15;
    hash *= 0x85EBCA6Bu;
    return hash ^ hash >> 13;
}
#define HASH_START 2166136261u

static int table_make(leat_tok_table *table, uint32_t count) {
    uint32_t size = 16;
    while (size < 2 * count) size *= 2;
    table->slots = leat__calloc(size, sizeof *table->slots, LEAT_MEMORY_GRAPH);
    table->mask = size - 1;
    return table->slots != NULL;
}

int32_t leat__tok_find(const leat_tokenizer *t, const char *text, size_t bytes) {
    uint32_t at = mix(hash_text(HASH_START, text, bytes));
    for (uint32_t slot; (slot = t->by_text.slots[at &= t->by_text.mask]); at++)
        if (t->pieces[slot - 1].bytes == bytes && memcmp(t->pieces[slot - 1].text, text, bytes) == 0) return (int32_t)(slot - 1);
    return -1;
}

/* The last of several tokens with one text wins, as in the reference. */
static void add_piece(leat_tokenizer *t, uint32_t id) {
    const leat_tok_text *p = &t->pieces[id];
    uint32_t at = mix(hash_text(HASH_START, p->text, p->bytes)), slot;
    for (; (slot = t->by_text.slots[at &= t->by_text.mask]); at++)
        if (t->pieces[slot - 1].bytes == p->bytes && memcmp(t->pieces[slot - 1].text, p->text, p->bytes) == 0) break;
    t->by_text.slots[at] = id + 1;
}

int64_t leat__tok_rank(const leat_tokenizer *t, const char *text, size_t left, size_t bytes) {
    uint32_t hash = hash_text(HASH_START, text, left);
    hash = hash_text((hash ^ ' ') * 16777619u, text + left, bytes - left);
    uint32_t at = mix(hash);
    for (uint32_t slot; (slot = t->by_pair.slots[at &= t->by_pair.mask]); at++) {
        const leat_tok_merge *m = &t->merges[slot - 1];
        if (m->bytes == bytes + 1 && m->left == left && memcmp(m->line, text, left) == 0 && memcmp(m->line + left + 1, text + left, bytes - left) == 0) return slot - 1;
    }
    return -1;
}

static void add_merge(leat_tokenizer *t, uint32_t rank) {
    const leat_tok_merge *m = &t->merges[rank];
    uint32_t at = mix(hash_text(HASH_START, m->line, m->bytes));
    while (t->by_pair.slots[at &= t->by_pair.mask]) at++;
    t->by_pair.slots[at] = rank + 1;
}

/* ---- what the file says ----------------------------------------------------------------------------------------------------- */

/* The array `key` with `count` items of text or numbers; NULL when it is absent, with a failure when it is required or of another sort. */
static int find_array(const leat_gguf *file, const char *key, int text, uint64_t count, int required, const leat_gguf_value **value, leat_error *error) {
    *value = leat_gguf_find(file, key);
    if (!*value) return required ? leat__fail(error, LEAT_EFORMAT, "GGUF: '%s' is missing: the file has no tokenizer", key) : LEAT_OK;
    if ((*value)->kind != LEAT_GGUF_ARRAY || ((*value)->item == LEAT_GGUF_STRING) != text || (count && (*value)->count != count))
        return leat__fail(error, LEAT_EFORMAT, "GGUF: '%s' is not an array of %s for each of the %llu tokens", key, text ? "strings" : "numbers", (unsigned long long)count);
    return LEAT_OK;
}

static int read_pieces(leat_tokenizer *t, const leat_gguf *file, leat_error *error) {
    const leat_gguf_value *v;
    const char *text;
    uint64_t at = 0, length;
    int status = find_array(file, "tokenizer.ggml.tokens", 1, 0, 1, &v, error);
    if (status) return status;
    if (v->count < 1 || v->count > MAX_TOKENS)
        return leat__fail(error, LEAT_ELIMIT, "GGUF: a vocabulary of %llu tokens (1..%d are allowed)", (unsigned long long)v->count, MAX_TOKENS);
    t->info.tokens = (int32_t)v->count;
    t->pieces = leat__calloc(v->count, sizeof *t->pieces, LEAT_MEMORY_GRAPH);
    t->scores = leat__calloc(v->count, sizeof *t->scores, LEAT_MEMORY_GRAPH);
    t->types = leat__calloc(v->count, sizeof *t->types, LEAT_MEMORY_GRAPH);
    if (!t->pieces || !t->scores || !t->types || !table_make(&t->by_text, (uint32_t)v->count)) return leat__fail(error, LEAT_ENOMEM, "tokenizer: out of memory");
    for (uint32_t i = 0; i < v->count && leat_gguf_string(v, &at, &text, &length) == LEAT_OK; i++) {
        if (length > UINT16_MAX) return leat__fail(error, LEAT_EFORMAT, "GGUF: token %u has %llu bytes (at most %u are allowed)", i, (unsigned long long)length, UINT16_MAX);
        t->pieces[i] = (leat_tok_text){text, (uint32_t)length};
        if (length > t->longest) t->longest = (uint32_t)length;
        if (length) add_piece(t, i);
    }
    return LEAT_OK;
}

static int read_scores_and_types(leat_tokenizer *t, const leat_gguf *file, leat_error *error) {
    const leat_gguf_value *scores, *types;
    uint64_t n = (uint64_t)t->info.tokens;
    int status = find_array(file, "tokenizer.ggml.scores", 0, n, t->kind == LEAT_TOK_SPM, &scores, error);
    if (status == LEAT_OK) status = find_array(file, "tokenizer.ggml.token_type", 0, n, 0, &types, error);
    for (uint64_t i = 0; status == LEAT_OK && i < n; i++) {
        double score = 0;
        int64_t type = LEAT_TOKEN_NORMAL;
        if (scores && (leat_gguf_real(scores, i, &score) || score != score)) return leat__fail(error, LEAT_EFORMAT, "GGUF: the score of token %llu is not a number", (unsigned long long)i);
        if (types && leat_gguf_integer(types, i, &type)) return leat__fail(error, LEAT_EFORMAT, "GGUF: the type of token %llu is not an integer", (unsigned long long)i);
        t->scores[i] = (float)score;
        t->types[i] = type >= LEAT_TOKEN_NORMAL && type <= LEAT_TOKEN_BYTE ? (uint8_t)type : LEAT_TOKEN_NORMAL;
    }
    return status;
}

/* "left right", cut at the first space behind the first byte. */
static int read_merges(leat_tokenizer *t, const leat_gguf *file, leat_error *error) {
    const leat_gguf_value *v;
    const char *text;
    uint64_t at = 0, length;
    int status = find_array(file, "tokenizer.ggml.merges", 1, 0, 1, &v, error);
    if (status) return status;
    if (v->count > MAX_TOKENS) return leat__fail(error, LEAT_ELIMIT, "GGUF: %llu merges (at most %d are allowed)", (unsigned long long)v->count, MAX_TOKENS);
    t->merges = leat__calloc(v->count + 1, sizeof *t->merges, LEAT_MEMORY_GRAPH);
    if (!t->merges || !table_make(&t->by_pair, (uint32_t)v->count)) return leat__fail(error, LEAT_ENOMEM, "tokenizer: out of memory");
    for (; leat_gguf_string(v, &at, &text, &length) == LEAT_OK; t->n_merges++) {
        const char *space = length > 2 && length <= UINT16_MAX ? memchr(text + 1, ' ', (size_t)length - 1) : NULL;
        if (!space) return leat__fail(error, LEAT_EFORMAT, "GGUF: merge %u is not two parts with a space between", t->n_merges);
        t->merges[t->n_merges] = (leat_tok_merge){text, (uint32_t)length, (uint32_t)(space - text)};
        add_merge(t, t->n_merges);
    }
    return LEAT_OK;
}

static int32_t read_id(const leat_tokenizer *t, const leat_gguf *file, const char *key, int32_t fallback) {
    const leat_gguf_value *v = leat_gguf_find(file, key);
    int64_t id = fallback;
    if (v) leat_gguf_integer(v, 0, &id);
    return id >= 0 && id < t->info.tokens ? (int32_t)id : -1;
}

static int read_flag(const leat_gguf *file, const char *key, int fallback) {
    const leat_gguf_value *v = leat_gguf_find(file, key);
    int64_t flag = fallback;
    if (v && v->kind == LEAT_GGUF_BOOL) leat_gguf_integer(v, 0, &flag);
    return flag != 0;
}

/* The end of a turn of chat, where the file does not say: the spellings of the known families. */
static int32_t guess_eot(const leat_tokenizer *t) {
    static const char *const spellings[] = {"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>"};
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        int32_t id = leat__tok_find(t, spellings[i], strlen(spellings[i]));
        if (id >= 0 && t->types[id] != LEAT_TOKEN_NORMAL) return id;
    }
    return -1;
}

static void read_ids(leat_tokenizer *t, const leat_gguf *file) {
    int spm = t->kind == LEAT_TOK_SPM, wpm = t->kind == LEAT_TOK_WPM;
    leat_tokenizer_info *info = &t->info;
    info->bos = read_id(t, file, "tokenizer.ggml.bos_token_id", spm ? 1 : -1);
    if (wpm) info->bos = read_id(t, file, "tokenizer.ggml.cls_token_id", info->bos);
    info->eos = read_id(t, file, "tokenizer.ggml.eos_token_id", spm ? 2 : -1);
    info->unk = read_id(t, file, "tokenizer.ggml.unknown_token_id", spm ? 0 : -1);
    info->sep = read_id(t, file, "tokenizer.ggml.seperator_token_id", -1);
    info->pad = read_id(t, file, "tokenizer.ggml.padding_token_id", -1);
    info->eot = read_id(t, file, "tokenizer.ggml.eot_token_id", guess_eot(t));
    if (wpm && info->eos < 0) info->eos = info->sep;
    info->add_bos = read_flag(file, "tokenizer.ggml.add_bos_token", spm || wpm) && info->bos >= 0;
    info->add_eos = read_flag(file, "tokenizer.ggml.add_eos_token", wpm) && info->eos >= 0;
    info->add_space_prefix = spm && read_flag(file, "tokenizer.ggml.add_space_prefix", 1);
}

/* "<0x0A>": SPM's token of one byte. */
static void find_byte_tokens(leat_tokenizer *t) {
    static const char digits[] = "0123456789ABCDEF";
    for (int byte = 0; byte < 256; byte++) {
        char name[6] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
        t->bytes[byte] = leat__tok_find(t, name, sizeof name);
    }
}

static int longer_first(const void *a, const void *b, void *pieces) {
    const leat_tok_text *p = pieces;
    uint32_t x = p[*(const int32_t *)a].bytes, y = p[*(const int32_t *)b].bytes;
    return x == y ? (*(const int32_t *)a > *(const int32_t *)b) - (*(const int32_t *)a < *(const int32_t *)b) : x < y ? 1 : -1;
}

static int is_special(const leat_tokenizer *t, int32_t id) {
    return t->pieces[id].bytes && (t->types[id] == LEAT_TOKEN_CONTROL || t->types[id] == LEAT_TOKEN_USER_DEFINED || t->types[id] == LEAT_TOKEN_UNKNOWN);
}

static int collect_specials(leat_tokenizer *t) {
    int32_t n = 0;
    for (int32_t id = 0; id < t->info.tokens; id++) n += is_special(t, id);
    t->specials = leat__calloc((size_t)n + 1, sizeof *t->specials, LEAT_MEMORY_GRAPH);
    if (!t->specials) return 0;
    for (int32_t id = 0; id < t->info.tokens; id++)
        if (is_special(t, id)) {
            t->specials[t->n_specials++] = id;
            t->special_first[(uint8_t)t->pieces[id].text[0]] = 1;
        }
    qsort_r(t->specials, (size_t)n, sizeof *t->specials, longer_first, t->pieces);
    return 1;
}

/* ---- opening ---------------------------------------------------------------------------------------------------------------- */

static int read_name(const leat_gguf *file, const char *key, char *name, size_t size) {
    const leat_gguf_value *v = leat_gguf_find(file, key);
    const char *text;
    uint64_t at = 0, length;
    *name = 0;
    if (!v || v->kind != LEAT_GGUF_STRING || leat_gguf_string(v, &at, &text, &length) || length >= size) return 0;
    memcpy(name, text, (size_t)length);
    name[length] = 0;
    return 1;
}

static int read_kind(leat_tokenizer *t, const leat_gguf *file, leat_error *error) {
    static const char *const models[] = {"llama", "gpt2", "bert"}, *const kinds[] = {"spm", "bpe", "wpm"};
    char name[64];
    if (!read_name(file, "tokenizer.ggml.model", name, sizeof name)) return leat__fail(error, LEAT_EFORMAT, "GGUF: 'tokenizer.ggml.model' is missing: the file has no tokenizer");
    read_name(file, "tokenizer.ggml.pre", t->info.pre, sizeof t->info.pre);
    for (int i = 0; i < 3; i++)
        if (strcmp(name, models[i]) == 0) {
            t->kind = (leat_tok_kind)i;
            t->info.kind = kinds[i];
            return LEAT_OK;
        }
    return leat__fail(error, LEAT_EUNSUPPORTED, "GGUF: tokenizer.ggml.model '%s' is not supported (llama, gpt2 and bert are)", name);
}

static int open_vocabulary(leat_tokenizer *t, const leat_gguf *file, leat_error *error) {
    int status = read_kind(t, file, error);
    if (status == LEAT_OK) status = read_pieces(t, file, error);
    if (status == LEAT_OK) status = read_scores_and_types(t, file, error);
    if (status != LEAT_OK) return status;
    read_ids(t, file);
    find_byte_tokens(t);
    if (!collect_specials(t)) return leat__fail(error, LEAT_ENOMEM, "tokenizer: out of memory");
    if (t->kind != LEAT_TOK_BPE) return LEAT_OK;
    status = read_merges(t, file, error);
    if (status == LEAT_OK) status = leat__tok_splitter_open(t->info.pre, &t->splitter, error);
    if (status == LEAT_OK) t->ignore_merges = leat__tok_splitter_whole_words(t->splitter);
    return status;
}

int leat_tokenizer_open(const leat_gguf *file, leat_tokenizer **tokenizer, leat_error *error) {
    if (tokenizer) *tokenizer = NULL;
    if (!file || !tokenizer) return leat__fail(error, LEAT_EINVAL, "leat_tokenizer_open: file and tokenizer may not be NULL");
    leat_tokenizer *t = leat__calloc(1, sizeof *t, LEAT_MEMORY_GRAPH);
    if (!t) return leat__fail(error, LEAT_ENOMEM, "tokenizer: out of memory");
    int status = open_vocabulary(t, file, error);
    if (status == LEAT_OK) *tokenizer = t;
    else leat_tokenizer_close(t);
    return status;
}

void leat_tokenizer_close(leat_tokenizer *t) {
    if (!t) return;
    leat__tok_splitter_close(t->splitter);
    leat__free(t->pieces);
    leat__free(t->scores);
    leat__free(t->types);
    leat__free(t->by_text.slots);
    leat__free(t->specials);
    leat__free(t->merges);
    leat__free(t->by_pair.slots);
    leat__free(t);
}

void leat_tokenizer_get_info(const leat_tokenizer *tokenizer, leat_tokenizer_info *info) {
    if (info) *info = tokenizer ? tokenizer->info : (leat_tokenizer_info){.bos = -1, .eos = -1, .eot = -1, .unk = -1, .sep = -1, .pad = -1};
}
int leat_tokenizer_type(const leat_tokenizer *t, int32_t token) { return t && token >= 0 && token < t->info.tokens ? t->types[token] : 0; }
float leat_tokenizer_score(const leat_tokenizer *t, int32_t token) { return t && token >= 0 && token < t->info.tokens ? t->scores[token] : 0; }
int32_t leat_tokenizer_find(const leat_tokenizer *t, const char *piece, size_t bytes) { return t && piece && bytes ? leat__tok_find(t, piece, bytes) : -1; }
