// The CPU's table, without a store around it, for the same keys. Compiled by the C++ compiler.
#ifndef HOTROW_BENCH_GPU_CPU_TABLE_H_
#define HOTROW_BENCH_GPU_CPU_TABLE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace hotrow::bench {

/// Calls end the program when they fail.
class CpuTable {
 public:
  CpuTable(uint32_t dim, uint64_t rows, uint32_t threads);
  ~CpuTable();
  CpuTable(const CpuTable&) = delete;
  CpuTable& operator=(const CpuTable&) = delete;

  /// rows [n, dim] of distinct keys [n], by all threads.
  void put(std::span<const uint64_t> keys, const float* rows);
  /// out [n, dim], one call that the table splits over its threads.
  void lookup(std::span<const uint64_t> keys, float* out);
  /// The same, by calls of a few thousand keys on so many threads.
  void lookup_by_callers(std::span<const uint64_t> keys, float* out);
  /// By one thread.
  void lookup_alone(std::span<const uint64_t> keys, float* out);
  /// Runs work(part) for every part, on all threads.
  void run(uint32_t parts, const std::function<void(uint32_t)>& work);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_GPU_CPU_TABLE_H_
