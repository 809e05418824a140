// RemoteDense: a dense parameter that servers have: a small one whole at the server of its name, a
// large one in chunks at all of them (base/dense_chunks.h).
//
// A call is one request for some chunks of one server, several under way at once, whose arrays lie
// where the caller has them. What a server refuses, because a chunk is with another by now, is sent
// to that one. Chunks that are as they were when they were read last are not sent again: see
// DenseCopies.
#ifndef HOTROW_CLIENT_REMOTE_DENSE_H_
#define HOTROW_CLIENT_REMOTE_DENSE_H_

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/dense_chunks.h"
#include "base/sync.h"
#include "client/cluster.h"
#include "client/dense_copies.h"
#include "client/open_step.h"
#include "client/remote_table.h"
#include "hotrow/store.h"

namespace hotrow::client {

class RemoteDense final : public Dense {
 public:
  /// Opens all of it, as the call `dense` asks for it. Until the deadline placements that change
  /// are waited for. ERR_UNSUPPORTED when some of the servers know no chunks and some have them.
  static Result<std::shared_ptr<Dense>> open(std::shared_ptr<Cluster> cluster, wire::Call call);

  const std::string& name() const override { return name_; }
  const DenseOptions& options() const override { return options_; }
  uint64_t size() const override { return size_; }
  uint64_t state_values() const override { return state_values_; }

  Status pull(std::span<float> values) override HOTROW_EXCLUDES(mutex_);
  Status push(std::span<const float> gradient, const PushOptions& options) override;
  Status update(std::span<const float> values, const UpdateOptions& options) override;
  Result<uint64_t> pull_state(std::span<float> values, std::span<float> state) override;

 private:
  class Round;
  class Opening;  // remote_dense_open.cc
  /// What the reply to a pull says of a chunk.
  struct Pulled;
  struct Chunk {
    ValueRange range;
    uint32_t slot = 0;
    std::unique_ptr<Numbers> numbers;
  };
  /// Of a chunk: what it was when it was read last.
  struct Seen {
    DenseStamp stamp;
    std::shared_ptr<const DenseCopies::Copy> copy;  // null: only the stamp was kept
  };
  /// A chunk's in a request.
  struct Place {
    uint16_t part;
    uint32_t number;  // of the chunk at the server
    uint32_t chunk;
  };
  /// What a request has of each chunk, and where its reply's sections go.
  struct Way {
    wire::Verb verb;
    uint32_t step = 0;  // of a worker's, that a push belongs to
    /// `stamps`: its server knows them.
    std::function<void(Request& request, const Place& place, bool stamps)> add;
    std::function<std::span<std::byte>(uint32_t chunk, const wire::Section& section)> place;
  };

  /// `chunk0`: options of the whole, or of the first chunk.
  RemoteDense(std::shared_ptr<Cluster> cluster, std::string name, const DenseOptions& chunk0,
              uint64_t chunk0_state);

  /// All chunks, until a deadline: again, as long as servers say that some are not theirs.
  Status run(const Way& way, const PushOfStep* step = nullptr);
  Status push_at(std::span<const float> gradient, const PushOptions& options);
  Status update_at(std::span<const float> values, const UpdateOptions& options);
  /// Writes the values that the servers need not send; keeps what may save the next reply.
  Status settle(std::span<float> values, std::span<const Pulled> pulled,
                std::span<const Seen> before) HOTROW_EXCLUDES(mutex_);

  /// The state of a chunk, in the whole's: one run of values, or of a piece of a row one an array.
  std::vector<ValueRange> state_of(uint32_t chunk) const;

  const std::shared_ptr<Cluster> cluster_;
  const std::string name_;
  const DenseOptions options_;  // of the whole
  const DenseCut cut_;
  const uint64_t size_;
  const uint64_t row_state_;
  const uint64_t state_values_;
  std::vector<Chunk> chunks_;  // one when it is whole
  TablePairs pairs_;

  Mutex mutex_;
  std::vector<Seen> seen_ HOTROW_GUARDED_BY(mutex_);  // one a chunk
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_REMOTE_DENSE_H_
