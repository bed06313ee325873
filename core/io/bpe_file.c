/* vocab.json and merges.txt. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/bpe_impl.h"
#include "core/io/file.h"
#include "core/io/json.h"

enum { PATH_BYTES = 4096, MERGES_BYTES = 64 << 20 };

HS_CHECKED static int join(const char *folder, const char *name, char out[PATH_BYTES])
{
    int n = snprintf(out, PATH_BYTES, "%s/%s", folder, name);
    return n < PATH_BYTES ? HS_OK : hs_fail(HS_ERANGE, "a path of %d bytes is too long", n);
}

/* *id <- that of a token; HS_EFORMAT where it has none. */
HS_CHECKED static int id_of(const json_t *vocab, const char *token, int32_t *id)
{
    const json_t *v = json_object_get(vocab, token);
    if (v == NULL) {
        char shown[80];
        hs_text_escape(token, shown, sizeof shown);
        return hs_fail(HS_EFORMAT, "the vocabulary lacks \"%s\"", shown);
    }
    *id = (int32_t)json_integer_value(v);
    return HS_OK;
}

HS_CHECKED static int read_tokens(json_t *vocab, hs_bpe *t)
{
    const char *token;
    json_t *v;
    int rc = HS_OK;
    t->n = json_object_size(vocab);
    if (!json_is_object(vocab) || t->n == 0) {
        return hs_fail(HS_EFORMAT, "must be an object of tokens and their ids");
    }
    if (t->n > HS_BPE_TOKENS_MAX) {
        return hs_fail(HS_ELIMIT, "%zu tokens; at most %d", t->n, HS_BPE_TOKENS_MAX);
    }
    HS_TRY(hs_calloc(t->n, sizeof *t->token, &t->token));
    json_object_foreach(vocab, token, v)
    {
        const json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;
        if (id < 0 || (size_t)id >= t->n || t->token[id] != NULL) {
            char shown[80];
            hs_text_escape(token, shown, sizeof shown);
            return hs_fail(HS_EFORMAT, "the id of \"%s\" must be a number below %zu that no other token has", shown,
                           t->n);
        }
        HS_TRY(hs_strdup(token, &t->token[id]));
    }
out:
    return rc;
}

HS_CHECKED static int read_bytes(const json_t *vocab, hs_bpe *t)
{
    hs_bpe_letters l;
    int rc = HS_OK;
    hs_bpe_letters_make(&l);
    for (size_t b = 0; b < 256; b++) {
        char last[16];
        snprintf(last, sizeof last, "%s</w>", l.letter[b]);
        HS_TRY(id_of(vocab, l.letter[b], &t->byte[0][b]));
        HS_TRY(id_of(vocab, last, &t->byte[1][b]));
    }
    HS_TRY(id_of(vocab, HS_BPE_BEGIN, &t->begin));
    HS_TRY(id_of(vocab, HS_BPE_END, &t->end));
out:
    return rc;
}

/* One line "left right" -> a merge. */
HS_CHECKED static int read_merge(const json_t *vocab, char *line, hs_bpe_merge *m)
{
    char *blank = strchr(line, ' '), *into = NULL;
    size_t len = strlen(line);
    int rc = HS_OK;
    if (blank == NULL || blank == line || blank[1] == '\0' || strchr(blank + 1, ' ') != NULL) {
        return hs_fail(HS_EFORMAT, "wanted two tokens with one blank between them");
    }
    HS_TRY(hs_alloc(len, 1, &into)); /* one blank less, one NUL more */
    memcpy(into, line, (size_t)(blank - line));
    memcpy(into + (blank - line), blank + 1, len - (size_t)(blank - line));
    *blank = '\0';
    HS_TRY(id_of(vocab, line, &m->left));
    HS_TRY(id_of(vocab, blank + 1, &m->right));
    HS_TRY(id_of(vocab, into, &m->into));
out:
    free(into);
    return rc;
}

