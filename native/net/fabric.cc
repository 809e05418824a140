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

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char each : bytes) {
    text += kDigits[static_cast<uint8_t>(each) >> 4];
    text += kDigits[static_cast<uint8_t>(each) & 15];
  }
  return text;
}

std::string from_hex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string bytes;
  if (text.size() % 2 != 0) return {};
  for (size_t i = 0; i < text.size(); i += 2) {
    const size_t high = kDigits.find(text[i]);
    const size_t low = kDigits.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return {};
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

}  // namespace hotrow::net
