#include "client/remote_table.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <optional>

#include "base/bags.h"
#include "base/batch_check.h"
#include "base/guarded.h"
#include "client/flight.h"

namespace hotrow::client {

namespace {

using wire::CallOptions;
using wire::Kind;
using wire::Verb;

// Rows of one request, in bytes: the server gathers the next while these come in.
constexpr size_t kPieceBytes = size_t{1} << 20;
// Requests of one call that are under way with one server.
constexpr size_t kUnderWay = 8;

void set_bit(std::span<uint8_t> bits, size_t i, bool value) {
  const auto mask = static_cast<uint8_t>(1U << (i % 8));
  bits[i / 8] = static_cast<uint8_t>(value ? bits[i / 8] | mask : bits[i / 8] & ~mask);
}

}  // namespace

CallOptions call_options(const LookupOptions& options) {
  CallOptions call;
  if (!options.found.empty()) call.flags |= wire::kWantsFound;
  if (options.relaxed) call.flags |= wire::kRelaxed;
  if (options.missing) {
    call.flags |= wire::kHasMissing;
    call.missing = *options.missing;
  }
  call.max_age_ms = options.max_age_ms;
  return call;
}

bool may_have_applied(const Status& status) {
  return status.ok() || status_traits(status.code()).outcome == "unknown";
}

Status partly_applied(const Status& status, std::string_view what) {
  if (may_have_applied(status)) return status;
  return {StatusCode::kTimeout, "some of " + std::string(what) +
                                    " may be applied, the rest was not: " + status.message()};
}

void Numbers::set(size_t server, const Number& number) {
  const MutexLock lock(mutex_);
  if (known_.size() <= server) known_.resize(server + 1);
  known_[server] = number;
}

Result<Numbers::Number> Numbers::of(size_t server, Deadline deadline) {
  Peer& peer = cluster_->peer(server);
  if (peer.generation() == 0) {
    // One that joined later and that nobody has asked yet.
    const auto welcome = peer.welcome(deadline);
    if (!welcome.ok()) return welcome.status();
  }
  const uint64_t generation = peer.generation();
  bool joined = true;
  {
    const MutexLock lock(mutex_);
    if (known_.size() <= server) known_.resize(server + 1);
    if (known_[server].generation == generation) return known_[server];
    joined = known_[server].generation == 0;
  }
  const wire::Call call =
      joined ? open_ : wire::Call{.call = open_.call, .name = open_.name, .chunks = open_.chunks};
  auto opened = cluster_->ask<wire::OpenedTable>(server, call, deadline, Effect::kReads);
  if (!opened.ok()) return opened.status();
  // Of that process, or of a later one: then it is asked for once more.
  const Number number{opened.value().parameter, generation};
  set(server, number);
  return number;
}

RemoteTable::RemoteTable(std::shared_ptr<Cluster> cluster, std::span<const uint32_t> servers,
                         const std::vector<wire::OpenedTable>& opened,
                         const std::vector<uint64_t>& generations)
    : cluster_(std::move(cluster)),
      name_(opened.front().name),
      options_(opened.front().options),
      state_values_(opened.front().state_values),
      numbers_(cluster_, {.call = "table", .name = name_, .flag = true, .table = options_}),
      pairs_(cluster_->sight().times(), name_) {
  for (size_t i = 0; i < opened.size(); ++i) {
    numbers_.set(servers[i], {opened[i].parameter, generations[i]});
  }
}

Status RemoteTable::land(Flight& flight, Round& round) {
  Status status =
      flight.hedge == nullptr
          ? cluster_->peer(flight.server).end(flight.exchange, flight.reply, round.deadline)
          : end_hedged(flight, round);
  round.stale |= flight.exchange.stale;
  if (status.code() == StatusCode::kWrongOwner) {
    round.refused.add(std::move(status), flight.server, flight.reply.epoch);
    if (round.whole()) {
      std::fill(flight.found.begin(), flight.found.end(), uint8_t{0});
      round.refused.add_keys(flight.at, flight.keys.size());
    } else {
      round.refused.add_keys(flight.from);
    }
    flight.from = {};
    return {};
  }
  if (status.ok() && !flight.whole) status = {StatusCode::kProtocol, "a reply without rows"};
  return about_slot(round.view, flight.keys, std::move(status));
}

Status RemoteTable::fly(std::vector<std::unique_ptr<Flight>>& flights, Round& round) {
  std::deque<Flight*> under_way;
  Status first;
  const auto land_one = [&] {
    Flight& flight = *under_way.front();
    under_way.pop_front();
    Status status = land(flight, round);
    if (first.ok()) first = std::move(status);
  };
  for (const auto& flight : flights) {
    if (!first.ok()) break;
    if (under_way.size() >= kUnderWay * round.view.members.size()) land_one();
    Status begun =
        flight->hedge == nullptr
            ? cluster_->peer(flight->server).begin(flight->exchange, flight->reply, round.deadline)
            : begin_hedged(*flight, round);
    if (begun.ok()) {
      under_way.push_back(flight.get());
    } else if (first.ok()) {
      first = about_slot(round.view, flight->keys, std::move(begun));
    }
    round.stale |= flight->exchange.stale;
  }
  // All of them: their arrays are the caller's.
  while (!under_way.empty()) land_one();
  return first;
}

// Once more when a server was started anew meanwhile: its numbers are others then. What a server
// refused is worked on again by the next view of the placement.
template <class Work>
Status RemoteTable::in_rounds(KeyBatch keys, const Work& work) {
  const Deadline deadline = cluster_->deadline();
  std::vector<uint32_t> left;
  const std::vector<uint32_t>* some = nullptr;
  while (true) {
    const auto view = cluster_->view();
    Round round{.view = *view, .keys = keys, .some = some, .deadline = deadline, .refused = {}};
    const Status status = work(round);
    if (round.stale && std::chrono::steady_clock::now() < deadline) continue;
    const Refused& refused = round.refused;
    if (!status.ok() || refused.status.ok()) return status;
    if (!cluster_->catch_up(refused.server, refused.epoch, view->epoch, deadline)) {
      return refused.status;
    }
    left = refused.keys;
    some = &left;
  }
}

Fold RemoteTable::fold(KeyBatch keys, std::span<const float> gradients) {
  if (!cluster_->know_times(*cluster_->view())) return Fold(keys);
  // Those that are not finite are left out one by one, not with what they are added to.
  if (options_.non_finite == NonFinite::kSkip && !all_finite(gradients)) return Fold(keys);
  return folds_.of(keys);
}

Status RemoteTable::look_up(Verb verb, KeyBatch keys, std::span<float> out, size_t width,
                            const LookupOptions& options) {
  Traced::phase("split");
  const Fold its = fold(keys);
  LookupOptions wishes = options;
  if (!wishes.found.empty()) wishes.found = wishes.found.first((its.keys().size() + 7) / 8);
  HOTROW_RETURN_IF_ERROR(
      look_up_folded(verb, its, out.first(its.keys().size() * width), width, wishes));
  if (!its.folded()) return {};
  Traced::phase("join");
  its.spread(out, width);
  its.spread_bits(options.found);
  return {};
}

Status RemoteTable::look_up_folded(Verb verb, const Fold& fold, std::span<float> out, size_t width,
                                   const LookupOptions& options) {
  bool first = true;
  Status refused;
  const Status status = in_rounds(fold.keys(), [&](Round& round) {
    // Of states nobody counts who asks for them.
    if (verb == Verb::kLookup) round.times = fold.times();
    // Bits past the last key; the others are set one by one.
    if (std::exchange(first, false) && !round.whole()) {
      std::fill(options.found.begin(), options.found.end(), uint8_t{0});
    }
    Status its = look_up_once(verb, round, out, width, options);
    if (!round.refused.status.ok()) refused = round.refused.status;
    return its;
  });
  // Why there was so little time says more than that there was none.
  const bool late = status.code() == StatusCode::kTimeout && !refused.ok();
  return late ? refused : status;
}

// A server that does not know them, which a batch's keys came to in the middle of a call, counts
// each key once.
void RemoteTable::add_times(size_t server, Request& request, uint32_t number,
                            std::span<const uint32_t> times, uint16_t part) {
  if (times.empty() || !cluster_->peer(server).knows(wire::kKnowsTimes)) return;
  request.add(part, number, Kind::kTimes, times);
}

Result<std::vector<std::unique_ptr<RemoteTable::Flight>>> RemoteTable::plan(
    Verb verb, const Round& round, const Cut& parts, std::span<float> out, size_t width,
    const LookupOptions& options) {
  const bool found = !options.found.empty();
  // Whole bytes of found bits in each piece.
  const uint64_t piece_bytes = cluster_->most_piece_bytes(kPieceBytes);
  const size_t piece =
      std::max<size_t>(piece_bytes / std::max<size_t>(width * sizeof(float), 1) & ~size_t{63}, 64);
  std::vector<std::unique_ptr<Flight>> flights;
  // Pieces in turn of all servers, so that they work at once.
  for (size_t at = 0, left = 1; left > 0; at += piece) {
    left = 0;
    for (const uint32_t server : round.view.members) {
      const KeyBatch all = round.whole() ? round.keys : KeyBatch(parts.parts[server].keys);
      // An empty batch is still asked for: its errors are a batch's.
      const bool asked = at == 0 && round.keys.empty() && server == round.view.only();
      if (at >= all.size() && !asked) continue;
      const size_t n = std::min(piece, all.size() - at);
      if (at + n < all.size()) ++left;
      auto number = numbers_.of(server, round.deadline);
      if (!number.ok()) return about_slot(round.view, all, number.status());
      auto& flight = *flights.emplace_back(std::make_unique<Flight>(verb));
      flight.server = server;
      flight.keys = all.subspan(at, n);
      flight.at = at;
      flight.width = width;
      flight.cut = !round.whole();
      std::span<const uint32_t> times = round.times;
      if (round.whole()) {
        flight.rows = out.subspan(at * width, n * width);
        if (found) flight.found = options.found.subspan(at / 8, (n + 7) / 8);
        if (!times.empty()) times = times.subspan(at, n);
      } else {
        flight.from = std::span(parts.parts[server].from).subspan(at, n);
        flight.rows = out;
        if (found) flight.landed_found.resize((n + 7) / 8);
        flight.found = flight.landed_found;
        if (!times.empty()) times = flight.times = gather(times, 1, flight.from);
      }
      flight.exchange.pair = pair(verb);
      flight.exchange.generation = number.value().generation;
      flight.exchange.request.header().epoch = round.view.epoch;
      flight.exchange.request.add(0, number.value().number, Kind::kKeys, flight.keys);
      add_times(server, flight.exchange.request, number.value().number, times);
      flight.call = call_options(options);
      flight.exchange.request.add(0, number.value().number, flight.call);
      const bool old = verb == Verb::kLookup && options.max_age_ms != 0;
      if (old && round.view.epoch == 0) flight.hedge = cluster_->hedge(server);
    }
  }
  return flights;
}

Status RemoteTable::look_up_once(Verb verb, Round& round, std::span<float> out, size_t width,
                                 const LookupOptions& options) {
  Cut parts;
  Traced::phase("split");
  if (!round.whole()) parts = cut(round.view, round.keys, round.some);
  auto flights = plan(verb, round, parts, out, width, options);
  if (!flights.ok()) return flights.status();
  Traced::phase("wait");
  HOTROW_RETURN_IF_ERROR(fly(flights.value(), round));
  if (round.whole() || options.found.empty()) return {};
  Traced::phase("join");
  for (const auto& flight : flights.value()) {
    for (size_t i = 0; i < flight->from.size(); ++i) {
      set_bit(options.found, flight->from[i], (flight->found[i / 8] >> (i % 8) & 1) != 0);
    }
  }
  return {};
}

Status RemoteTable::lookup(KeyBatch keys, RowBatch rows, const LookupOptions& options) {
  HOTROW_RETURN_IF_ERROR(
      check_lookup({.table = this, .keys = keys, .rows = rows, .options = options}, options_.dim));
  const Traced traced(cluster_->sight(), "lookup", name_);
  return guarded([&] { return look_up(Verb::kLookup, keys, rows, options_.dim, options); });
}

Status RemoteTable::lookup_state(KeyBatch keys, std::span<float> state,
                                 const LookupOptions& options) {
  HOTROW_RETURN_IF_ERROR(check_rows("state", keys, state.size(), state_values_));
  HOTROW_RETURN_IF_ERROR(check_found(options, keys.size()));
  const Traced traced(cluster_->sight(), "lookupState", name_);
  return guarded([&] { return look_up(Verb::kState, keys, state, state_values_, options); });
}

template <class Fill>
Result<uint64_t> RemoteTable::change(Verb verb, KeyBatch keys, const Fill& fill) {
  const Traced traced(cluster_->sight(), wire::name_of(verb), name_);
  return guarded([&] { return change_in(nullptr, verb, Fold(keys), fill); });
}

// `gradients` may be added up before they go out; empty: not so.
template <class Fill>
Status RemoteTable::push_in_step(Verb verb, KeyBatch keys, ConstRowBatch gradients,
                                 const Fill& fill) {
  const Traced traced(cluster_->sight(), wire::name_of(verb), name_);
  PushOfStep step(cluster_->open_step(), cluster_->members().size());
  HOTROW_RETURN_IF_ERROR(step.status());
  return step.done(guarded([&]() -> Status {
    Traced::phase("split");
    // What is held until its step ends is added up there, in the order of all workers' gradients.
    const bool may = step.clock() == 0 && !gradients.empty();
    const Fold its = may ? fold(keys, gradients) : Fold(keys);
    std::vector<float> sums;
    if (its.folded()) sums = its.sums(gradients, options_.dim);
    const ConstRowBatch rows = its.folded() ? ConstRowBatch(sums) : gradients;
    return change_in(&step, verb, its,
                     [&](Request& request, uint32_t number, const Cut::Part* part, Kept& kept) {
                       fill(request, number, {its.keys(), rows}, part, kept);
                     })
        .status();
  }));
}

template <class Fill>
Result<uint64_t> RemoteTable::change_in(const PushOfStep* step, Verb verb, const Fold& fold,
                                        const Fill& fill) {
  uint64_t count = 0;
  bool applied = false;
  const Status status = in_rounds(fold.keys(), [&](Round& round) -> Status {
    if (step != nullptr) HOTROW_RETURN_IF_ERROR(step->check(round.view.epoch));
    round.step = step != nullptr ? step->clock() : 0;
    round.times = fold.times();
    if (verb == Verb::kPushBags && !round.whole()) {
      return {StatusCode::kWrongOwner, "the keys of a bag are with several servers by now"};
    }
    auto its = change_once(verb, round, fill);
    applied |= round.applied;
    if (its.ok()) count += its.value();
    // Bags cannot be cut: the caller sends their keys in another way.
    if (verb == Verb::kPushBags && its.ok()) return round.refused.status;
    return its.status();
  });
  // What servers only hold is applied by none.
  const bool held = step != nullptr && step->clock() != 0;
  if (!status.ok()) return applied && !held ? partly_applied(status) : status;
  return count;
}

template <class Fill>
Result<uint64_t> RemoteTable::change_once(Verb verb, Round& round, const Fill& fill) {
  const View& view = round.view;
  Cut parts;
  Traced::phase("split");
  if (!round.whole()) parts = cut(view, round.keys, round.some);
  struct Sent {
    size_t server;
    const Cut::Part* part;
    Kept kept;
    CountReply reply;
    Exchange exchange;
    Sent(size_t its_server, const Cut::Part* its_part, Verb its_verb)
        : server(its_server), part(its_part), exchange(its_verb, Effect::kChanges) {}
  };
  std::vector<std::unique_ptr<Sent>> all;
  Status first;
  for (const uint32_t server : view.members) {
    const bool whole = round.whole() || (round.keys.empty() && server == view.only());
    const Cut::Part* const part = whole ? nullptr : &parts.parts[server];
    if (!whole && part->keys.empty()) continue;
    const KeyBatch keys = whole ? round.keys : KeyBatch(part->keys);
    auto number = numbers_.of(server, round.deadline);
    if (!number.ok()) {
      first = about_slot(view, keys, number.status());
      break;
    }
    auto sent = std::make_unique<Sent>(server, part, verb);
    sent->exchange.pair = pair(verb);
    sent->exchange.generation = number.value().generation;
    sent->exchange.request.header().epoch = view.epoch;
    sent->exchange.request.header().clock = round.step;
    Request& request = sent->exchange.request;
    fill(request, number.value().number, part, sent->kept);
    const bool cut = part != nullptr && !round.times.empty();
    if (cut) sent->kept.times = gather(round.times, 1, part->from);
    add_times(server, request, number.value().number,
              cut ? std::span<const uint32_t>(sent->kept.times) : round.times);
    first = about_slot(view, keys,
                       cluster_->peer(server).begin(sent->exchange, sent->reply, round.deadline));
    round.stale = sent->exchange.stale && all.empty();
    if (!first.ok()) break;
    all.push_back(std::move(sent));
  }
  Traced::phase("wait");
  uint64_t count = 0;
  for (const auto& sent : all) {
    const KeyBatch keys = sent->part == nullptr ? round.keys : KeyBatch(sent->part->keys);
    Status status = cluster_->peer(sent->server).end(sent->exchange, sent->reply, round.deadline);
    if (status.code() == StatusCode::kWrongOwner) {
      round.refused.add(std::move(status), sent->server, sent->reply.epoch);
      if (sent->part == nullptr) round.refused.add_keys(0, keys.size());
      if (sent->part != nullptr) round.refused.add_keys(sent->part->from);
      continue;
    }
    round.applied |= may_have_applied(status);
    count += sent->reply.count;
    if (first.ok()) first = about_slot(view, keys, std::move(status));
  }
  if (!first.ok()) return first;
  return count;
}

Status RemoteTable::push(KeyBatch keys, ConstRowBatch gradients, const PushOptions& options) {
  HOTROW_RETURN_IF_ERROR(check_rows("gradients", keys, gradients.size(), options_.dim));
  CallOptions call;
  call.learning_rate = options.learning_rate;
  return push_in_step(
      Verb::kPush, keys, gradients,
      [&](Request& request, uint32_t number, const Pushed& all, const Cut::Part* part, Kept& kept) {
        request.add(0, number, Kind::kKeys, part == nullptr ? all.keys : part->keys);
        const ConstRowBatch rows =
            part == nullptr
                ? all.gradients
                : kept.rows.emplace_back(gather(all.gradients, options_.dim, part->from));
        request.add(0, number, Kind::kGradients, rows, options_.dim);
        request.add(0, number, call);
      });
}

Status RemoteTable::update(KeyBatch keys, ConstRowBatch rows, const UpdateOptions& options) {
  HOTROW_RETURN_IF_ERROR(check_rows("rows", keys, rows.size(), options_.dim));
  if (!options.state.empty()) {
    HOTROW_RETURN_IF_ERROR(check_rows("state", keys, options.state.size(), state_values_));
  }
  CallOptions call;
  call.steps = options.steps;
  return change(Verb::kUpdate, keys,
                [&](Request& request, uint32_t number, const Cut::Part* part, Kept& kept) {
                  const auto its = [&](std::span<const float> values, size_t width) {
                    if (part == nullptr) return values;
                    return std::span<const float>(
                        kept.rows.emplace_back(gather(values, width, part->from)));
                  };
                  request.add(0, number, Kind::kKeys, part == nullptr ? keys : part->keys);
                  request.add(0, number, Kind::kRows, its(rows, options_.dim), options_.dim);
                  if (!options.state.empty()) {
                    const auto width = static_cast<uint32_t>(state_values_);
                    request.add(0, number, Kind::kState, its(options.state, width), width);
                  }
                  request.add(0, number, call);
                })
      .status();
}

Result<uint64_t> RemoteTable::erase(KeyBatch keys) {
  HOTROW_RETURN_IF_ERROR(check_keys(keys));
  return change(Verb::kErase, keys,
                [&](Request& request, uint32_t number, const Cut::Part* part, Kept&) {
                  request.add(0, number, Kind::kKeys, part == nullptr ? keys : part->keys);
                });
}

Result<uint64_t> RemoteTable::set_scores(KeyBatch keys, std::span<const float> scores) {
  HOTROW_RETURN_IF_ERROR(check_rows("scores", keys, scores.size(), 1));
  return change(Verb::kScores, keys,
                [&](Request& request, uint32_t number, const Cut::Part* part, Kept& kept) {
                  request.add(0, number, Kind::kKeys, part == nullptr ? keys : part->keys);
                  const std::span<const float> its =
                      part == nullptr ? scores
                                      : kept.rows.emplace_back(gather(scores, 1, part->from));
                  request.add(0, number, Kind::kWeights, its);
                });
}

// With several servers a bag's rows are with several: they are looked up, and pooled here.
Status RemoteTable::pool_here(const BagBatch& bags, RowBatch out) {
  const size_t dim = options_.dim;
  std::vector<float> rows(bags.keys.size() * dim);
  HOTROW_RETURN_IF_ERROR(look_up(Verb::kLookup, bags.keys, rows, dim, {}));
  std::fill(out.begin(), out.end(), 0.0F);
  for (size_t bag = 0; bag + 1 < bags.offsets.size(); ++bag) {
    const size_t begin = bags.offsets[bag];
    const size_t end = bags.offsets[bag + 1];
    float* const sum = out.data() + bag * dim;
    for (size_t i = begin; i < end; ++i) {
      const float* const row = rows.data() + i * dim;
      const float weight = weight_of(bags, i);
      for (size_t d = 0; d < dim; ++d) sum[d] += row[d] * weight;
    }
    const float scale = bag_scale(bags, begin, end);
    if (scale == 1.0F) continue;
    for (size_t d = 0; d < dim; ++d) sum[d] *= scale;
  }
  return {};
}

Status RemoteTable::lookup_pooled(const BagBatch& bags, RowBatch out) {
  HOTROW_RETURN_IF_ERROR(check_bags(bags, "out", out.size(), options_.dim));
  const Traced traced(cluster_->sight(), "lookupPooled", name_);
  return guarded([&]() -> Status {
    const auto view = cluster_->view();
    if (view->several()) return pool_here(bags, out);
    const Deadline deadline = cluster_->deadline();
    auto number = numbers_.of(view->only(), deadline);
    if (!number.ok()) return number.status();
    Flight flight(Verb::kPooled);
    flight.rows = out;
    flight.exchange.pair = pair(Verb::kPooled);
    flight.exchange.generation = number.value().generation;
    const uint32_t its = number.value().number;
    Request& request = flight.exchange.request;
    request.add(0, its, Kind::kKeys, bags.keys);
    request.add(0, its, Kind::kOffsets, bags.offsets);
    if (!bags.weights.empty()) request.add(0, its, Kind::kWeights, bags.weights);
    CallOptions call;
    call.pooling = static_cast<uint32_t>(bags.pooling);
    request.add(0, its, call);
    request.header().epoch = view->epoch;
    const Status status = cluster_->peer(view->only()).run(flight.exchange, flight.reply, deadline);
    // Its keys are with others by now.
    if (status.code() == StatusCode::kWrongOwner) return pool_here(bags, out);
    return status;
  });
}

// With several servers: the gradient of each key, as a push.
Status RemoteTable::push_spread(const BagBatch& bags, ConstRowBatch bag_gradients,
                                const PushOptions& options) {
  for (const float weight : bags.weights) {
    if (std::isfinite(weight)) continue;
    return Status::invalid_argument("weights: expected finite values, received NaN or infinity");
  }
  const size_t dim = options_.dim;
  std::vector<float> gradients(bags.keys.size() * dim);
  BagGradients of(bags, bag_gradients.data(), dim);
  for (size_t i = 0; i < bags.keys.size(); ++i) {
    const auto [row, scale] = of(i);
    for (size_t d = 0; d < dim; ++d) gradients[i * dim + d] = row[d] * scale;
  }
  return push(bags.keys, gradients, options);
}

Status RemoteTable::push_pooled(const BagBatch& bags, ConstRowBatch bag_gradients,
                                const PushOptions& options) {
  HOTROW_RETURN_IF_ERROR(check_bags(bags, "gradients", bag_gradients.size(), options_.dim));
  const auto spread = [&] {
    return guarded([&] { return push_spread(bags, bag_gradients, options); });
  };
  if (cluster_->view()->several()) return spread();
  CallOptions call;
  call.pooling = static_cast<uint32_t>(bags.pooling);
  call.learning_rate = options.learning_rate;
  // A bag's keys are sent as they are: with one gradient a bag, adding up would make it longer.
  const Status status =
      push_in_step(Verb::kPushBags, bags.keys, {},
                   [&](Request& request, uint32_t number, const Pushed&, const Cut::Part*, Kept&) {
                     request.add(0, number, Kind::kKeys, bags.keys);
                     request.add(0, number, Kind::kOffsets, bags.offsets);
                     if (!bags.weights.empty())
                       request.add(0, number, Kind::kWeights, bags.weights);
                     request.add(0, number, Kind::kGradients, bag_gradients, options_.dim);
                     request.add(0, number, call);
                   });
  return status.code() == StatusCode::kWrongOwner ? spread() : status;
}

}  // namespace hotrow::client
