/* replay.c - runs a fuzz target on files, or on all of its corpus: for builds without a fuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INPUT_MAX = 1 << 16, SECONDS_AN_INPUT = 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
replay(const char *path) {
  static uint8_t data[INPUT_MAX];
  FILE *file = fopen(path, "rb");
  size_t size;

  if (file == NULL) {
    perror(path);
    exit(99); /* NOLINT(concurrency-mt-unsafe): the only thread of ours */
  }
  size = fread(data, 1, sizeof data, file);
  (void)fclose(file);
  printf("# %s\n", path);
  (void)fflush(stdout);
  (void)alarm(SECONDS_AN_INPUT);
  (void)LLVMFuzzerTestOneInput(data, size);
}

static unsigned
replay_corpus(const char *program) {
  char dir[1024];
  char path[2048];
  const char *top = getenv("abs_top_srcdir"); /* NOLINT(concurrency-mt-unsafe): at the start */
  const char *target = strrchr(program, '/');
  unsigned count = 0;
  DIR *entries;

  (void)snprintf(dir, sizeof dir, "%s/tests/fuzz/corpus/%s", top != NULL ? top : ".",
                 target != NULL ? target + 1 : program);
  entries = opendir(dir);
  for (struct dirent *e; entries != NULL && (e = readdir(entries)) != NULL;) {
    if (e->d_name[0] == '.')
      continue;
    (void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
    replay(path);
    count++;
  }
  if (entries != NULL)
    (void)closedir(entries);
  return count;
}

int
main(int argc, char **argv) {
  unsigned count = 0;

  for (int i = 1; i < argc; i++, count++)
    replay(argv[i]);
  if (argc == 1)
    count = replay_corpus(argv[0]);
  printf("%s 1 - %u inputs of the corpus\n1..1\n", count > 0 ? "ok" : "not ok", count);
  return count > 0 ? 0 : 1;
}
