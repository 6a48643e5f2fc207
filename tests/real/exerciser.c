/* exerciser.c - random operations on files and their mappings, in several processes, and a digest of all
 * that they gave.
 *
 *   exerciser SEED COUNT
 *
 * The digest must be the same wherever it runs: the kernel's own mmap is the oracle.  In the
 * environment, EXERCISER_WITHOUT has names of operations to leave out, with commas, and from operation
 * number EXERCISER_TRACE on each gets a line on standard error, to find out where two runs part. */
#include "exerciser.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name;
  operation *run;
  unsigned weight;
} operations[] = {
  { "load", op_load, 140 },
  { "store", op_store, 160 },
  { "fill", op_fill, 40 },
  { "map", op_map, 60 },
  { "unmap", op_unmap, 20 },
  { "unmap_part", op_unmap_part, 10 },
  { "remap", op_remap, 15 },
  { "protect", op_protect, 15 },
  { "advise", op_advise, 10 },
  { "sync", op_sync, 50 },
  { "write_from_map", op_write_from_map, 20 },
  { "read_into_map", op_read_into_map, 20 },
  { "pread", op_pread, 70 },
  { "read", op_read, 30 },
  { "readv", op_readv, 10 },
  { "stdio_read", op_stdio_read, 15 },
  { "pwrite", op_pwrite, 70 },
  { "write", op_write, 20 },
  { "writev", op_writev, 10 },
  { "append", op_append, 20 },
  { "stdio_write", op_stdio_write, 15 },
  { "copy_range", op_copy_range, 8 },
  { "sendfile", op_sendfile, 8 },
  { "seek", op_seek, 20 },
  { "ftruncate", op_ftruncate, 25 },
  { "truncate", op_truncate, 8 },
  { "open_trunc", op_open_trunc, 3 },
  { "fallocate", op_fallocate, 8 },
  { "fsync", op_fsync, 5 },
  { "reopen", op_reopen, 10 },
  { "fork", op_fork, 2 },
  { "peer", op_peer, 12 },
  { "kill_peer", op_kill_peer, 1 },
};
enum { NOPERATIONS = sizeof operations / sizeof *operations };
static const char *without = "";

static bool
is_left_out(const char *name) {
  size_t len = strlen(name);
  for (const char *at = without; (at = strstr(at, name)); at += len)
    if ((at == without || at[-1] == ',') && (at[len] == ',' || at[len] == '\0'))
      return true;
  return false;
}

static void
run_one(void) {
  unsigned sum = 0;
  for (size_t i = 0; i < NOPERATIONS; i++)
    sum += operations[i].weight;
  size_t dice = chance_below(sum), i = 0;
  while (dice >= operations[i].weight)
    dice -= operations[i++].weight;
  if (is_left_out(operations[i].name))
    return;
  record_op(operations[i].name);
  operations[i].run();
  for (int file = 0; file < FILES; file++)
    record_number("size", (int64_t)file_size(file));
}

void
run_operations(uint64_t n) {
  for (uint64_t i = 0; i < n; i++)
    run_one();
}

/* What the files hold in the end, asked through descriptors. */
static void
record_files(void) {
  for (int i = 0; i < 2 * FILES; i++) {
    record_op("pread");
    op_pread();
  }
}

int
main(int argc, char **argv) {
  char *left_out = getenv("EXERCISER_WITHOUT"), *trace = getenv("EXERCISER_TRACE");
  if (left_out)
    without = left_out;
  if (trace)
    record_trace(strtoull(trace, NULL, 10));
  if (argc == 2 && strcmp(argv[1], "peer") == 0)
    return peer_main();
  if (argc != 3) {
    (void)fputs("usage: exerciser SEED COUNT\n", stderr);
    return 99;
  }
  uint64_t count = strtoull(argv[2], NULL, 10), step = count < 20 ? 1 : count / 20;
  files_open();
  maps_catch_faults();
  peer_start();
  record_begin("");
  chance_seed(strtoull(argv[1], NULL, 10));
  for (uint64_t done = 0; done < count; done += step) {
    run_operations(step);
    record_files();
    (void)printf("%" PRIu64 " %016" PRIx64 "\n", done + step, record_digest());
    (void)fflush(stdout);
  }
  peer_end();
  maps_drop();
  files_close();
  return 0;
}
