/* grade.c - which broken engines does a script expose? */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/broken.h"
#include "lab/output.h"
#include "tool/tool.h"

static const struct {
  const char *name, *what;
} broken[] = {
#define X(id, name, what) { name, what },
  BROKEN_ENGINES(X)
#undef X
};
enum { NBROKEN = sizeof broken / sizeof broken[0] };

const char *
broken_name(size_t i) {
  return i < NBROKEN ? broken[i].name : NULL;
}

const char *
broken_what(size_t i) {
  return i < NBROKEN ? broken[i].what : NULL;
}

enum verdict { VERDICT_GOOD, VERDICT_EXPOSED, VERDICT_UNUSABLE };

/* The place and text of the first complaint in *first; to be freed. */
static enum verdict
run(const struct script *script, const char *engine, char **first) {
  struct recording recording;
  *first = NULL;
  bool ok = recording_make(&recording, script, engine);
  for (size_t i = 0; i < recording.n && !*first; i++)
    if (recording.frames[i].complaint)
      *first =
          text_of("%u: %s", recording.frames[i].step->place.line, recording.frames[i].complaint);
  enum verdict verdict = *first ? VERDICT_EXPOSED : ok ? VERDICT_GOOD : VERDICT_UNUSABLE;
  recording_free(&recording);
  return verdict;
}

/* How many broken engines the script exposes; -1: it isn't right on the good one. */
static int
grade(const struct script *script, bool is_exposed[NBROKEN]) {
  char *first, *shown = printable(script->path);
  int count = 0;
  enum verdict verdict = run(script, "fault", &first);
  (void)printf("%s\n", shown);
  free(shown);
  if (verdict != VERDICT_GOOD) {
    (void)printf("  fails on the good engine: line %s\n", first ? first : "it can't be run");
    free(first);
    return -1;
  }
  for (size_t i = 0; i < NBROKEN; i++) {
    char *engine = text_of("broken-%s", broken[i].name);
    verdict = run(script, engine, &first);
    if (verdict == VERDICT_EXPOSED)
      (void)printf("  exposes %-26s line %s\n", broken[i].name, first);
    else if (verdict == VERDICT_UNUSABLE)
      (void)printf("  exposes %-26s it hangs or can't be run\n", broken[i].name);
    is_exposed[i] |= verdict != VERDICT_GOOD;
    count += verdict != VERDICT_GOOD;
    free(first);
    free(engine);
  }
  if (count == 0)
    (void)printf("  exposes none\n");
  return count;
}

int
grade_scripts(char **paths, size_t n) {
  bool is_exposed[NBROKEN] = { false };
  int status = STATUS_OK;
  size_t exposed = 0;
  for (size_t i = 0; i < n; i++) {
    struct script script;
    if (!script_read(paths[i], &script))
      return STATUS_USAGE;
    if (grade(&script, is_exposed) < 0)
      status = STATUS_FAILED;
    script_free(&script);
  }
  for (size_t i = 0; i < NBROKEN; i++)
    exposed += is_exposed[i];
  (void)printf("%zu of %d broken engines exposed", exposed, (int)NBROKEN);
  for (size_t i = 0, left = 0; i < NBROKEN; i++)
    if (!is_exposed[i])
      (void)printf("%s %s", left++ ? "," : "; not exposed:", broken[i].name);
  (void)printf("\n");
  return status;
}
