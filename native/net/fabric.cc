#include "net/fabric.h"

#ifdef HOTROW_UCX
#include "net/ucx_link.h"
#endif

namespace hotrow::net {

#ifdef HOTROW_UCX
Result<std::unique_ptr<FabricLink>> FabricLink::make(const Options& options) {
  const auto calls = ucx_calls();
  if (!calls.ok()) return calls.status();
  const auto context = ucx_context(options.transport);
  if (!context.ok()) return context.status();
  auto link = std::make_unique<UcxLink>(*calls.value(), options);
  HOTROW_RETURN_IF_ERROR(link->start(context.value()));
  return Result<std::unique_ptr<FabricLink>>(std::move(link));
}
#else
Result<std::unique_ptr<FabricLink>> FabricLink::make(const Options& /*options*/) {
  return Status(StatusCode::kUnsupported,
                "shared memory and RDMA need UCX: this build was made without its headers "
                "(Debian's libucx-dev)");
}
#endif

}  // namespace hotrow::net
