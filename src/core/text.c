/* text.c - one line of text, without stdio: it may be needed when memory has run out or in a
 * handler.  strerror isn't async-signal-safe, so the errors that users meet are named here. */
#include "core/text.h"

#include <errno.h>

void
text_add(struct text *text, const char *string) {
  while (*string && text->len < sizeof text->at - 1)
    text->at[text->len++] = *string++;
  text->at[text->len] = '\0';
}

static void
add_digits(struct text *text, uint64_t number, unsigned base) {
  char digits[24];
  size_t at = sizeof digits;
  digits[--at] = '\0';
  do {
    digits[--at] = "0123456789abcdef"[number % base];
    number /= base;
  } while (number);
  text_add(text, digits + at);
}

void
text_add_number(struct text *text, uint64_t number) {
  add_digits(text, number, 10);
}

void
text_add_hex(struct text *text, uint64_t number) {
  add_digits(text, number, 16);
}

static const struct {
  int error;
  const char *words;
} errors[] = {
  { EACCES, "Permission denied (EACCES)" },
  { EBUSY, "Busy (EBUSY)" },
  { EDQUOT, "Disk quota exceeded (EDQUOT)" },
  { EFBIG, "File too large (EFBIG)" },
  { EIO, "Input/output error (EIO)" },
  { ELOOP, "Is a symbolic link (ELOOP)" },
  { EMFILE, "Too many open files (EMFILE)" },
  { ENOENT, "No such file or directory (ENOENT)" },
  { ENOMEM, "Cannot allocate memory (ENOMEM)" },
  { ENOSPC, "No space left on device (ENOSPC)" },
  { ENOTDIR, "Not a directory (ENOTDIR)" },
  { EPERM, "Operation not permitted (EPERM)" },
  { EROFS, "Read-only file system (EROFS)" },
  { ESTALE, "Not the file that was mapped (ESTALE)" },
};

void
text_add_error(struct text *text, int error) {
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
    if (errors[i].error == error) {
      text_add(text, errors[i].words);
      return;
    }
  text_add(text, "error ");
  text_add_number(text, (uint64_t)error);
}
