// Learns one number per key: the rows of three items are pulled towards 1, 2 and 3.
// Uses the public headers only; every call returns a Status or a Result.
#include <array>
#include <cmath>
#include <cstdio>
#include <memory>

#include "hotrow/keys.h"
#include "hotrow/store.h"

namespace {

hotrow::Status train() {
  auto store = hotrow::Store::open(":memory:", {});
  if (!store.ok()) return store.status();

  hotrow::TableOptions options{.dim = 1};
  options.optimizer.kind = hotrow::OptimizerKind::kAdagrad;
  options.optimizer.learning_rate = 0.5F;
  auto items = store.value()->table("item", options);
  if (!items.ok()) return items.status();

  const std::array<uint64_t, 3> keys = {hotrow::hash_key("shoes"), hotrow::hash_key("hat"), 42};
  const std::array<float, 3> targets = {1, 2, 3};
  std::array<float, 3> rows = {};
  std::array<float, 3> gradients = {};
  for (int step = 0; step < 200; ++step) {
    HOTROW_RETURN_IF_ERROR(items.value()->lookup(keys, rows));
    for (size_t i = 0; i < keys.size(); ++i) gradients[i] = rows[i] - targets[i];
    HOTROW_RETURN_IF_ERROR(items.value()->push(keys, gradients));
  }
  HOTROW_RETURN_IF_ERROR(items.value()->lookup(keys, rows));
  for (size_t i = 0; i < keys.size(); ++i) {
    std::printf("key %016llx  target %.0f  row %.4f\n", static_cast<unsigned long long>(keys[i]),
                targets[i], rows[i]);
    if (std::fabs(rows[i] - targets[i]) > 0.01F) {
      return {hotrow::StatusCode::kInternal, "a row did not reach its target"};
    }
  }
  return {};
}

}  // namespace

int main() {
  const hotrow::Status status = train();
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}
