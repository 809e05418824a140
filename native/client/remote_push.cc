// A push to several tables of a remote store: one message to each server, with all tables: there
// all of it is applied or nothing. What a server refuses, because it has these keys no more, is cut
// again by the next view of the placement.
#include <algorithm>
#include <memory>
#include <set>

#include "base/batch_check.h"
#include "base/guarded.h"
#include "client/remote_store.h"
#include "client/remote_table.h"

namespace hotrow::client {

namespace {

using wire::Kind;

// Keys of each push that are to be sent; none at all: all of them.
using Left = std::vector<std::vector<uint32_t>>;

struct Sent {
  explicit Sent(uint32_t its_server) : server(its_server) {}
  uint32_t server;
  uint16_t parts = 0;
  CountReply reply;
  Exchange exchange{wire::Verb::kPush, Effect::kChanges};
};

class Round {
 public:
  /// `step` of a worker's, that the pushes belong to.
  Round(Cluster& cluster, const View& view, std::span<const TablePush> pushes, const Left& left,
        Deadline deadline, uint32_t step)
      : cluster_(cluster),
        view_(view),
        pushes_(pushes),
        left_(left),
        deadline_(deadline),
        step_(step) {}

  Status run() {
    Traced::phase("split");
    for (const uint32_t server : view_.members) all_.push_back(std::make_unique<Sent>(server));
    for (size_t i = 0; i < pushes_.size(); ++i) HOTROW_RETURN_IF_ERROR(add(i));
    std::erase_if(all_, [](const auto& sent) { return sent->parts == 0; });
    Status first;
    size_t begun = 0;
    while (begun < all_.size() && first.ok()) {
      Sent& sent = *all_[begun];
      first = cluster_.peer(sent.server).begin(sent.exchange, sent.reply, deadline_);
      if (first.ok()) ++begun;
    }
    Traced::phase("wait");
    for (size_t i = 0; i < begun; ++i) {
      Status status = end(*all_[i]);
      if (first.ok()) first = std::move(status);
    }
    return first;
  }

  bool applied() const { return applied_; }
  const Status& refused() const { return refused_.status; }
  /// As Cluster::catch_up().
  bool catch_up() const {
    return cluster_.catch_up(refused_.server, refused_.epoch, view_.epoch, deadline_);
  }
  Left take_left() { return std::move(refused_keys_); }

 private:
  bool whole() const { return left_.empty() && !view_.several(); }

  Status add(size_t i) {
    const TablePush& push = pushes_[i];
    const uint32_t dim = push.table->options().dim;
    wire::CallOptions call;
    call.learning_rate = push.options.learning_rate;
    if (!whole()) {
      const auto* const some = left_.empty() ? nullptr : &left_[i];
      cuts_.push_back(std::make_unique<Cut>(cut(view_, push.keys, some)));
    }
    for (const auto& sent : all_) {
      KeyBatch keys = push.keys;
      ConstRowBatch rows = push.gradients;
      std::span<const uint32_t> times = push.times;
      if (!whole()) {
        const Cut::Part& part = cuts_.back()->parts[sent->server];
        if (part.keys.empty()) continue;
        keys = part.keys;
        if (!times.empty()) {
          times = *kept_times_.emplace_back(
              std::make_unique<std::vector<uint32_t>>(gather(times, 1, part.from)));
        }
        kept_.push_back(
            std::make_unique<std::vector<float>>(gather(push.gradients, dim, part.from)));
        rows = *kept_.back();
      }
      auto* const table = static_cast<RemoteTable*>(push.table);
      auto number = table->number(sent->server, deadline_);
      if (!number.ok()) return about_slot(view_, keys, number.status());
      const uint16_t part = sent->parts++;
      Request& request = sent->exchange.request;
      sent->exchange.names(number.value().generation);
      request.header().epoch = view_.epoch;
      request.header().clock = step_;
      request.add(part, number.value().number, Kind::kKeys, keys);
      request.add(part, number.value().number, Kind::kGradients, rows, dim);
      table->add_times(sent->server, request, number.value().number, times, part);
      request.add(part, number.value().number, call);
    }
    return {};
  }

