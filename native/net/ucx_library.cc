// The order is what matters here; found out with UCX 1.13, and tested by
// Fabric.LeavesSignalsAndMemoryFunctionsAsTheyWere.
//
// - libucm rewrites mmap() when it is told its settings the first time, which libucs's constructor
//   does. So it is loaded alone first and told ours: events off. Afterwards libucs's constructor
//   tells it what it has read, which rewrites nothing any more; ours are set again.
// - libucs's constructor puts its signal handlers up. Those from before are put back.
// - libucm's settings are a structure of its inside, and are written before libucp is there to tell
//   its version: a libucm.so.0 with another structure than that of the build's headers would be
//   written wrongly. The soname is all that is
//   known of it by then.
// - Its log goes to standard output: off but for what ends the process.
#ifdef HOTROW_UCX
#include "net/ucx_library.h"

#include <dlfcn.h>
#include <ucm/api/ucm.h>
#include <ucs/config/global_opts.h>

#include <array>
#include <csignal>
#include <string>
#include <utility>

#include "base/sync.h"

namespace hotrow::net {

namespace {

Status without(const std::string& why) {
  return {StatusCode::kUnsupported, "shared memory and RDMA need UCX: " + why};
}

Status unloadable() {
  const char* const error = ::dlerror();
  return without(error == nullptr ? "it does not load" : error);
}

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

// All handlers of signals, put back at the end.
class KeptSignals {
 public:
  KeptSignals() {
    for (int i = 1; i < kSignals; ++i) known_[i] = ::sigaction(i, nullptr, &kept_[i]) == 0;
  }
  ~KeptSignals() {
    for (int i = 1; i < kSignals; ++i) {
      struct sigaction now{};
      if (!known_[i] || ::sigaction(i, nullptr, &now) != 0) continue;
      if (now.sa_sigaction != kept_[i].sa_sigaction) (void)::sigaction(i, &kept_[i], nullptr);
    }
  }
  KeptSignals(const KeptSignals&) = delete;
  KeptSignals& operator=(const KeptSignals&) = delete;

