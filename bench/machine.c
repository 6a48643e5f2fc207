/* machine.c - what the machine is: figures mean nothing without it. */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <softmap/softmap.h>

static struct {
  char cpus[16], cpu[96], kernel[160], dir[64], memory[64], page[16], rounds[16];
} text;

static const char *facts[][2] = {
  { "softmap", NULL },
  { "cpus", text.cpus },
  { "cpu", text.cpu },
  { "kernel", text.kernel },
  { "page size", text.page },
  { "--dir is on", text.dir },
  { "memory is on", text.memory },
  { "rounds", text.rounds },
};

static const struct {
  unsigned long magic;
  const char *name;
} file_systems[] = {
  { 0xef53, "ext4" },      { 0x01021994, "tmpfs" },     { 0x58465342, "xfs" },
  { 0x9123683e, "btrfs" }, { 0x794c7630, "overlayfs" }, { 0x6969, "nfs" },
  { 0x65735546, "fuse" },  { 0xf2f52010, "f2fs" },      { 0x2fc12fc1, "zfs" },
};

static void
file_system_of(const char *dir, char *out, size_t size) {
  struct statfs stat;
  if (statfs(dir, &stat) != 0)
    die(dir);
  unsigned long magic = (unsigned long)stat.f_type & 0xffffffffUL;
  for (size_t i = 0; i < sizeof file_systems / sizeof *file_systems; i++)
    if (file_systems[i].magic == magic) {
      snprintf(out, size, "%s", file_systems[i].name);
      return;
    }
  snprintf(out, size, "0x%lx", magic);
}

static void
cpu_name(char *out, size_t size) {
  char line[256];
  snprintf(out, size, "unknown");
  FILE *info = fopen("/proc/cpuinfo", "re");
  if (!info)
    return;
  while (fgets(line, sizeof line, info)) {
    char *colon = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || !colon)
      continue;
    line[strcspn(line, "\n")] = '\0';
    snprintf(out, size, "%s", colon + 2);
    break;
  }
  fclose(info);
}

void
machine_start(void) {
  struct utsname name;
  facts[0][1] = softmap_version();
  snprintf(text.cpus, sizeof text.cpus, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
  cpu_name(text.cpu, sizeof text.cpu);
  if (uname(&name) == 0)
    snprintf(text.kernel, sizeof text.kernel, "%.40s %.70s %.40s", name.sysname, name.release,
             name.machine);
  snprintf(text.page, sizeof text.page, "%zu", page_size());
  file_system_of(options.dir, text.dir, sizeof text.dir);
  file_system_of(options.memory, text.memory, sizeof text.memory);
  snprintf(text.rounds, sizeof text.rounds, "%d", options.rounds);
}

size_t
machine_facts(const char *(**names)[2]) {
  *names = facts;
  return sizeof facts / sizeof *facts;
}
