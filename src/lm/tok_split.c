/* tok_split.c - cuts a text into words before byte-level BPE, by the pattern that the vocabulary was trained with.
 *
 * A family has one or several patterns; each later one cuts the pieces of the one before, and what a pattern leaves between its matches is a piece too.
 * The patterns are part of the published definition of each vocabulary (tokenizer.json of the models); here they are put together from the parts that
 * they share.  Invalid UTF-8 matches nothing and so becomes pieces of its own.  Spaces are spelled out, for PCRE2's \s has U+180E too, which stopped being one in Unicode 6.3.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "lm/tok.h"

#define CONTRACTIONS "'s|'t|'re|'ve|'m|'ll|'d"
#define ANY_CASE "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
#define S "\\t-\\r\\x{85}\\p{Z}"
#define SPACES "[" S "]+(?![^" S "])|[" S "]+"
#define LINES " ?[^" S "\\p{L}\\p{N}]+[\\r\\n]*|[" S "]*[\\r\\n]+|" SPACES
#define GPT2 CONTRACTIONS "| ?\\p{L}+| ?\\p{N}+| ?[^" S "\\p{L}\\p{N}]+|" SPACES
#define LLAMA3(digits) ANY_CASE "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" digits "|" LINES
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED(tail, digits) \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" tail "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" tail "|\\p{N}" digits "| ?[^" S "\\p{L}\\p{N}]+[\\r\\n/]*|[" S "]*[\\r\\n]+|" SPACES
#define CJK "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+"

enum { MOST_PATTERNS = 4 };

typedef struct family {
    const char *names; /* of tokenizer.ggml.pre, separated by spaces; " " around each */
    int         whole_words, composed;
    const char *patterns[MOST_PATTERNS];
} family;

/* Whole words: words that are pieces stay so, merges or not.  Composed: the text is brought to Unicode's form C first. */
static const family families[] = {
    {" gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de mellum modern-bert mpt olmo jais trillion granite-docling exaone4 ", 0, 0, {GPT2}},
    {" llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 ", 1, 0, {LLAMA3("{1,3}")}},
    {" dbrx smaug-bpe ", 0, 0, {LLAMA3("{1,3}")}},
    {" qwen2 ", 0, 1, {LLAMA3("")}},
    {" deepseek-r1-qwen stablelm2 hunyuan megrez kormo ", 0, 0, {LLAMA3("")}},
    {" command-r ", 0, 1, {"\\p{N}", GPT2}},
    {" smollm starcoder refact codeshell exaone minerva-7b ", 0, 0, {"\\p{N}", GPT2}},
    {" gpt-4o llama4 kanana2 ", 0, 0, {CASED("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", "{1,3}")}},
    {" tekken ", 1, 0, {CASED("", "")}},
    {" deepseek-v3 hunyuan-dense ", 0, 0,
     {"\\p{N}{1,3}", CJK, "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|[" S "]*[\\r\\n]+|" SPACES}},
    {" falcon ", 0, 0, {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"}},
    {" default ", 0, 0, {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
};

struct leat_tok_splitter {
    pcre2_code *codes[MOST_PATTERNS];
    int         n_codes, whole_words, composed;
};

static const family *find_family(const char *name) {
    char spaced[80] = " ";
    size_t length = strlen(name);
    if (length == 0) return find_family("default");
    if (length > sizeof spaced - 3 || strchr(name, ' ')) return NULL;
    memcpy(spaced + 1, name, length);
    memcpy(spaced + 1 + length, " ", 2);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strstr(families[i].names, spaced)) return &families[i];
    return NULL;
}

int leat__tok_splitter_open(const char *name, leat_tok_splitter **splitter, leat_error *error) {
    const family *f = find_family(name);
    if (!f) return leat__fail(error, LEAT_EUNSUPPORTED, "GGUF: tokenizer.ggml.pre '%s' is not supported: the vocabulary would be cut wrongly", name);
    leat_tok_splitter *s = leat__calloc(1, sizeof *s, LEAT_MEMORY_GRAPH);
    if (!s) return leat__fail(error, LEAT_ENOMEM, "tokenizer: out of memory");
    s->whole_words = f->whole_words;
    s->composed = f->composed;
    for (; s->n_codes < MOST_PATTERNS && f->patterns[s->n_codes]; s->n_codes++) {
        int code;
        PCRE2_SIZE offset;
        s->codes[s->n_codes] = pcre2_compile((PCRE2_SPTR)f->patterns[s->n_codes], PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF, &code, &offset, NULL);
        if (!s->codes[s->n_codes]) {
            leat__tok_splitter_close(s);
            return leat__fail(error, LEAT_EINTERNAL, "tokenizer: pattern %d of '%s' does not compile (PCRE2 error %d at %zu)", s->n_codes, name, code, (size_t)offset);
        }
        pcre2_jit_compile(s->codes[s->n_codes], PCRE2_JIT_COMPLETE); /* where it fails, matching is slower but the same */
    }
    *splitter = s;
    return LEAT_OK;
}

void leat__tok_splitter_close(leat_tok_splitter *splitter) {
    if (!splitter) return;
    for (int i = 0; i < splitter->n_codes; i++) pcre2_code_free(splitter->codes[i]);
    leat__free(splitter);
}

int leat__tok_splitter_whole_words(const leat_tok_splitter *splitter) { return splitter->whole_words; }
int leat__tok_splitter_composed(const leat_tok_splitter *splitter) { return splitter->composed; }

typedef struct split_job {
    const leat_tok_splitter *splitter;
    pcre2_match_data        *match[MOST_PATTERNS];
    leat_tok_word_fn         word;
    void                    *user;
} split_job;

/* Cuts by pattern `level` and hands the pieces to the next one. */
static int cut(split_job *job, int level, const char *text, size_t bytes) {
    if (bytes == 0) return LEAT_OK;
    if (level == job->splitter->n_codes) return job->word(job->user, text, bytes);
    size_t done = 0;
    int status = LEAT_OK;
    while (status == LEAT_OK && done < bytes) {
        int found = pcre2_match(job->splitter->codes[level], (PCRE2_SPTR)text, bytes, done, 0, job->match[level], NULL);
        if (found < 0 && found != PCRE2_ERROR_NOMATCH) return LEAT_ENOMEM;
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(job->match[level]);
        size_t start = found < 0 ? bytes : at[0], end = found < 0 ? bytes : at[1];
        if (end <= start && start < bytes) return LEAT_EINTERNAL; /* no pattern matches nothing */
        status = cut(job, level + 1, text + done, start - done);
        if (status == LEAT_OK) status = cut(job, level + 1, text + start, end - start);
        done = end;
    }
    return status;
}

int leat__tok_split(const leat_tok_splitter *splitter, const char *text, size_t bytes, leat_tok_word_fn word, void *user) {
    split_job job = {splitter, {NULL}, word, user};
    int status = LEAT_OK;
    for (int i = 0; i < splitter->n_codes; i++)
        if (!(job.match[i] = pcre2_match_data_create_from_pattern(splitter->codes[i], NULL))) status = LEAT_ENOMEM;
    if (status == LEAT_OK) status = cut(&job, 0, text, bytes);
    for (int i = 0; i < splitter->n_codes; i++) pcre2_match_data_free(job.match[i]);
    return status;
}
