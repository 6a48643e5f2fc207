/* signals.h - signals of the program. */
#ifndef PRELOAD_SIGNALS_H
#define PRELOAD_SIGNALS_H

void signals_begin(void);

#endif
