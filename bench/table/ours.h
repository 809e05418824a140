// hotrow's own side, through the public C++ API only: the calls a user makes.
#ifndef HOTROW_BENCH_TABLE_OURS_H_
#define HOTROW_BENCH_TABLE_OURS_H_

#include <cstdint>
#include <memory>

#include "hotrow/store.h"
#include "workload.h"

namespace hotrow::bench {

/// One store with one table. Calls end the program with the status's message when they fail.
class Ours {
 public:
  struct Shape {
    uint32_t dim = 0;
    OptimizerOptions optimizer;
    uint64_t memory_bytes = 0;
    ValueType value_type = ValueType::kF32;
  };

  /// The store may use one thread: benchmark threads call the table themselves.
  explicit Ours(const Shape& shape);
  ~Ours() { store_->close(); }
  Ours(const Ours&) = delete;
  Ours& operator=(const Ours&) = delete;

  /// Assigns rows 0 … rows - 1 with fill_values().
  void load(uint64_t rows);

  void lookup(KeyBatch keys, float* out) const;
  void push(KeyBatch keys, const float* gradients) const;
  void update(KeyBatch keys, const float* rows) const;
  TableStats stats() const;

 private:
  uint32_t dim_;
  std::shared_ptr<Store> store_;
  std::shared_ptr<Table> table_;
};

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_TABLE_OURS_H_
