/* lab_fuzz.c - feeds scripts to the reader of softmap lab that were cut, changed and mixed at random.
 * Arguments: how many, and the scripts to begin with.  Each is read, or refused with a place; a crash,
 * or a refusal without one, is a failure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/script.h"

enum { SIZE_MAX_READ = 8192, SIZE_MAX_MADE = 3 * SIZE_MAX_READ };

static uint64_t seed;

static uint64_t
draw(uint64_t n) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (seed >> 33) % n;
}

static char *originals[64];
static size_t lengths[64], noriginals;

static void
read_original(const char *path) {
  FILE *file = fopen(path, "r");
  char *bytes = malloc(SIZE_MAX_READ);
  if (!file || !bytes || noriginals == 64)
    exit(99);
  lengths[noriginals] = fread(bytes, 1, SIZE_MAX_READ, file);
  originals[noriginals++] = bytes;
  fclose(file);
}

static void
change(char *bytes, size_t *len) {
  static const char *const words[] = {
    "map",   ":",       "\"",        "\\",     "#",          "99999999999999999999p",
    "p",     "-",       "+",         "\n",     "include \"", "\r",
    "a:",    " ",       "255p+4095", "expect", "fail",       "EIO",
    "at m ", "\xff\xfe"
  };
  size_t at = draw(*len + 1), n = draw(40);
  switch (draw(5)) {
  case 0: /* a byte */
    if (at < *len)
      bytes[at] = (char)draw(256);
    break;
  case 1: /* cut off */
    *len = at;
    break;
  case 2: /* take out */
    n = n < *len - at ? n : *len - at;
    memmove(bytes + at, bytes + at + n, *len - at - n);
    *len -= n;
    break;
  case 3: { /* put in */
    const char *word = words[draw(sizeof words / sizeof words[0])];
    memmove(bytes + at + strlen(word), bytes + at, *len - at);
    memcpy(bytes + at, word, strlen(word));
    *len += strlen(word);
    break;
  }
  default: /* twice */
    n = n < *len - at ? n : *len - at;
    memmove(bytes + at + n, bytes + at, *len - at);
    *len += n;
    break;
  }
}

static size_t
make(char *bytes) {
  size_t from = draw(noriginals), len = lengths[from], other = draw(noriginals);
  memcpy(bytes, originals[from], len);
  if (draw(4) == 0) { /* the end of another one */
    size_t at = draw(lengths[other] + 1);
    len = draw(len + 1);
    memcpy(bytes + len, originals[other] + at, lengths[other] - at);
    len += lengths[other] - at;
  }
  for (uint64_t n = draw(8); n > 0; n--)
    change(bytes, &len);
  return len;
}

/* Standard error is the file "said": one line, with file, line and column. */
static int
has_place(void) {
  char line[4096] = "";
  unsigned at, column;
  FILE *said = fopen("said", "r");
  if (!said || !fgets(line, sizeof line, said))
    return 0;
  fclose(said);
  return sscanf(line, "softmap: fuzzed.lab:%u:%u: ", &at, &column) == 2 && at > 0 && column > 0;
}

int
main(int argc, char **argv) {
  static char bytes[SIZE_MAX_MADE];
  unsigned long count = argc > 2 ? strtoul(argv[1], NULL, 10) : 0, refused = 0;
  for (int i = 2; i < argc; i++)
    read_original(argv[i]);
  if (!noriginals || !freopen("said", "w", stderr) || setvbuf(stderr, NULL, _IONBF, 0))
    return 99;
  for (unsigned long i = 0; i < count; i++) {
    struct script script;
    seed = i;
    size_t len = make(bytes);
    FILE *file = fopen("fuzzed.lab", "w");
    if (!file || fwrite(bytes, 1, len, file) != len || fclose(file) != 0 ||
        ftruncate(STDERR_FILENO, 0) < 0 || lseek(STDERR_FILENO, 0, SEEK_SET) < 0)
      return 99;
    if (script_read("fuzzed.lab", &script)) {
      script_free(&script);
      continue;
    }
    refused++;
    if (!has_place()) {
      printf("seed %lu: refused without a place; see fuzzed.lab\n", i);
      return 1;
    }
  }
  printf("%lu scripts, %lu refused\n", count, refused);
  return refused < count / 4 || refused == count;
}
