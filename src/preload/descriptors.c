#include "preload/real.h"
EXPORT int close(int fd) { return REAL(close)(fd); }
