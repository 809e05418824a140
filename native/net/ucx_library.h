// libucp as it is loaded: the functions of it that links call, and contexts.
//
// Loaded by itself it would take over the process: it puts handlers on SIGSEGV and others, rewrites
// the first instructions of mmap() and munmap(), and prints to standard output. Here it does none
// of that, by its own settings (ucx_library.cc). Variables UCX_* of the environment are read as
// ever, but for what the protocol depends on.
#ifndef HOTROW_NET_UCX_LIBRARY_H_
#define HOTROW_NET_UCX_LIBRARY_H_

#include <ucp/api/ucp.h>

#include "hotrow/status.h"
#include "hotrow/transport.h"

namespace hotrow::net {

struct UcxCalls {
  decltype(&::ucp_get_version) get_version;
  decltype(&::ucp_init_version) init_version;
  decltype(&::ucp_config_read) config_read;
  decltype(&::ucp_config_modify) config_modify;
  decltype(&::ucp_config_release) config_release;
  decltype(&::ucp_worker_create) worker_create;
  decltype(&::ucp_worker_destroy) worker_destroy;
  decltype(&::ucp_worker_get_address) worker_get_address;
  decltype(&::ucp_worker_release_address) worker_release_address;
  decltype(&::ucp_worker_get_efd) worker_get_efd;
  decltype(&::ucp_worker_arm) worker_arm;
  decltype(&::ucp_worker_progress) worker_progress;
  decltype(&::ucp_worker_set_am_recv_handler) worker_set_am_recv_handler;
  decltype(&::ucp_ep_create) ep_create;
  decltype(&::ucp_ep_close_nbx) ep_close_nbx;
  decltype(&::ucp_am_send_nbx) am_send_nbx;
  decltype(&::ucp_am_recv_data_nbx) am_recv_data_nbx;
  decltype(&::ucp_am_data_release) am_data_release;
  decltype(&::ucp_request_check_status) request_check_status;
  decltype(&::ucp_request_free) request_free;
  decltype(&::ucs_status_string) status_string;
};

/// Loaded by the first call. ERR_UNSUPPORTED, which says why there is none. Threads: any.
Result<const UcxCalls*> ucx_calls();

/// One of the process for each transport, made by the first call that can; stays. As ucx_calls().
Result<ucp_context_h> ucx_context(Transport transport);

}  // namespace hotrow::net

#endif  // HOTROW_NET_UCX_LIBRARY_H_
