// What the figures share: keys, buffers, and the loops that keep requests under way.
#ifndef HOTROW_BENCH_NET_WORK_H_
#define HOTROW_BENCH_NET_WORK_H_

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "measure.h"
#include "ours.h"
#include "process.h"

namespace hotrow::bench {

inline constexpr uint32_t kDim = 64;  ///< rows of 256 bytes
inline constexpr size_t kUnderWay = 4;
/// A request of 1 MiB of such rows, as a connected table cuts its lookups.
inline constexpr size_t kRequestKeys = 4096;
inline constexpr size_t kCallKeys = kUnderWay * kRequestKeys;

/// Uniform keys of rows that are there, the same at each call.
std::vector<uint64_t> draw_keys(uint64_t rows, size_t n);

/// Calls `call(keys)` for each whole batch of `size` keys.
template <class Call>
void for_calls(std::span<const uint64_t> keys, size_t size, const Call& call) {
  for (size_t at = 0; at + size <= keys.size(); at += size) call(keys.subspan(at, size));
}

/// Requests of `size` keys each with four under way all the time; replies land in four places of
/// `rows` by turns. For RawClient and RedisClient.
template <class Client>
void keep_under_way(Client& client, std::span<const uint64_t> keys, size_t size,
                    std::span<float> rows) {
  const size_t requests = keys.size() / size;
  const size_t values = rows.size() / kUnderWay;
  for (size_t i = 0; i < requests + kUnderWay; ++i) {
    if (i >= kUnderWay) client.receive(rows.subspan(i % kUnderWay * values, values));
    if (i < requests) client.send(keys.subspan(i * size, size));
  }
}

/// Are these the rows 'number' of whom? Ends the program when not.
void check_rows(std::span<const uint64_t> numbers, std::span<const float> rows, uint32_t dim,
                const char* who);

/// Processor time of client and server while a contestant is at work: s a GB of rows, a call …
class CpuTime {
 public:
  CpuTime(std::string name, const Child& server, double units)
      : server_(server), units_(units), samples_{.name = std::move(name)} {}
  void start() { before_ = now(); }
  void stop() { samples_.values.push_back((now() - before_) / units_); }
  /// Of the rounds that count: the first is a warm-up.
  Samples samples() const;

 private:
  double now() const { return own_cpu_seconds() + server_.cpu_seconds(); }

  const Child& server_;
  const double units_;
  double before_ = 0;
  Samples samples_;
};

/// `work()` by one thread on so many keys, and the processor time of that.
template <class Work>
Contestant contestant(std::string name, size_t keys, Work work, CpuTime& time) {
  return {.name = std::move(name),
          .keys = keys,
          .work = [work](uint32_t) { work(); },
          .prepare = [&time] { time.start(); },
          .tidy_up = [&time] { time.stop(); }};
}

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_NET_WORK_H_
