/* host_errors.c - the table, and how it is gone through. */
#include "host_errors.h"

const int host_errors[HOST_CALL_COUNT][HOST_ERRORS_MAX] = {
  [HOST_CALL_map] = { ENOMEM, EAGAIN },
  [HOST_CALL_unmap] = { ENOMEM },
  [HOST_CALL_protect] = { ENOMEM },
  [HOST_CALL_remap] = { ENOMEM, EAGAIN },
  [HOST_CALL_advise] = { EAGAIN, ENOMEM },
  [HOST_CALL_sync_memory] = { EIO, EBUSY },
  [HOST_CALL_resident] = { EAGAIN, ENOMEM },
  [HOST_CALL_lock_memory] = { ENOMEM, EAGAIN, EPERM },
  [HOST_CALL_unlock_memory] = { ENOMEM },
  [HOST_CALL_open] = { EMFILE, ENFILE, ENOSPC, EACCES },
  [HOST_CALL_reopen] = { EMFILE, EACCES },
  [HOST_CALL_close] = { EIO },
  [HOST_CALL_stat_fd] = { EIO, ENOMEM },
  [HOST_CALL_stat_path] = { EIO, EACCES },
  [HOST_CALL_open_flags] = { EIO },
  [HOST_CALL_read] = { EIO, SHORT },
  [HOST_CALL_write] = { ENOSPC, EIO, EDQUOT, SHORT },
  [HOST_CALL_resize] = { ENOSPC, EFBIG, EIO },
  [HOST_CALL_flush] = { EIO, ENOSPC, EDQUOT },
  [HOST_CALL_punch] = { EOPNOTSUPP, ENOSPC, EIO },
  [HOST_CALL_next_data] = { EIO },
  [HOST_CALL_make_dir] = { ENOSPC, EACCES, EDQUOT },
  [HOST_CALL_remove_dir] = { EIO, EACCES },
  [HOST_CALL_list] = { EIO, ENOMEM },
  [HOST_CALL_rename] = { ENOSPC, EIO },
  [HOST_CALL_unlink] = { EIO, EACCES },
  [HOST_CALL_path_of] = { EACCES, ENOMEM },
  [HOST_CALL_byte_lock] = { ENOLCK, EIO },
  [HOST_CALL_byte_share] = { ENOLCK },
  [HOST_CALL_set_mode] = { EPERM },
  [HOST_CALL_byte_unlock] = { ENOLCK },
  [HOST_CALL_byte_is_locked] = { ENOLCK, EIO },
  [HOST_CALL_channel] = { EMFILE, ENFILE },
  [HOST_CALL_send_fds] = { EAGAIN, ENOMEM },
  [HOST_CALL_receive_fds] = { EMFILE, ENODATA },
  [HOST_CALL_inbox_post] = { EAGAIN, ENOMEM, ECONNREFUSED },
  [HOST_CALL_inbox_take] = { EMFILE, ENODATA },
  [HOST_CALL_robust_locks] = { EACCES },
  [HOST_CALL_identity] = { EACCES },
  [HOST_CALL_signal_action] = { EINVAL },
  [HOST_CALL_copy_memory] = { EOPNOTSUPP, ENOMEM },
  [HOST_CALL_copy_from] = { EFAULT },
  [HOST_CALL_table_leave] = { EPERM },
  [HOST_CALL_inbox] = { EMFILE },
  [HOST_CALL_thread_start] = { EAGAIN },
  [HOST_CALL_watch_fork] = { ENOMEM },
  [HOST_CALL_flush_names] = { EIO },
  [HOST_CALL_watch_open] = { EMFILE, EOPNOTSUPP },
  [HOST_CALL_watch_add] = { ENOMEM },
  [HOST_CALL_watch_begin] = { ENOMEM },
  [HOST_CALL_watch_scan] = { ENOMEM },
  [HOST_CALL_alloc] = { ENOMEM },
};

struct inject_rule
host_fault_rule(const struct host_fault *fault) {
  return (struct inject_rule){ .call = fault->site,
                               .nth = fault->nth,
                               .times = fault->persistently ? UINT32_MAX : 1,
                               .error = fault->error == SHORT ? 0 : fault->error,
                               .shorten = fault->error == SHORT ? 100 : 0 };
}

const char *
host_fault_text(const struct host_fault *fault, char text[HOST_FAULT_TEXT]) {
  (void)snprintf(text, HOST_FAULT_TEXT, "%s %s, call %u, %s %d",
                 fault->persistently ? "from" : "at", inject_name(fault->site), fault->nth,
                 fault->error == SHORT ? "short" : "errno", fault->error);
  return text;
}

void
host_count_calls(uint32_t counts[HOST_CALL_COUNT]) {
  for (int site = 0; site < HOST_CALL_COUNT; site++)
    counts[site] = inject_calls((enum host_call)site);
}

void
host_faults_try(const uint32_t counts[HOST_CALL_COUNT], uint32_t most, uint32_t in_full,
                void (*try_fault)(const struct host_fault *fault, void *arg), void *arg) {
  for (int site = 0; site < HOST_CALL_COUNT; site++)
    for (uint32_t nth = 1; nth <= counts[site] && nth <= most; nth++) {
      bool is_full = nth <= in_full;

      for (size_t i = 0; i < (is_full ? HOST_ERRORS_MAX : 1) && host_errors[site][i] != 0; i++) {
        struct host_fault fault = { (enum host_call)site, nth, host_errors[site][i], false };

        try_fault(&fault, arg);
        fault.persistently = true;
        if (is_full)
          try_fault(&fault, arg);
      }
    }
}