 private:
  static constexpr int kSignals = 32;  // those of real time it leaves alone
  std::array<struct sigaction, kSignals> kept_{};
  std::array<bool, kSignals> known_{};
};

Status quiet_memory(void* library) {
  ucm_global_config_t* options = nullptr;
  if (!find(library, "ucm_global_opts", options)) return unloadable();
  options->enable_events = 0;
  options->enable_malloc_hooks = 0;
  options->enable_malloc_reloc = 0;
  options->mmap_hook_mode = UCM_MMAP_HOOK_NONE;
  return {};
}

Status load_memory() {
  // Lazily: it refers to libucs, which comes after it.
  void* const library = ::dlopen("libucm.so.0", RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) return unloadable();
  HOTROW_RETURN_IF_ERROR(quiet_memory(library));
  decltype(&::ucm_set_global_opts) set = nullptr;
  ucm_global_config_t* options = nullptr;
  if (!find(library, "ucm_set_global_opts", set)) return unloadable();
  if (!find(library, "ucm_global_opts", options)) return unloadable();
  const ucm_global_config_t ours = *options;
  set(&ours);
  return {};
}

bool find_all(void* library, UcxCalls& calls) {
  return find(library, "ucp_get_version", calls.get_version) &&
         find(library, "ucp_init_version", calls.init_version) &&
         find(library, "ucp_config_read", calls.config_read) &&
         find(library, "ucp_config_modify", calls.config_modify) &&
         find(library, "ucp_config_release", calls.config_release) &&
         find(library, "ucp_worker_create", calls.worker_create) &&
         find(library, "ucp_worker_destroy", calls.worker_destroy) &&
         find(library, "ucp_worker_get_address", calls.worker_get_address) &&
         find(library, "ucp_worker_release_address", calls.worker_release_address) &&
         find(library, "ucp_worker_get_efd", calls.worker_get_efd) &&
         find(library, "ucp_worker_arm", calls.worker_arm) &&
         find(library, "ucp_worker_progress", calls.worker_progress) &&
         find(library, "ucp_worker_set_am_recv_handler", calls.worker_set_am_recv_handler) &&
         find(library, "ucp_ep_create", calls.ep_create) &&
         find(library, "ucp_ep_close_nbx", calls.ep_close_nbx) &&
         find(library, "ucp_am_send_nbx", calls.am_send_nbx) &&
         find(library, "ucp_am_recv_data_nbx", calls.am_recv_data_nbx) &&
         find(library, "ucp_am_data_release", calls.am_data_release) &&
         find(library, "ucp_request_check_status", calls.request_check_status) &&
         find(library, "ucp_request_free", calls.request_free) &&
         find(library, "ucs_status_string", calls.status_string);
}

Status load(UcxCalls& calls) {
  HOTROW_RETURN_IF_ERROR(load_memory());
  const KeptSignals kept;
  void* const library = ::dlopen("libucp.so.0", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return unloadable();
  HOTROW_RETURN_IF_ERROR(quiet_memory(library));
  if (!find_all(library, calls)) return unloadable();
  // What is set here are structures of its inside: of the version that this was built with only.
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  calls.get_version(&major, &minor, &release);
  if (major != UCP_API_MAJOR || minor != UCP_API_MINOR) {
    return without("version " + std::to_string(major) + "." + std::to_string(minor) +
                   " is there, this build knows " + std::to_string(UCP_API_MAJOR) + "." +
                   std::to_string(UCP_API_MINOR) + " only");
  }
  decltype(&::ucs_global_opts_set_value) set = nullptr;
  void (*disable_signals)() = nullptr;
  if (!find(library, "ucs_global_opts_set_value", set)) return unloadable();
  if (!find(library, "ucs_debug_disable_signals", disable_signals)) return unloadable();
  disable_signals();
  for (const auto& [name, value] : {std::pair("ERROR_SIGNALS", ""), std::pair("HANDLE_ERRORS", ""),
                                    std::pair("LOG_LEVEL", "fatal"),
                                    // Not those of GPUs, nor those that need memory hooks.
                                    std::pair("MODULES", "cma,ib")}) {
    if (set(name, value) != UCS_OK) return without(std::string("it has no setting ") + name);
  }
  return {};
}

using Setting = std::pair<const char*, const char*>;

// Each link has a worker of its own, for which UCX would register 60 MB: for thousands of messages
// from hundreds of peers. A link has one, which sends 64 pieces of 8 KiB before it waits.
constexpr std::array kRdmaSettings{
    Setting("IB_REG_METHODS", "direct"), Setting("RC_RX_QUEUE_LEN", "256"),
    Setting("RC_FC_WND_SIZE", "128"),    Setting("RC_TX_BUFS_GROW", "64"),
    Setting("UD_RX_QUEUE_LEN", "128"),   Setting("UD_TX_BUFS_GROW", "32"),
};

Result<ucp_context_h> make_context(const UcxCalls& calls, Transport transport) {
  ucp_config_t* config = nullptr;
  if (calls.config_read(nullptr, nullptr, &config) != UCS_OK) {
    return without("it cannot read its settings");
  }
  // Its own segments of System V would stay when a process is killed: not these. What is large is
  // fetched by whoever reads it, never put into a reader's memory by another process.
  const bool shm = transport == Transport::kShm;
  const auto modify = [&](const char* name, const char* value) {
    return calls.config_modify(config, name, value) == UCS_OK;
  };
  // The others against the user's environment: this protocol was tried with these only.
  bool set = modify("TLS", shm ? "posix,cma" : "rc,ud") && modify("RNDV_SCHEME", "get_zcopy") &&
             modify("PROTO_ENABLE", "n") && modify("UNIFIED_MODE", "n") &&
             modify("ADDRESS_VERSION", "v1");
  if (!shm) {
    for (const auto& [name, value] : kRdmaSettings) set = set && modify(name, value);
  }
  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_MT_WORKERS_SHARED;
  params.features = UCP_FEATURE_AM | UCP_FEATURE_WAKEUP;
  params.mt_workers_shared = 1;
  ucp_context_h context = nullptr;
  const ucs_status_t made =
      set ? calls.init_version(UCP_API_MAJOR, UCP_API_MINOR, &params, config, &context)
          : UCS_ERR_UNSUPPORTED;
  calls.config_release(config);
  if (made == UCS_OK) return context;
  return Status(StatusCode::kUnsupported,
                std::string(shm ? "UCX finds no shared memory that it can use: "
                                : "UCX finds no device for RDMA that it can use: ") +
                    calls.status_string(made));
}

}  // namespace

Result<const UcxCalls*> ucx_calls() {
  static UcxCalls calls;
  static const Status loaded = load(calls);
  if (!loaded.ok()) return loaded;
  return &std::as_const(calls);
}

Result<ucp_context_h> ucx_context(Transport transport) {
  const auto calls = ucx_calls();
  if (!calls.ok()) return calls.status();
  // One that cannot be made now, for want of memory say, may be later.
  static Mutex mutex;
  static std::array<ucp_context_h, 2> contexts{};
  const MutexLock lock(mutex);
  ucp_context_h& its = contexts[transport == Transport::kRdma ? 1 : 0];
  if (its == nullptr) {
    auto made = make_context(*calls.value(), transport);
    if (!made.ok()) return made;
    its = made.value();
  }
  return its;
}

}  // namespace hotrow::net
#endif  // HOTROW_UCX
