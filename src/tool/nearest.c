/* nearest.c - what a misspelt word meant. */
#include "tool/tool.h"

#include <string.h>

static size_t
least(size_t a, size_t b) {
  return a < b ? a : b;
}

enum { NAME_MAX_COMPARED = 15 };

/* How many letters must be added, removed, changed or swapped with their neighbour. */
static size_t
distance(const char *a, const char *b) {
  size_t row[NAME_MAX_COMPARED + 1][NAME_MAX_COMPARED + 1] = { { 0 } };
  size_t na = strnlen(a, NAME_MAX_COMPARED), nb = strnlen(b, NAME_MAX_COMPARED);
  for (size_t i = 0; i <= na; i++)
    for (size_t j = 0; j <= nb; j++) {
      if (i == 0 || j == 0) {
        row[i][j] = i + j;
        continue;
      }
      size_t changed = row[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      row[i][j] = least(changed, least(row[i - 1][j], row[i][j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[i][j] = least(row[i][j], row[i - 2][j - 2] + 1);
    }
  return row[na][nb];
}

const char *
nearest_word(const char *name, const char *const *names, size_t n) {
  const char *found = NULL;
  size_t len = strlen(name), best = len / 3 > 2 ? len / 3 : 2;
  if (len > NAME_MAX_COMPARED)
    return NULL;
  for (size_t i = 0; i < n; i++) {
    size_t at = distance(name, names[i]);
    if (at < len && (at < best || (at == best && !found))) {
      best = at;
      found = names[i];
    }
  }
  return found;
}
