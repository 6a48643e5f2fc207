/* broken.c - which broken engine was chosen; empty unless SOFTMAP_LAB is defined. */
#include "core/broken.h"

#ifdef SOFTMAP_LAB
enum broken broken_engine;
void (*lab_midway_hook)(void);
#endif
