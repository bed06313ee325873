/* Feeds a fuzz target each file of a corpus folder, whole, cut short and changed at random places
 * (the same ones each time): the target's checks hold without libFuzzer too. */
#include <dirent.h>

#include "tests/fuzz/fuzz.h"

enum { MUTATIONS = 20000, MAX_BYTES = 1 << 20 };

static uint64_t state = 1;

/* xorshift64 (Marsaglia 2003). */
static uint64_t draw(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

/* In a block of exactly the size, so that AddressSanitizer sees a byte too many. */
static void feed(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);
    fuzz_check(copy != NULL);
    memcpy(copy, bytes, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static void mutate(const uint8_t *bytes, size_t n)
{
    static const uint8_t edge[] = {0, 1, 0x7f, 0x80, 0xff, '[', '{', '"', '(', '.'};
    uint8_t *b = malloc(n + 8);
    size_t len = n, edits = 1 + draw(4);
    fuzz_check(b != NULL);
    memcpy(b, bytes, n);
    for (size_t k = 0; k < edits && len > 0; k++) {
        size_t at = draw(len);
        switch (draw(5)) {
        case 0: b[at] = (uint8_t)(b[at] ^ 1 << draw(8)); break;
        case 1: b[at] = edge[draw(sizeof edge)]; break;
        case 2: /* drop a byte */ memmove(b + at, b + at + 1, --len - at); break;
        case 3: /* double one */
            if (len < n + 8) {
                memmove(b + at + 1, b + at, len++ - at);
            }
            break;
        default: len = at;
        }
    }
    feed(b, len);
    free(b);
}

static int replay(const char *path)
{
    static uint8_t bytes[MAX_BYTES];
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        perror(path);
        return 1;
    }
    size_t n = fread(bytes, 1, sizeof bytes, f);
    state = 1; /* whatever order the folder is read in */
    fclose(f);
    feed(bytes, n);
    for (int i = 0; i < MUTATIONS; i++) {
        mutate(bytes, n);
    }
    return 0;
}

int main(int argc, char **argv)
{
    DIR *d = argc == 2 ? opendir(argv[1]) : NULL;
    int files = 0, failed = 0;
    if (d == NULL) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 2;
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[1024];
        if (e->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
            failed += replay(path);
            files++;
        }
    }
    closedir(d);
    printf("%d files, %d mutations of each\n", files, MUTATIONS);
    return files == 0 || failed > 0;
}
