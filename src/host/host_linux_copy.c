/* host_linux_copy.c - copying memory of this process where a load or a store might raise a signal:
 * by the kernel, which stops short instead. */
#include "host/host_linux.h"

#include <sys/uio.h>

#include "host/host.h"
#include "host/inject.h"

int
host_copy_memory(const struct iovec *to, int nto, const struct iovec *from, int nfrom,
                 size_t *done) {
  int error = inject_before(HOST_CALL_copy_memory);
  if (error != 0)
    return error;
  long result = raw6(SYS_process_vm_readv, raw0(SYS_getpid), to, nto, from, nfrom, 0);
  error = raw_error(result);
  if (error == EFAULT) {
    error = 0;
    result = 0;
  }
  if (error == 0)
    *done = (size_t)result;
  else if (error == ENOSYS || error == EPERM)
    error = EOPNOTSUPP; /* a kernel or a sandbox without it */
  inject_after(HOST_CALL_copy_memory);
  return error;
}