  Status end(Sent& sent) {
    Status status = cluster_.peer(sent.server).end(sent.exchange, sent.reply, deadline_);
    applied_ |= !sent.exchange.stale && may_have_applied(status);
    if (status.code() != StatusCode::kWrongOwner) return status;
    refused_.add(std::move(status), sent.server, sent.reply.epoch);
    refused_keys_.resize(pushes_.size());
    for (size_t i = 0; i < pushes_.size(); ++i) {
      std::vector<uint32_t>& keys = refused_keys_[i];
      if (whole()) {
        for (uint32_t key = 0; key < pushes_[i].keys.size(); ++key) keys.push_back(key);
      } else {
        const std::vector<uint32_t>& from = cuts_[i]->parts[sent.server].from;
        keys.insert(keys.end(), from.begin(), from.end());
      }
    }
    return {};
  }

  Cluster& cluster_;
  const View& view_;
  const std::span<const TablePush> pushes_;
  const Left& left_;
  const Deadline deadline_;
  const uint32_t step_;
  std::vector<std::unique_ptr<Cut>> cuts_;  // one a push; keys are sent from where they lie
  std::vector<std::unique_ptr<std::vector<float>>> kept_;
  std::vector<std::unique_ptr<std::vector<uint32_t>>> kept_times_;
  std::vector<std::unique_ptr<Sent>> all_;
  bool applied_ = false;  // by some server
  Refused refused_;
  Left refused_keys_;
};

Status check(std::span<const TablePush> pushes, const Cluster& cluster) {
  // Keys, gradients and options of each.
  constexpr size_t kMost = wire::kMostSections / 3;
  if (pushes.size() > kMost) {
    return Status::invalid_argument("requests: expected at most " + std::to_string(kMost) +
                                    ", received " + std::to_string(pushes.size()));
  }
  std::set<std::string_view> seen;  // handles of one table are several
  for (size_t i = 0; i < pushes.size(); ++i) {
    const TablePush& push = pushes[i];
    auto table = table_of(push.table, cluster, i);
    if (!table.ok()) return table.status();
    if (!seen.insert(push.table->name()).second) {
      return Status::invalid_argument("requests[" + std::to_string(i) +
                                      "]: expected each table once, received table '" +
                                      push.table->name() + "' again");
    }
    HOTROW_RETURN_IF_ERROR(
        check_rows("gradients", push.keys, push.gradients.size(), push.table->options().dim));
    if (!push.times.empty()) return own_times();
  }
  return {};
}

// Pushes as they go out.
struct Folded {
  explicit Folded(std::span<const TablePush> its) : pushes(its.begin(), its.end()) {}
  /// Not of what is held until its step ends: its gradients are added up there.
  void fold() {
    folds.reserve(pushes.size());
    sums.reserve(pushes.size());
    for (TablePush& push : pushes) {
      auto* const table = static_cast<RemoteTable*>(push.table);
      const Fold& its = folds.emplace_back(table->fold(push.keys, push.gradients));
      if (!its.folded()) continue;
      push.gradients = sums.emplace_back(its.sums(push.gradients, table->options().dim));
      push.keys = its.keys();
      push.times = its.times();
    }
  }

  std::vector<TablePush> pushes;
  std::vector<Fold> folds;
  std::vector<std::vector<float>> sums;
};

}  // namespace

Status RemoteStore::push_all(std::span<const TablePush> pushes) {
  const Traced traced(cluster_->sight(), "pushAll");
  return guarded([&]() -> Status {
    HOTROW_RETURN_IF_ERROR(check(pushes, *cluster_));
    const Deadline deadline = cluster_->deadline();
    PushOfStep step(cluster_->open_step(), cluster_->members().size());
    HOTROW_RETURN_IF_ERROR(step.status());
    Folded folded(pushes);
    // Four sections of each then.
    if (step.clock() == 0 && 4 * pushes.size() <= wire::kMostSections) folded.fold();
    Left left;
    bool applied = false;
    while (true) {
      const auto view = cluster_->view();
      HOTROW_RETURN_IF_ERROR(step.check(view->epoch));
      Round round(*cluster_, *view, folded.pushes, left, deadline, step.clock());
      Status failed = round.run();
      applied |= round.applied();
      // What servers only hold is applied by none.
      if (step.clock() != 0) applied = false;
      if (!failed.ok()) return step.done(applied ? partly_applied(failed) : std::move(failed));
      if (round.refused().ok()) return step.done({});
      if (!round.catch_up()) {
        return step.done(applied ? partly_applied(round.refused()) : round.refused());
      }
      Left next = round.take_left();
      left = std::move(next);
    }
  });
}

}  // namespace hotrow::client
