// RemoteTable: a Table whose rows are with servers.
//
// A lookup goes out in requests of about a megabyte of rows, several under way at once, whose rows
// come in where the caller wants them. With several servers, keys are cut by server first, and all
// servers work at once.
#ifndef HOTROW_CLIENT_REMOTE_TABLE_H_
#define HOTROW_CLIENT_REMOTE_TABLE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/sync.h"
#include "client/cluster.h"
#include "hotrow/store.h"

namespace hotrow::client {

/// A lookup's options as a request has them.
wire::CallOptions call_options(const LookupOptions& options);

/// The number that a server has for a table or dense parameter, asked for again after its restart.
class Numbers {
 public:
  struct Number {
    uint32_t number = 0;
    uint64_t generation = 0;  // of the server's process; 0: of none
  };

  Numbers(std::shared_ptr<Cluster> cluster, std::string call, std::string name)
      : cluster_(std::move(cluster)), call_(std::move(call)), name_(std::move(name)) {
    known_.resize(cluster_->size());
  }
  void set(size_t server, const Number& number) HOTROW_EXCLUDES(mutex_);
  /// Asked for where it is not known of the server's process as it is.
  Result<Number> of(size_t server, Deadline deadline) HOTROW_EXCLUDES(mutex_);

 private:
  const std::shared_ptr<Cluster> cluster_;
  const std::string call_;
  const std::string name_;
  Mutex mutex_;
  std::vector<Number> known_ HOTROW_GUARDED_BY(mutex_);
};

class RemoteTable final : public Table {
 public:
  /// `opened`: what each server has said.
  RemoteTable(std::shared_ptr<Cluster> cluster, const std::vector<wire::OpenedTable>& opened,
              const std::vector<uint64_t>& generations);

  const std::string& name() const override { return name_; }
  const TableOptions& options() const override { return options_; }
  uint64_t state_values() const override { return state_values_; }

  using Table::lookup;
  Status lookup(KeyBatch keys, RowBatch rows, const LookupOptions& options) override;
  Status lookup_state(KeyBatch keys, std::span<float> state, const LookupOptions& options) override;
  Status lookup_pooled(const BagBatch& bags, RowBatch out) override;
  Status push(KeyBatch keys, ConstRowBatch gradients, const PushOptions& options) override;
  Status push_pooled(const BagBatch& bags, ConstRowBatch bag_gradients,
                     const PushOptions& options) override;
  Status update(KeyBatch keys, ConstRowBatch rows, const UpdateOptions& options) override;
  Result<uint64_t> erase(KeyBatch keys) override;
  /// A server's GPU is its own business: no rows are held, as where there is none.
  Result<uint64_t> prefetch(KeyBatch keys) override;
  Status release_prefetched() override { return {}; }
  Status reserve(uint64_t rows) override;
  Result<uint64_t> evict(uint64_t rows) override;
  Result<uint64_t> shrink(const ShrinkOptions& options) override;
  Status decay(double factor) override;
  Result<uint64_t> set_scores(KeyBatch keys, std::span<const float> scores) override;
  Result<std::vector<EvictedKey>> take_evicted(size_t most) override;
  Result<ScanPage> scan(uint64_t from, size_t rows, const ScanOptions& options) override;
  Result<std::vector<HotKey>> hot_keys(size_t most) override;
  Result<TableStats> stats() override;

  Cluster& cluster() { return *cluster_; }
  Result<Numbers::Number> number(size_t server, Deadline deadline) {
    return numbers_.of(server, deadline);
  }

 private:
  struct Flight;

  Status look_up(wire::Verb verb, KeyBatch keys, std::span<float> out, size_t width,
                 const LookupOptions& options);
  Status look_up_once(wire::Verb verb, KeyBatch keys, std::span<float> out, size_t width,
                      const LookupOptions& options, Deadline deadline, bool& stale);
  Status pool_here(const BagBatch& bags, RowBatch out);
  Status push_spread(const BagBatch& bags, ConstRowBatch bag_gradients, const PushOptions& options);
  Status fly(std::vector<std::unique_ptr<Flight>>& flights, Deadline deadline, bool& stale);
  /// Sends what `fill(exchange, number, server's part)` adds to each server that has keys; the sum
  /// of what they count. With one server the part is empty: it has the whole batch.
  Result<ScanPage> scan_one(size_t server, uint64_t from, size_t rows, const ScanOptions& options);
  Result<ScanPage> scan_all(uint64_t from, size_t rows, const ScanOptions& options);
  template <class Fill>
  Result<uint64_t> change(wire::Verb verb, KeyBatch keys, const Fill& fill);
  template <class Fill>
  Result<uint64_t> change_once(wire::Verb verb, KeyBatch keys, const Fill& fill, Deadline deadline,
                               uint32_t clock, bool& stale);
  /// A call in text about this table, of one server or of all.
  Result<std::string> tell(size_t server, wire::Call call, Effect effect);
  Status tell_all(const wire::Call& call, Effect effect);
  /// As tell(), its answer read as a T.
  template <class T>
  Result<T> ask(size_t server, const wire::Call& call, Effect effect);
  /// The sum over all servers of a call that counts.
  Result<uint64_t> count(const wire::Call& call);

  const std::shared_ptr<Cluster> cluster_;
  const std::string name_;
  const TableOptions options_;
  const uint64_t state_values_;
  Numbers numbers_;
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_REMOTE_TABLE_H_
