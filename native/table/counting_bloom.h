#pragma once
// stub until merge
#include <memory>
#include "hotrow/status.h"
#include "memory/budget.h"
namespace hotrow {
class CountingBloom {
 public:
  static Result<std::unique_ptr<CountingBloom>> create(uint64_t, MemoryBudget&) { return std::make_unique<CountingBloom>(); }
  uint32_t add(uint64_t, uint32_t) { return 0; }
  uint32_t estimate(uint64_t) const { return 0; }
  void decay(float) {}
  uint64_t memory_bytes() const { return 0; }
};
}
