// RemoteTable: a Table whose rows are with servers.
//
// A lookup goes out in requests of about a megabyte of rows, several under way at once, whose rows
// come in where the caller wants them. With several servers, keys are cut by server first, and all
// servers work at once.
#ifndef HOTROW_CLIENT_REMOTE_TABLE_H_
#define HOTROW_CLIENT_REMOTE_TABLE_H_

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/sync.h"
#include "client/cluster.h"
#include "client/fold.h"
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

  /// `open`: the call that gives the number, as it is sent to a server that joins later; to those
  /// known before, which have what it names, it is sent with the name alone.
  Numbers(std::shared_ptr<Cluster> cluster, wire::Call open)
      : cluster_(std::move(cluster)), open_(std::move(open)) {}
  void set(size_t server, const Number& number) HOTROW_EXCLUDES(mutex_);
  /// Asked for where it is not known of the server's process as it is.
  Result<Number> of(size_t server, Deadline deadline) HOTROW_EXCLUDES(mutex_);

 private:
  const std::shared_ptr<Cluster> cluster_;
  const wire::Call open_;
  Mutex mutex_;
  std::vector<Number> known_ HOTROW_GUARDED_BY(mutex_);  // by position
};

/// What a server has refused, because it has these keys no more or not yet.
struct Refused {
  Status status;  ///< ERR_WRONG_OWNER, or nothing was refused
  size_t server = 0;
  uint32_t epoch = 0;          ///< of the server's placement
  std::vector<uint32_t> keys;  ///< positions in the batch

  void add(Status its, size_t its_server, uint32_t its_epoch) {
    status = std::move(its);
    server = its_server;
    epoch = its_epoch;
  }
  /// Positions from `first` on.
  void add_keys(size_t first, size_t n) {
    for (size_t i = 0; i < n; ++i) keys.push_back(static_cast<uint32_t>(first + i));
  }
  void add_keys(std::span<const uint32_t> its) { keys.insert(keys.end(), its.begin(), its.end()); }
};

/// Of a change that some servers may have applied: what another's error says, that nothing of it
/// was, becomes ERR_TIMEOUT, whose outcome is unknown. Whoever sends it again then knows.
Status partly_applied(const Status& status, std::string_view what = "the batch");
/// May a server have applied a change that ended so?
bool may_have_applied(const Status& status);

class RemoteTable;
/// ERR_INVALID_ARGUMENT, which names requests[i], unless the table is one of the cluster's: a table
/// of another store must not be asked for by the numbers of this one.
Result<RemoteTable*> table_of(Table* table, const Cluster& cluster, size_t i);
/// Of a caller who says how often his keys count.
inline Status own_times() {
  return {StatusCode::kUnsupported, "times: of a store on this machine only"};
}

class RemoteTable final : public Table {
 public:
  /// `opened`: what each of `servers` has said.
  RemoteTable(std::shared_ptr<Cluster> cluster, std::span<const uint32_t> servers,
              const std::vector<wire::OpenedTable>& opened,
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
  ClientTimes::Pair* pair(wire::Verb verb) { return pairs_[static_cast<size_t>(verb)]; }
  /// The batch as it is to go out; `gradients`: of a push, else empty.
  Fold fold(KeyBatch keys, std::span<const float> gradients = {});
  /// Adds how often keys count, where there is anything to say, to the request's part.
  void add_times(size_t server, Request& request, uint32_t number, std::span<const uint32_t> times,
                 uint16_t part = 0);
  Result<Numbers::Number> number(size_t server, Deadline deadline) {
    return numbers_.of(server, deadline);
  }

 private:
  struct Flight;
  /// What of a change's arrays is made for one server.
  struct Kept {
    std::vector<std::vector<float>> rows;
    std::vector<uint32_t> times;
  };
  struct Pushed {
    KeyBatch keys;
    ConstRowBatch gradients;
  };
  /// The newest placement that servers have answered by.
  struct Newest {
    size_t server;
    uint32_t epoch;
  };
  /// The keys of a batch that are to be worked on now, by one view of the placement.
  struct Round {
    const View& view;
    KeyBatch keys;
    const std::vector<uint32_t>* some;  // positions; null: all of them
    Deadline deadline;
    std::span<const uint32_t> times{};  // of all keys; empty: once
    uint32_t step = 0;                  // of a worker's, that a push belongs to
    bool stale = false;                 // a server was started anew before anything had gone out
    bool applied = false;               // of a change: by some server
    Refused refused;

    /// All of it goes to one server as it is.
    bool whole() const { return some == nullptr && !view.several(); }
  };

  Status look_up(wire::Verb verb, KeyBatch keys, std::span<float> out, size_t width,
                 const LookupOptions& options);
  Status look_up_folded(wire::Verb verb, const Fold& fold, std::span<float> out, size_t width,
                        const LookupOptions& options);
  Status look_up_once(wire::Verb verb, Round& round, std::span<float> out, size_t width,
                      const LookupOptions& options);
  /// Requests of the round, in pieces, those of all servers in turn.
  Result<std::vector<std::unique_ptr<Flight>>> plan(wire::Verb verb, const Round& round,
                                                    const Cut& parts, std::span<float> out,
                                                    size_t width, const LookupOptions& options);
  Status pool_here(const BagBatch& bags, RowBatch out);
  Status push_spread(const BagBatch& bags, ConstRowBatch bag_gradients, const PushOptions& options);
  Status fly(std::vector<std::unique_ptr<Flight>>& flights, Round& round);
  Status land(Flight& flight, Round& round);
  // remote_hedged.cc: flights that a follower may answer.
  /// Also ok where the server cannot be reached.
  Status begin_hedged(Flight& flight, const Round& round);
  Status end_hedged(Flight& flight, const Round& round);
  /// The same of a follower, on its way; null: of none now. Who was asked is added to `asked`.
  std::unique_ptr<Flight> ask_follower(const Flight& flight, const Round& round,
                                       std::vector<uint32_t>& asked);
  /// Has the follower's reply, which is there, the rows? Then they are the flight's.
  bool taken(Flight& other, Flight& flight, const Round& round);
  /// Sends what `fill(exchange, number, server's part)` adds to each server that has keys; the sum
  /// of what they count. With one server the part is empty: it has the whole batch.
  Result<ScanPage> scan_one(size_t server, uint64_t from, size_t rows, const ScanOptions& options,
                            Newest& newest);
  Result<ScanPage> scan_all(const View& view, uint64_t from, size_t rows,
                            const ScanOptions& options, Newest& newest);
  template <class Fill>
  Result<uint64_t> change(wire::Verb verb, KeyBatch keys, const Fill& fill);
  /// As change(), of a push; `fill` is told the batch as it goes out, too.
  template <class Fill>
  Status push_in_step(wire::Verb verb, KeyBatch keys, ConstRowBatch gradients, const Fill& fill);
  template <class Fill>
  Result<uint64_t> change_in(const PushOfStep* step, wire::Verb verb, const Fold& fold,
                             const Fill& fill);
  template <class Fill>
  Result<uint64_t> change_once(wire::Verb verb, Round& round, const Fill& fill);
  /// work(round) until nothing of the batch is left that a server has refused.
  template <class Work>
  Status in_rounds(KeyBatch keys, const Work& work);
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
  TablePairs pairs_;
  Folds folds_;
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_REMOTE_TABLE_H_
