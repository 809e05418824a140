#include "client/remote_dense.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <utility>

#include "base/batch_check.h"
#include "base/guarded.h"

namespace hotrow::client {

using wire::Kind;
using wire::Verb;

namespace {

// Values of one request and its reply, in bytes, unless one chunk has more.
constexpr uint64_t kMessageBytes = uint64_t{4} << 20;
// Chunks of one request: three sections each are within what a frame may have.
constexpr size_t kMostParts = 256;
// Requests of one call that are under way with one server.
constexpr size_t kMessagesUnderWay = 8;

Status expect_values(const char* name, uint64_t received, uint64_t expected) {
  if (received == expected) return {};
  return Status::invalid_argument(std::string(name) + ": expected " + std::to_string(expected) +
                                  " values, received " + std::to_string(received));
}

Status expect_finite(const char* name, std::span<const float> values) {
  if (all_finite(values)) return {};
  return Status::invalid_argument(std::string(name) +
                                  ": expected finite values, received NaN or infinity");
}

template <class T>
std::span<T> part(std::span<T> all, const ValueRange& range) {
  return all.subspan(range.first, range.count);
}

}  // namespace

// The chunks that are to be worked on now, by one view of the placement.
class RemoteDense::Round {
 public:
  Round(RemoteDense& its, const Way& way, const View& view, std::span<const uint32_t> chunks,
        Deadline deadline)
      : its_(its), way_(way), view_(view), chunks_(chunks), deadline_(deadline) {}

  Status run() {
    plan();
    Traced::phase("wait");
    std::deque<Message*> under_way;
    Status first;
    const auto end_one = [&] {
      Message& message = *under_way.front();
      under_way.pop_front();
      Status status = end(message);
      if (first.ok()) first = std::move(status);
    };
    for (const auto& message : messages_) {
      if (under_way.size() >= kMessagesUnderWay * view_.members.size()) end_one();
      if (!first.ok()) break;
      first = begin(*message);
      if (message->exchange.connection != nullptr) under_way.push_back(message.get());
    }
    // All of them: their arrays are the caller's.
    while (!under_way.empty()) end_one();
    return first;
  }

  bool applied() const { return applied_; }
  const Refused& refused() const { return refused_; }
  /// Chunks that are to be worked on again.
  std::vector<uint32_t> take_left() { return std::move(left_); }

 private:
  struct Message {
    Message(const Way& way, size_t its_server)
        : server(its_server),
          reply([this, &way](const wire::Section& section) -> std::span<std::byte> {
            if (section.part >= chunks.size()) return {};
            return way.place(chunks[section.part], section);
          }),
          exchange(way.verb, way.verb == Verb::kPull ? Effect::kReads : Effect::kChanges) {}
    size_t server;
    uint64_t bytes = 0;
    std::vector<uint32_t> chunks;
    Reply reply;
    Exchange exchange;
  };

  // In turn of all servers, so that they work at once.
  void plan() {
    const uint64_t most = its_.cluster_->most_piece_bytes(kMessageBytes);
    std::map<size_t, Message*> open;
    for (const uint32_t chunk : chunks_) {
      const size_t server = view_.placement.server_of_slot(its_.chunks_[chunk].slot);
      const uint64_t bytes = its_.chunks_[chunk].range.count * sizeof(float);
      Message*& message = open[server];
      if (message == nullptr || message->chunks.size() == kMostParts ||
          message->bytes + bytes > most) {
        message = messages_.emplace_back(std::make_unique<Message>(way_, server)).get();
      }
      message->bytes += bytes;
      message->chunks.push_back(chunk);
    }
  }

  // A message that has not gone out has no connection then.
  Status begin(Message& message) {
    for (size_t i = 0; i < message.chunks.size(); ++i) {
      const uint32_t chunk = message.chunks[i];
      const auto number = its_.chunks_[chunk].numbers->of(message.server, deadline_);
      if (number.status().code() == StatusCode::kWrongOwner) {
        // A refusal to open it is worth asking for the placement.
        return refuse(message, number.status(), UINT32_MAX);
      }
      if (!number.ok()) return number.status();
      message.exchange.names(number.value().generation);
      const Place place{static_cast<uint16_t>(i), number.value().number, chunk};
      way_.add(message.exchange.request, place,
               its_.cluster_->peer(message.server).knows(wire::kKnowsDenseChunks));
    }
    message.exchange.pair = its_.pairs_[static_cast<size_t>(way_.verb)];
    message.exchange.request.header().epoch = view_.epoch;
    message.exchange.request.header().clock = way_.step;
    const Status begun =
        its_.cluster_->peer(message.server).begin(message.exchange, message.reply, deadline_);
    if (!message.exchange.stale) return begun;
    return again(message, begun);
  }

