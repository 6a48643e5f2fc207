#include "preload/real.h"
EXPORT int sigaction(int s, const struct sigaction *n, struct sigaction *o) { return REAL(sigaction)(s, n, o); }
