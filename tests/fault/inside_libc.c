/* inside_libc.c - faults in the middle of the C library, some of them while it holds its locks. */
#include "t_engine.h"

#include <pthread.h>

static unsigned char *p;
static int fd;
static FILE *file;

static void
begin(void) {
  T_OK(softmap_configure("fill", "touch"));
  p = T_MAP_NEW(NULL, &fd, 8);
  file = tmpfile();
  T_CHECK(file != NULL);
}

/* Copied from the stream's buffer into the mapping. */
static void
store_while_the_stream_is_locked(void) {
  char *across;

  begin();
  across = (char *)p + t_pages(1) - 3;
  T_CHECK(fputs("hello\nworld\n", file) >= 0);
  rewind(file);
  T_CHECK(fgets(across, 20, file) == across);
  T_EQ(fread(across + t_pages(2), 1, 5, file), 5);
  T_OK(msync(p, t_pages(8), MS_SYNC));
  T_FILE_EQUALS(fd, (off_t)t_pages(1) - 3, "hello\n", 6);
  T_FILE_EQUALS(fd, (off_t)t_pages(3) - 3, "world", 5);
}

static void
load_while_the_stream_is_locked(void) {
  const char *across;
  char got[20] = "";

  begin();
  across = (const char *)p + t_pages(5) - 8; /* not filled yet */
  T_EQ(fprintf(file, "%.16s", across), 16);
  rewind(file);
  T_EQ(fread(got, 1, 16, file), 16);
  T_FILE_EQUALS(fd, (off_t)t_pages(5) - 8, got, 16);
  T_NDIRTY(p, 8, 0);
}

static int
order(const void *a, const void *b) {
  return *(const unsigned char *)a - *(const unsigned char *)b;
}

static void *
sort_and_copy(void *arg) {
  char *copy;

  qsort(p + t_pages(6) - 50, 100, 1, order);
  copy = strndup((const char *)p + t_pages(7) - 8, 16);
  T_CHECK(copy != NULL && strlen(copy) == 16);
  free(copy);
  (void)snprintf((char *)p, 100, "%099d", 5);
  return arg;
}

static void
other_functions(void) {
  pthread_t thread;

  begin();
  T_EQ(pthread_create(&thread, NULL, sort_and_copy, NULL), 0);
  T_EQ(pthread_join(thread, NULL), 0);
  for (size_t i = 1; i < 100; i++)
    T_CHECK(p[t_pages(6) - 50 + i - 1] <= p[t_pages(6) - 50 + i]);
  T_OK(msync(p, t_pages(8), MS_SYNC));
  T_FILE_ALL(fd, 0, 98, '0');
  T_FILE_BYTE(fd, 98, '5');
}

static const struct t_case cases[] = {
  T_CASE(store_while_the_stream_is_locked),
  T_CASE(load_while_the_stream_is_locked),
  T_CASE(other_functions),
};
T_MAIN(cases)