HS_CHECKED static int read_merges(const json_t *vocab, char *text, hs_bpe *t)
{
    size_t most = 1, number = 0;
    int rc = HS_OK;
    for (const char *s = text; *s != '\0'; s++) {
        most += *s == '\n';
    }
    HS_TRY(hs_alloc(most, sizeof *t->merge, &t->merge));
    for (char *line = text, *after; line != NULL; line = after) {
        after = strchr(line, '\n');
        if (after != NULL) {
            *after++ = '\0';
        }
        line[strcspn(line, "\r")] = '\0';
        number++;
        if (*line == '\0' || (number == 1 && strncmp(line, "#version", 8) == 0)) {
            continue;
        }
        rc = read_merge(vocab, line, &t->merge[t->n_merges]);
        if (rc != HS_OK) {
            char where[32];
            snprintf(where, sizeof where, "line %zu", number);
            return hs_fail_in(rc, where);
        }
        t->n_merges++;
    }
    HS_TRY(hs_bpe_index(t));
out:
    return rc;
}

HS_CHECKED static int read_text(const char *path, char **out)
{
    unsigned char *bytes = NULL;
    char *text = NULL;
    size_t len;
    int rc = HS_OK;
    HS_TRY(hs_file_read(path, MERGES_BYTES, &bytes, &len));
    HS_TRY(hs_alloc(len + 1, 1, &text));
    memcpy(text, bytes, len);
    text[len] = '\0';
    if (strlen(text) != len) {
        rc = hs_fail(HS_EFORMAT, "%s: a NUL byte in a text", path);
        goto out;
    }
    *out = text;
    text = NULL;
out:
    free(text);
    free(bytes);
    return rc;
}

int hs_bpe_open(const char *folder, hs_bpe **out)
{
    char path[PATH_BYTES];
    json_t *vocab = NULL;
    hs_bpe *t = NULL;
    char *text = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *t, &t));
    HS_TRY(join(folder, "vocab.json", path));
    HS_TRY(hs_json_read(path, &vocab));
    HS_TRY(hs_fail_in(read_tokens(vocab, t), path));
    HS_TRY(hs_fail_in(read_bytes(vocab, t), path));
    HS_TRY(join(folder, "merges.txt", path));
    HS_TRY(read_text(path, &text));
    HS_TRY(hs_fail_in(read_merges(vocab, text, t), path));
    *out = t;
    t = NULL;
out:
    free(text);
    json_decref(vocab);
    hs_bpe_free(t);
    return rc;
}

/* ---- Writing --------------------------------------------------------------------------------------- */

HS_CHECKED static int write_vocab(const hs_bpe *t, const char *path)
{
    json_t *root = json_object();
    char *text = NULL;
    int rc = HS_OK;
    for (size_t i = 0; root != NULL && i < t->n; i++) {
        if (json_object_set_new(root, t->token[i], json_integer((json_int_t)i)) != 0) {
            json_decref(root);
            root = NULL;
        }
    }
    text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
    if (text == NULL) {
        rc = hs_fail(HS_ENOMEM, "no memory for a vocabulary of %zu tokens", t->n);
        goto out;
    }
    HS_TRY(hs_file_write_atomic(path, text, strlen(text), 1));
out:
    free(text);
    json_decref(root);
    return rc;
}

int hs_bpe_save(const hs_bpe *t, const char *folder)
{
    char path[PATH_BYTES];
    hs_str text = {0};
    int rc = HS_OK;
    HS_TRY(join(folder, "vocab.json", path));
    HS_TRY(write_vocab(t, path));
    hs_str_add(&text, "#version: 0.2\n");
    for (size_t i = 0; i < t->n_merges; i++) {
        hs_str_addf(&text, "%s %s\n", t->token[t->merge[i].left], t->token[t->merge[i].right]);
    }
    HS_TRY(hs_str_ok(&text));
    HS_TRY(join(folder, "merges.txt", path));
    HS_TRY(hs_file_write_atomic(path, text.s, text.len, 1));
out:
    hs_str_free(&text);
    return rc;
}
