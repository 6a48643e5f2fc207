/* bits.c - waiting for page bits.  They are held for a few system calls at most, by threads of
 * this process whose signals are blocked; still, the holder may have to be let run. */
#include "section/section.h"

static void
bit_take(page_byte *lane) {
  for (unsigned tries = 0; !page_bit_try(lane); tries++) {
    if (tries < 64)
      host_yield();
    else
      host_nap(50000); /* a holder of lower priority never runs while we only yield */
  }
}

void
section_bits_take(struct section *section, uint64_t first, uint64_t n) {
  for (uint64_t page = first; page < first + n; page++)
    bit_take(section_lane(section, page));
}

void
section_bits_drop(struct section *section, uint64_t first, uint64_t n) {
  for (uint64_t page = first; page < first + n; page++)
    page_bit_drop(section_lane(section, page));
}
