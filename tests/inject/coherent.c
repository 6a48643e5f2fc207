/* coherent.c - writes through the shim that end too late: their process was stopped between the write and
 * its end, others took the page over and stored.  What was stored stays, and what was written is seen.
 */
#include "held.h"

#include "api/shim.h"

enum { PAGES = 8, PAGE = 3, LEN = 100 };

static char path[T_PATH];
static unsigned char *p;
static int fd;

static void
write_through_the_shim(off_t offset, char byte) {
  struct shim_op op;
  char bytes[LEN];
  struct iovec iov = { bytes, LEN };
  memset(bytes, byte, LEN);
  T_CHECK(shim_write_begin(&op, fd, (uint64_t)offset, LEN));
  ssize_t put = pwrite(fd, bytes, LEN, offset);
  shim_write_end(&op, &iov, 1, (uint64_t)offset, put);
  T_EQ(put, LEN);
}

struct case_of {
  uint32_t held_read;  /* which read of the file the process is held before; 0: held_write counts */
  uint32_t held_write; /* which write into the data */
  bool is_first;       /* the first write of the process, which a keeper ends */
  bool reads;          /* its descriptor can be read: else a keeper ends all */
};

/* In a child: the write that is held. */
static void
write_late(void *arg) {
  const struct case_of *row = arg;
  struct inject_rule rule = { .call = row->held_read ? HOST_CALL_read : HOST_CALL_write,
                              .nth = row->held_read ? row->held_read : row->held_write,
                              .times = 1,
                              .hold = 1 };

  if (!row->reads)
    fd = t_open(path, O_WRONLY);
  if (!row->is_first)
    write_through_the_shim((off_t)t_pages(PAGE), 'v');
  held_begin(&rule);
  write_through_the_shim((off_t)t_pages(PAGE), 'w');
  held_end();
  T_EQ(GET(p + t_pages(PAGE)), 'w');
  T_EQ(GET(p + t_pages(PAGE) + LEN - 1), 'w');
  T_EQ(GET(p + t_pages(PAGE) + LEN), 's');
  T_EQ(GET(p + t_pages(PAGE) + 1), 's');
}

static void
late(struct case_of row) {
  pid_t pid;

  T_ON_FAULT(); /* other trackers have the page open: nothing is read */
  p = T_MAP_NEW(path, &fd, PAGES);
  pid = T_HELD_CHILD(write_late, &row);
  /* Takes over; what the other has written is in the file by now. */
  PUT(p + t_pages(PAGE) + 1, 's');
  PUT(p + t_pages(PAGE) + LEN, 's');
  T_HELD_CHILD_GOES_ON(pid);
  T_EQ(GET(p + t_pages(PAGE)), 'w');
  T_EQ(GET(p + t_pages(PAGE) + 1), 's');
  T_EQ(GET(p + t_pages(PAGE) + LEN), 's');
  T_OK(msync(p, t_pages(PAGES), MS_SYNC));
  T_FILE_EQUALS(fd, (off_t)t_pages(PAGE), "ws", 2);
  T_FILE_BYTE(fd, (off_t)t_pages(PAGE) + LEN, 's');
  T_OK(munmap(p, t_pages(PAGES)));
}

static void
held_before_it_reads_by_itself(void) {
  late((struct case_of){ .held_read = 1, .reads = true });
}

static void
held_before_a_keeper_reads(void) {
  late((struct case_of){ .held_read = 1, .is_first = true, .reads = true });
}

static void
held_before_a_keeper_writes_the_data(void) {
  /* The first write is that of its fence. */
  late((struct case_of){ .held_write = 2, .is_first = true, .reads = true });
}

static void
held_where_its_descriptor_cannot_be_read(void) {
  late((struct case_of){ .held_write = 1 });
}

/* Its number is another file's when the write ends: none of that file's bytes get into the mapping. */
static void
descriptor_that_became_another_files(void) {
  struct shim_op op;
  char byte = 'w';
  struct iovec iov = { &byte, 1 };
  fd = t_tmpfile(NULL, (off_t)t_pages(PAGES));
  int other = t_tmpfile(NULL, (off_t)t_pages(PAGES)), same = dup(fd);
  T_PWRITE(other, 0, t_pages(PAGES), 'o');
  p = T_MAP(NULL, t_pages(PAGES), RW, MAP_SHARED, fd, 0);
  write_through_the_shim((off_t)t_pages(1), 'v');
  T_CHECK(shim_write_begin(&op, fd, t_pages(PAGE), 1));
  T_EQ(pwrite(same, &byte, 1, (off_t)t_pages(PAGE)), 1);
  T_EQ(dup2(other, fd), fd);
  shim_write_end(&op, &iov, 1, t_pages(PAGE), 1);
  T_EQ(GET(p + t_pages(PAGE)), 'w');
  T_MEM_OLD(p + t_pages(PAGE) + 1, t_page_size() - 1, (off_t)t_pages(PAGE) + 1);
  T_OK(munmap(p, t_pages(PAGES)));
}

static const struct t_case cases[] = {
  T_CASE(held_before_it_reads_by_itself),       T_CASE(held_before_a_keeper_reads),
  T_CASE(held_before_a_keeper_writes_the_data), T_CASE(held_where_its_descriptor_cannot_be_read),
  T_CASE(descriptor_that_became_another_files),
};

T_MAIN(cases)