  Status end(Message& message) {
    Status status =
        its_.cluster_->peer(message.server).end(message.exchange, message.reply, deadline_);
    if (message.exchange.stale) return again(message, status);
    if (status.code() == StatusCode::kWrongOwner) {
      return refuse(message, std::move(status), message.reply.epoch);
    }
    applied_ |= may_have_applied(status);
    return status;
  }

  Status refuse(const Message& message, Status status, uint32_t epoch) {
    refused_.add(std::move(status), message.server, epoch);
    left_.insert(left_.end(), message.chunks.begin(), message.chunks.end());
    return {};
  }

  // Nothing of it was done: the numbers were of a process that is no more.
  Status again(const Message& message, const Status& status) {
    if (std::chrono::steady_clock::now() >= deadline_) return status;
    left_.insert(left_.end(), message.chunks.begin(), message.chunks.end());
    return {};
  }

  RemoteDense& its_;
  const Way& way_;
  const View& view_;
  const std::span<const uint32_t> chunks_;
  const Deadline deadline_;
  std::vector<std::unique_ptr<Message>> messages_;
  bool applied_ = false;  // by some server
  Refused refused_;
  std::vector<uint32_t> left_;
};

RemoteDense::RemoteDense(std::shared_ptr<Cluster> cluster, std::string name,
                         const DenseOptions& chunk0, uint64_t chunk0_state)
    : cluster_(std::move(cluster)),
      name_(std::move(name)),
      options_(whole_options(chunk0)),
      cut_(chunk0.chunk.used()
               ? DenseCut{.count = chunk0.chunk.count, .pieces = chunk0.chunk.pieces}
               : DenseCut()),
      size_(values_of(options_.shape)),
      // Of a piece of a row the state is arrays as long as it, and so it is of the row.
      row_state_(chunk0_state * options_.shape.back() / values_of(chunk0.shape)),
      state_values_(row_state_ * (size_ / options_.shape.back())),
      chunks_(cut_.count),
      pairs_(cluster_->sight().times(), name_),
      seen_(cut_.count) {
  for (uint32_t i = 0; i < cut_.count; ++i) {
    Chunk& its = chunks_[i];
    its.range = range_of(options_.shape, cut_, i);
    its.numbers = std::make_unique<Numbers>(
        cluster_, wire::Call{.call = "dense", .name = chunk_name(name_, i), .chunks = true});
  }
}

Status RemoteDense::run(const Way& way, const PushOfStep* step) {
  const Deadline deadline = cluster_->deadline();
  std::vector<uint32_t> chunks(chunks_.size());
  for (uint32_t i = 0; i < chunks.size(); ++i) chunks[i] = i;
  bool applied = false;
  while (true) {
    Traced::phase("split");
    const auto view = cluster_->view();
    if (step != nullptr) HOTROW_RETURN_IF_ERROR(step->check(view->epoch));
    Round round(*this, way, *view, chunks, deadline);
    const Status status = round.run();
    const Refused& refused = round.refused();
    // Of what servers only hold none is applied.
    applied |= round.applied() && way.verb != Verb::kPull && way.step == 0;
    if (!status.ok()) return applied ? partly_applied(status, "the chunks") : status;
    chunks = round.take_left();
    if (chunks.empty()) return {};
    if (refused.status.ok()) continue;
    if (!cluster_->catch_up(refused.server, refused.epoch, view->epoch, deadline)) {
      return applied ? partly_applied(refused.status, "the chunks") : refused.status;
    }
  }
}

struct RemoteDense::Pulled {
  bool values = false;
  uint64_t steps = 0;
  DenseStamp stamp;
};

Status RemoteDense::pull(std::span<float> values) {
  HOTROW_RETURN_IF_ERROR(expect_values("values", values.size(), size_));
  const Traced traced(cluster_->sight(), "pull", name_);
  return guarded([&]() -> Status {
    std::vector<Seen> before;
    {
      const MutexLock lock(mutex_);
      before = seen_;
    }
    std::vector<Pulled> pulled(chunks_.size());
    const Way way{
        .verb = Verb::kPull,
        .add =
            [&](Request& request, const Place& at, bool stamps) {
              request.add(at.part, at.number, wire::CallOptions());
              if (!stamps) return;
              const Seen& its = before[at.chunk];
              request.add(at.part, at.number, its.copy == nullptr ? DenseStamp() : its.stamp);
            },
        .place = [&](uint32_t chunk, const wire::Section& section) -> std::span<std::byte> {
          Pulled& its = pulled[chunk];
          if (section.kind == Kind::kStamp) {
            return std::as_writable_bytes(std::span(&its.stamp, 1));
          }
          if (section.kind != Kind::kValues) return {};
          its.values = true;
          return std::as_writable_bytes(part(values, chunks_[chunk].range));
        }};
    HOTROW_RETURN_IF_ERROR(run(way));
    return settle(values, pulled, before);
  });
}

Status RemoteDense::settle(std::span<float> values, std::span<const Pulled> pulled,
                           std::span<const Seen> before) {
  for (size_t i = 0; i < chunks_.size(); ++i) {
    const Pulled& its = pulled[i];
    const auto out = part(values, chunks_[i].range);
    if (!its.values) {
      const auto& copy = before[i].copy;
      if (copy == nullptr || !(its.stamp == before[i].stamp)) {
        return {StatusCode::kProtocol, "a reply without values"};
      }
      std::ranges::copy(copy->values(), out.begin());
      continue;
    }
    if (its.stamp.run == 0) continue;
    // Only what was the same twice is worth a copy: a trainer's parameters never are.
    Seen now{.stamp = its.stamp, .copy = nullptr};
    if (its.stamp == before[i].stamp) now.copy = cluster_->dense_copies().copy(out);
    const MutexLock lock(mutex_);
    const bool kept = seen_[i].copy != nullptr && seen_[i].stamp == now.stamp;
    if (!kept) seen_[i] = std::move(now);
  }
  return {};
}

std::vector<ValueRange> RemoteDense::state_of(uint32_t chunk) const {
  const uint64_t columns = options_.shape.back();
  const ValueRange& range = chunks_[chunk].range;
  const uint64_t first = range.first / columns * row_state_;
  if (cut_.pieces == 0) {
    return {{.first = first, .count = range.count / columns * row_state_}};
  }
  std::vector<ValueRange> arrays;
  for (uint64_t at = 0; at < row_state_; at += columns) {
    arrays.push_back({.first = first + at + range.first % columns, .count = range.count});
  }
  return arrays;
}

Result<uint64_t> RemoteDense::pull_state(std::span<float> values, std::span<float> state) {
  HOTROW_RETURN_IF_ERROR(expect_values("values", values.size(), size_));
  HOTROW_RETURN_IF_ERROR(expect_values("state", state.size(), state_values_));
  const Traced traced(cluster_->sight(), "pull", name_);
  return guarded([&]() -> Result<uint64_t> {
    wire::CallOptions call;
    call.flags = wire::kWantsState;
    std::vector<Pulled> pulled(chunks_.size());
    std::vector<std::vector<float>> landed(chunks_.size());  // of pieces
    const Way way{
        .verb = Verb::kPull,
        .add = [&](Request& request, const Place& at,
                   bool) { request.add(at.part, at.number, call); },
        .place = [&](uint32_t chunk, const wire::Section& section) -> std::span<std::byte> {
          Pulled& its = pulled[chunk];
          if (section.kind == Kind::kCount) {
            return std::as_writable_bytes(std::span(&its.steps, 1));
          }
          if (section.kind == Kind::kValues) {
            its.values = true;
            return std::as_writable_bytes(part(values, chunks_[chunk].range));
          }
          if (section.kind != Kind::kState) return {};
          const auto arrays = state_of(chunk);
          if (arrays.size() == 1) return std::as_writable_bytes(part(state, arrays.front()));
          landed[chunk].resize(arrays.size() * chunks_[chunk].range.count);
          return std::as_writable_bytes(std::span(landed[chunk]));
        }};
    HOTROW_RETURN_IF_ERROR(run(way));
    uint64_t steps = 0;
    for (uint32_t i = 0; i < chunks_.size(); ++i) {
      if (!pulled[i].values) return Status(StatusCode::kProtocol, "a reply without values");
      steps = std::max(steps, pulled[i].steps);
      if (landed[i].empty()) continue;
      auto from = landed[i].cbegin();
      for (const ValueRange& array : state_of(i)) {
        std::copy_n(from, array.count, part(state, array).begin());
        from += static_cast<ptrdiff_t>(array.count);
      }
    }
    return steps;
  });
}

Status RemoteDense::push(std::span<const float> gradient, const PushOptions& options) {
  HOTROW_RETURN_IF_ERROR(expect_values("gradient", gradient.size(), size_));
  const Traced traced(cluster_->sight(), wire::name_of(Verb::kPush), name_);
  return guarded([&] { return push_at(gradient, options); });
}

Status RemoteDense::push_at(std::span<const float> gradient, const PushOptions& options) {
  // One value that is not finite is the whole parameter's error, or has all of it passed over: each
  // chunk is to hear of it.
  std::vector<float> passed_over;
  if (chunks_.size() > 1 && !all_finite(gradient)) {
    if (options_.non_finite == NonFinite::kReject) return expect_finite("gradient", gradient);
    passed_over.assign(size_, std::numeric_limits<float>::quiet_NaN());
    gradient = passed_over;
  }
  wire::CallOptions call;
  call.learning_rate = options.learning_rate;
  PushOfStep push(cluster_->open_step(), chunks_.size());
  HOTROW_RETURN_IF_ERROR(push.status());
  const Way way{.verb = Verb::kPush,
                .step = push.clock(),
                .add =
                    [&](Request& request, const Place& at, bool) {
                      request.add(at.part, at.number, Kind::kGradients,
                                  part(gradient, chunks_[at.chunk].range));
                      request.add(at.part, at.number, call);
                    },
                .place = [](uint32_t, const wire::Section&) { return std::span<std::byte>(); }};
  return push.done(run(way, &push));
}

Status RemoteDense::update(std::span<const float> values, const UpdateOptions& options) {
  HOTROW_RETURN_IF_ERROR(expect_values("values", values.size(), size_));
  if (!options.state.empty()) {
    HOTROW_RETURN_IF_ERROR(expect_values("state", options.state.size(), state_values_));
  }
  const Traced traced(cluster_->sight(), wire::name_of(Verb::kUpdate), name_);
  return guarded([&] { return update_at(values, options); });
}

Status RemoteDense::update_at(std::span<const float> values, const UpdateOptions& options) {
  if (chunks_.size() > 1) {
    // As for a push; what is passed over has right state, too.
    HOTROW_RETURN_IF_ERROR(expect_finite("state", options.state));
    if (!all_finite(values)) {
      return options_.non_finite == NonFinite::kReject ? expect_finite("values", values) : Status();
    }
  }
  wire::CallOptions call;
  call.steps = options.steps;
  std::vector<std::vector<float>> gathered(chunks_.size());  // state of pieces
  const auto state_for = [&](uint32_t chunk) -> std::span<const float> {
    const auto arrays = state_of(chunk);
    if (arrays.size() == 1) return part(options.state, arrays.front());
    std::vector<float>& its = gathered[chunk];
    its.clear();
    for (const ValueRange& array : arrays) {
      const auto values_of_array = part(options.state, array);
      its.insert(its.end(), values_of_array.begin(), values_of_array.end());
    }
    return its;
  };
  const Way way{.verb = Verb::kUpdate,
                .add =
                    [&](Request& request, const Place& at, bool) {
                      request.add(at.part, at.number, Kind::kValues,
                                  part(values, chunks_[at.chunk].range));
                      if (!options.state.empty()) {
                        request.add(at.part, at.number, Kind::kState, state_for(at.chunk));
                      }
                      request.add(at.part, at.number, call);
                    },
                .place = [](uint32_t, const wire::Section&) { return std::span<std::byte>(); }};
  return run(way);
}

}  // namespace hotrow::client
