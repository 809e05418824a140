// How a remote dense parameter is opened: at the server of its name, which knows whether it is cut
// and how; then, where it is, all of its chunks at theirs.
#include <algorithm>
#include <map>
#include <utility>

#include "base/guarded.h"
#include "client/remote_dense.h"

namespace hotrow::client {

namespace {

// Calls in text that are under way at once: a server takes 64 of one connection.
constexpr size_t kCallsAtOnce = 32;

Status unbelievable() {
  return {StatusCode::kProtocol, "the server says of a dense parameter what cannot be"};
}

// The servers that have slots, and so may have chunks.
size_t servers_with_slots(std::span<const uint16_t> owners) {
  std::vector<uint16_t> all(owners.begin(), owners.end());
  std::ranges::sort(all);
  return all.size() - std::ranges::unique(all).size();
}

// What chunk 0, or the whole, is to be where there is none yet.
DenseOptions first_options(const View& view, const wire::Call& call) {
  DenseOptions whole = call.dense;
  if (!view.several() && view.epoch == 0) return whole;
  const auto owners = view.placement.servers();
  const DenseCut cut = cut_for(whole, servers_with_slots(owners));
  if (cut.count == 1) return whole;
  // A chunk's own name is another.
  if (whole.seed == 0) whole.seed = seed_of_name(call.name);
  return chunk_options(whole, cut, 0, spread(call.name, whole.shape, cut, owners));
}

}  // namespace

class RemoteDense::Opening {
 public:
  Opening(std::shared_ptr<Cluster> cluster, wire::Call call)
      : cluster_(std::move(cluster)), call_(std::move(call)) {}

  Result<std::shared_ptr<Dense>> run() {
    if (call_.flag) HOTROW_RETURN_IF_ERROR(call_.dense.validate());
    HOTROW_RETURN_IF_ERROR(until_owned([&](const View& view, size_t& server) {
      server = view.placement.server_of_slot(slot_of_name(call_.name));
      return open_first(view, server);
    }));
    if (dense_->cut_.count > 1) {
      std::vector<uint32_t> left;
      for (uint32_t i = 1; i < dense_->cut_.count; ++i) left.push_back(i);
      HOTROW_RETURN_IF_ERROR(until_owned([&](const View& view, size_t& server) -> Status {
        while (!left.empty()) {
          const size_t n = std::min(left.size(), kCallsAtOnce);
          const std::span<const uint32_t> some = std::span(left).last(n);
          server = view.placement.server_of_slot(dense_->chunks_[some.front()].slot);
          HOTROW_RETURN_IF_ERROR(open_some(view, some));
          left.resize(left.size() - n);
        }
        return {};
      }));
    }
    return std::shared_ptr<Dense>(std::move(dense_));
  }

 private:
  // work(view, server) -> Status, again as long as servers say that something is not theirs.
  template <class Work>
  Status until_owned(const Work& work) {
    const Deadline deadline = cluster_->deadline();
    while (true) {
      const auto view = cluster_->view();
      size_t server = 0;  // that refused it
      Status status = work(*view, server);
      if (status.code() != StatusCode::kWrongOwner) return status;
      // A refusal is worth asking for its placement, whichever that is.
      if (!cluster_->catch_up(server, UINT32_MAX, view->epoch, deadline)) return status;
    }
  }

  /// A cut that some server could not have is not begun: chunk 0 would stand alone.
  Result<bool> all_know_chunks(const View& view) {
    for (const uint32_t server : view.members) {
      const auto welcome = cluster_->peer(server).welcome(deadline_);
      if (!welcome.ok()) return welcome.status();
      if (!welcome.value().knows(wire::kKnowsDenseChunks)) return false;
    }
    return true;
  }

