// hotrow-gpu-probe LIBRARY DEVICE: tries a GPU library in a process of its own, because a driver
// that is broken may hang or crash whoever asks it. The last line on stdout is "ok", or why not.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "store/load_tier.h"

namespace hotrow {

namespace {

/// Makes a small cache and asks it for a row: the device takes our code.
std::string try_device(const TierApi& api, uint32_t device) {
  TierDevice found = {};
  if (const char* const why = api.describe(device, &found); why != nullptr) return why;
  const TierSpec spec{.device = device,
                      .value_type = ValueType::kF32,
                      .rounding = Rounding::kNearest,
                      .optimizer = OptimizerKind::kSgd,
                      .policy = TierPolicy::kLru,
                      .dim = 4,
                      .state_values = 0,
                      .bytes = uint64_t{16} << 20};
  TierCache* cache = nullptr;
  if (const char* const why = api.create(&spec, &cache); why != nullptr) return why;
  const uint64_t key = 1;
  uint32_t position = 0;
  TierMisses misses{.positions = &position, .count = 0};
  const char* const why = api.find(cache, &key, 1, &misses);
  std::string reason = why == nullptr ? "" : why;
  if (reason.empty() && misses.count != 1) reason = "an empty cache has answered a key";
  api.destroy(cache);
  return reason;
}

std::string probe(const char* library, const char* device) {
  char* end = nullptr;
  errno = 0;
  const unsigned long number = std::strtoul(device, &end, 10);
  if (errno != 0 || end == device || *end != '\0' || number > UINT32_MAX) {
    return "the device is no number: " + std::string(device);
  }
  const TierApi* api = nullptr;
  const std::string reason = load_tier(library, api);
  return api == nullptr ? reason : try_device(*api, static_cast<uint32_t>(number));
}

}  // namespace

}  // namespace hotrow

int main(int count, char** arguments) {
  if (count != 3) {
    (void)std::fputs("usage: hotrow-gpu-probe LIBRARY DEVICE\n", stderr);
    return 2;
  }
  std::string reason = hotrow::probe(arguments[1], arguments[2]);
  // The last line is the answer: whatever else was written may have ended without one.
  for (char& each : reason) each = each == '\n' ? ' ' : each;
  (void)std::printf("\n%s\n", reason.empty() ? "ok" : reason.c_str());
  return 0;
}
