/* words.c - cutting lines into words; numbers and texts. */
#include "lab/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

/* ---- Cutting ------------------------------------------------------------------------------- */

/* A line under the knife. */
struct cut {
  const char *at, *start, *end;
  char *to; /* in line->store */
  unsigned column;
  const char *problem;
};

static bool
refuse(struct cut *cut, const char *at, const char *problem) {
  cut->column = (unsigned)(at - cut->start) + 1;
  cut->problem = problem;
  return false;
}

static bool
is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c != '\0' && strchr("_.+-*/", c) != NULL);
}

static int
hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Behind a backslash. */
static bool
cut_escape(struct cut *cut, char *out) {
  static const char names[] = "nt0\"\\", meant[] = "\n\t\0\"\\";
  const char *backslash = cut->at - 1;
  if (cut->at == cut->end)
    return refuse(cut, backslash, "nothing follows the backslash");
  char c = *cut->at++;
  const char *known = c ? strchr(names, c) : NULL;
  if (known) {
    *out = meant[known - names];
    return true;
  }
  int high = c == 'x' && cut->end - cut->at >= 2 ? hex_digit(cut->at[0]) : -1;
  int low = high >= 0 ? hex_digit(cut->at[1]) : -1;
  if (low < 0)
    return refuse(cut, backslash, "unknown escape; there are \\n \\t \\0 \\\" \\\\ and \\xHH");
  cut->at += 2;
  *out = (char)(16 * high + low);
  return true;
}

static bool
cut_text(struct cut *cut, struct word *word) {
  const char *quote = cut->at++;
  word->kind = WORD_TEXT;
  for (;;) {
    if (cut->at == cut->end)
      return refuse(cut, quote, "the text has no closing quote");
    char c = *cut->at++;
    if (c == '"')
      break;
    if (c == '\\' && !cut_escape(cut, &c))
      return false;
    *cut->to++ = c;
  }
  word->len = (size_t)(cut->to - word->text);
  return word->len <= TEXT_MAX || refuse(cut, quote, "the text is longer than 1024 bytes");
}

static void
cut_name(struct cut *cut, struct word *word) {
  word->kind = WORD_NAME;
  while (cut->at < cut->end && is_name_char(*cut->at))
    *cut->to++ = *cut->at++;
  word->len = (size_t)(cut->to - word->text);
}

static bool
cut_word(struct cut *cut, struct word *word) {
  word->column = (unsigned)(cut->at - cut->start) + 1;
  word->text = cut->to;
  if (*cut->at == '"') {
    if (!cut_text(cut, word))
      return false;
  } else if (*cut->at == ':') {
    word->kind = WORD_COLON;
    word->len = 1;
    *cut->to++ = *cut->at++;
  } else if (is_name_char(*cut->at)) {
    cut_name(cut, word);
  } else {
    return refuse(cut, cut->at, "this character can't stand here");
  }
  *cut->to++ = '\0';
  return true;
}

/* Nothing that isn't text: a script may come from anywhere, and parts of it are printed. */
static bool
is_clean(struct cut *cut) {
  if (cut->end - cut->start > LINE_LENGTH_MAX)
    return refuse(cut, cut->start + LINE_LENGTH_MAX, "the line is longer than 2000 bytes");
  for (const char *at = cut->start; at < cut->end; at++)
    if (((unsigned char)*at < ' ' && *at != '\t') || *at == 0x7f)
      return refuse(cut, at, "a control character");
  return true;
}

bool
words_cut(const char *text, size_t len, struct line *line, unsigned *column, const char **problem) {
  if (len > 0 && text[len - 1] == '\r')
    len--;
  struct cut cut = { text, text, text + len, line->store, 0, NULL };
  line->n = 0;
  bool ok = is_clean(&cut);
  while (ok) {
    while (cut.at < cut.end && (*cut.at == ' ' || *cut.at == '\t'))
      cut.at++;
    if (cut.at == cut.end || *cut.at == '#')
      break;
    ok = line->n < WORDS_MAX ? cut_word(&cut, &line->word[line->n++])
                             : refuse(&cut, cut.at, "too many words");
  }
  *column = cut.column;
  *problem = cut.problem;
  return ok;
}

/* ---- Numbers and texts --------------------------------------------------------------------- */

/* One term; *text moves behind it. */
static bool
size_term(const char **text, uint64_t page_size, uint64_t *out) {
  uint64_t value = 0, unit = 1;
  if (**text < '0' || **text > '9')
    return false;
  for (; **text >= '0' && **text <= '9'; ++*text) {
    value = value * 10 + (uint64_t)(**text - '0');
    if (value > (uint64_t)1 << 40)
      return false;
  }
  if (**text == 'p')
    unit = page_size;
  else if (**text == 'k')
    unit = 1024;
  else if (**text == 'm')
    unit = (uint64_t)1024 * 1024;
  *text += unit > 1;
  *out = value * unit; /* at most 2^60 */
  return *out <= (uint64_t)1 << 40;
}

bool
words_size(const char *text, uint64_t page_size, uint64_t *out) {
  uint64_t sum = 0, term;
  char sign = '+';
  for (;;) {
    if (!size_term(&text, page_size, &term) || (sign == '-' && term > sum))
      return false;
    sum = sign == '+' ? sum + term : sum - term;
    if (*text == '\0')
      break;
    sign = *text++;
    if (sign != '+' && sign != '-')
      return false;
  }
  *out = sum;
  return sum <= (uint64_t)1 << 40;
}

char *
words_quote(const char *bytes, size_t len, size_t max) {
  static const char digits[] = "0123456789abcdef";
  size_t shown = len < max ? len : max;
  char *out = need(malloc(4 * shown + 6)), *to = out;
  *to++ = '"';
  for (size_t i = 0; i < shown; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c == '"' || c == '\\') {
      *to++ = '\\';
      *to++ = (char)c;
    } else if (c >= ' ' && c < 0x7f) {
      *to++ = (char)c;
    } else if (c == '\0' || c == '\n' || c == '\t') {
      *to++ = '\\';
      *to++ = "0nt"[c == '\n' ? 1 : c == '\t' ? 2 : 0];
    } else {
      *to++ = '\\';
      *to++ = 'x';
      *to++ = digits[c >> 4];
      *to++ = digits[c & 15];
    }
  }
  *to++ = '"';
  *to = '\0';
  if (shown < len)
    memcpy(to, "...", 4);
  return out;
}
