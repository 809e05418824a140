// HeldPushes: gradients of ClockMode::kBulk, from their push until their step is decided; then the
// one push that they become.
//
// That push has, of each table, the batches of the step's workers one after the other, in the order
// of their indices, and of one worker in the order in which it pushed them. A push sums the
// gradients of equal keys in the order of its batch, so the bits do not depend on who came first.
// Gradients of dense parameters are summed here in the same order.
//
// Threads: one at a time, but for apply(), which touches what it was given only.
#ifndef HOTROW_SERVER_HELD_PUSHES_H_
#define HOTROW_SERVER_HELD_PUSHES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hotrow/store.h"

namespace hotrow::server {

/// One push, with copies of its arrays.
struct HeldPush {
  struct OfTable {
    std::shared_ptr<Table> table;
    std::vector<uint64_t> keys;
    std::vector<float> gradients;
    PushOptions options;
  };
  struct OfDense {
    std::shared_ptr<Dense> dense;
    std::vector<float> gradient;
    PushOptions options;
  };
  std::vector<OfTable> tables;
  std::vector<OfDense> dense;

  /// What is wrong with it, as a push at once would say it, so that it is its worker's error and
  /// not everybody's. Sums that are not finite are seen only when the step is applied.
  Status check() const;
  uint64_t bytes() const;
  /// Of a push of one table, before it is made.
  static uint64_t bytes_of_table(uint64_t keys, uint64_t dim);
};

class HeldPushes {
 public:
  /// Pushes of a step that is applied. Their bytes count until release().
  struct Taken {
    std::vector<HeldPush> pushes;
    uint64_t bytes = 0;
  };

  explicit HeldPushes(uint64_t most_bytes) : most_bytes_(most_bytes) {}

  /// ERR_CAPACITY: there is no room for a push of so many bytes.
  Status room(uint64_t bytes) const;

  /// ERR_CAPACITY beyond the bound; ERR_CONFLICT when another push of the step gave a table another
  /// learning rate. The push is as it was then.
  Status hold(const std::string& id, uint32_t worker, HeldPush&& push);
  /// Of a worker that is in the step no more.
  void drop(const std::string& id, uint32_t worker);
  void drop(const std::string& id);
  /// The members' pushes in the order in which they are summed; the others' are dropped.
  void take(const std::string& id, const std::vector<uint32_t>& members, Taken& taken);
  /// What was taken is no more.
  void release(uint64_t bytes) { bytes_ -= bytes; }

  /// What is being applied too.
  uint64_t bytes() const { return bytes_; }
  uint64_t bytes(const std::string& id) const;

  /// Applies them as one push: all of it or none, but for what somebody drops meanwhile. All of its
  /// tables; then dense parameters, one by one, which were looked at before.
  static Status apply(Store& store, std::vector<HeldPush> pushes);

 private:
  /// What each parameter of a step is pushed with, by its address.
  using Rates = std::map<const void*, PushOptions>;
  struct OfGroup {
    std::map<uint32_t, std::vector<HeldPush>> workers;
    Rates rates;
  };

  static HeldPush merged(std::vector<HeldPush> pushes);
  static Status add_rates(Rates& rates, const HeldPush& push);
  void forget(const std::vector<HeldPush>& pushes);

  const uint64_t most_bytes_;
  uint64_t bytes_ = 0;
  std::map<std::string, OfGroup> groups_;  // by id
};

}  // namespace hotrow::server

#endif  // HOTROW_SERVER_HELD_PUSHES_H_