  Status open_first(const View& view, size_t server) {
    wire::Call call = call_;
    if (call.flag && whole_name(call_.name) == call_.name) {
      const auto known = all_know_chunks(view);
      if (!known.ok()) return known.status();
      if (known.value()) call.dense = first_options(view, call_);
    }
    const uint64_t generation = cluster_->peer(server).generation();
    auto opened = cluster_->ask<wire::OpenedDense>(server, call, deadline_, Effect::kReads);
    if (!opened.ok()) return opened.status();
    const wire::OpenedDense& its = opened.value();
    HOTROW_RETURN_IF_ERROR(check(its, 0));
    dense_.reset(new RemoteDense(cluster_, call_.name, its.options, its.state_values));
    if (dense_->row_state_ * its.size != its.state_values * dense_->options_.shape.back()) {
      return unbelievable();
    }
    const auto slots = slots_of(its.options.chunk);
    for (size_t i = 0; i < dense_->chunks_.size(); ++i) {
      dense_->chunks_[i].slot = slots.empty() ? slot_of_name(call_.name) : slots[i];
    }
    dense_->chunks_[0].numbers->set(server, {its.parameter, generation});
    slots_ = slots;
    return {};
  }

  Status open_some(const View& view, std::span<const uint32_t> chunks) {
    std::vector<uint32_t> servers;
    std::vector<uint64_t> generations;
    std::vector<wire::Call> calls;
    for (const uint32_t chunk : chunks) {
      const uint32_t server = view.placement.server_of_slot(slots_[chunk]);
      Peer& peer = cluster_->peer(server);
      const auto welcome = peer.welcome(deadline_);
      if (!welcome.ok()) return welcome.status();
      if (!welcome.value().knows(wire::kKnowsDenseChunks)) {
        return {StatusCode::kUnsupported, "dense '" + call_.name + "' has chunks at the server " +
                                              cluster_->name(server) + ", which knows of none"};
      }
      servers.push_back(server);
      generations.push_back(peer.generation());
      auto& call = calls.emplace_back(call_);
      call.name = chunk_name(call_.name, chunk);
      if (call.flag) {
        call.dense = chunk_options(dense_->options_, dense_->cut_, chunk, slots_);
      }
    }
    const auto texts = cluster_->call_each(servers, calls, deadline_, Effect::kReads);
    if (!texts.ok()) return texts.status();
    for (size_t i = 0; i < chunks.size(); ++i) {
      const auto opened = wire::from_text<wire::OpenedDense>(texts.value()[i]);
      if (!opened.ok()) return opened.status();
      const wire::OpenedDense& its = opened.value();
      HOTROW_RETURN_IF_ERROR(check(its, chunks[i]));
      if (its.size != dense_->chunks_[chunks[i]].range.count ||
          its.options.chunk.slot != slots_[chunks[i]]) {
        return Status::conflict("dense '" + call_.name + "': chunk " + std::to_string(chunks[i]) +
                                " at " + cluster_->name(servers[i]) +
                                " is of another cut of it: drop it and make it anew");
      }
      dense_->chunks_[chunks[i]].numbers->set(servers[i], {its.parameter, generations[i]});
    }
    return {};
  }

  // What a server says decides how long arrays are.
  static Status check(const wire::OpenedDense& its, uint32_t chunk) {
    constexpr uint64_t kMostState = uint64_t{kMaxDenseValues} * 4;
    const bool can_be = its.options.validate().ok() && its.options.chunk.index == chunk &&
                        its.size == values_of(its.options.shape) && its.state_values <= kMostState;
    return can_be ? Status() : unbelievable();
  }

  const std::shared_ptr<Cluster> cluster_;
  const wire::Call call_;
  const Deadline deadline_ = Cluster::long_deadline();  // its values may have to be read first
  std::shared_ptr<RemoteDense> dense_;
  std::vector<uint16_t> slots_;  // one a chunk; empty: it is whole
};

Result<std::shared_ptr<Dense>> RemoteDense::open(std::shared_ptr<Cluster> cluster,
                                                 wire::Call call) {
  return guarded([&]() -> Result<std::shared_ptr<Dense>> {
    return Opening(std::move(cluster), std::move(call)).run();
  });
}

}  // namespace hotrow::client
