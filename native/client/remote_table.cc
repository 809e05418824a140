#include "client/remote_table.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <optional>

#include "base/bags.h"
#include "base/batch_check.h"
#include "base/guarded.h"

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

void Numbers::set(size_t server, const Number& number) {
  const MutexLock lock(mutex_);
  known_[server] = number;
}

Result<Numbers::Number> Numbers::of(size_t server, Deadline deadline) {
  Peer& peer = cluster_->peer(server);
  const uint64_t generation = peer.generation();
  {
    const MutexLock lock(mutex_);
    if (known_[server].generation == generation) return known_[server];
  }
  auto opened = cluster_->ask<wire::OpenedTable>(server, {.call = call_, .name = name_}, deadline,
                                                 Effect::kReads);
  if (!opened.ok()) return opened.status();
  // Of that process, or of a later one: then it is asked for once more.
  const Number number{opened.value().parameter, generation};
  set(server, number);
  return number;
}

RemoteTable::RemoteTable(std::shared_ptr<Cluster> cluster,
                         const std::vector<wire::OpenedTable>& opened,
                         const std::vector<uint64_t>& generations)
    : cluster_(std::move(cluster)),
      name_(opened.front().name),
      options_(opened.front().options),
      state_values_(opened.front().state_values),
      numbers_(cluster_, "table", name_) {
  for (size_t i = 0; i < opened.size(); ++i) {
    numbers_.set(i, {opened[i].parameter, generations[i]});
  }
}

// One request of a lookup and where its reply goes.
struct RemoteTable::Flight {
  explicit Flight(Verb verb)
      : reply([this](const wire::Section& section) -> std::span<std::byte> {
          if (section.kind == Kind::kFound) return std::as_writable_bytes(found);
          if (section.kind == Kind::kRows || section.kind == Kind::kState) {
            whole = true;
            return std::as_writable_bytes(rows);
          }
          return {};
        }),
        exchange(verb, Effect::kReads) {}

  size_t server = 0;
  KeyBatch keys;
  bool whole = false;  // the reply has had rows
  Reply reply;
  Exchange exchange;  // which ends before its reply
  std::span<float> rows;
  std::span<uint8_t> found;
  std::vector<float> landed;  // of several servers
  std::vector<uint8_t> landed_found;
  std::span<const uint32_t> from;  // of several servers: where row i goes
};

Status RemoteTable::fly(std::vector<std::unique_ptr<Flight>>& flights, Deadline deadline,
                        bool& stale) {
  std::deque<Flight*> under_way;
  Status first;
  const auto land = [&] {
    Flight& flight = *under_way.front();
    under_way.pop_front();
    Status status = cluster_->peer(flight.server).end(flight.exchange, flight.reply, deadline);
    if (status.ok() && !flight.whole) status = {StatusCode::kProtocol, "a reply without rows"};
    if (first.ok()) first = std::move(status);
    stale |= flight.exchange.stale;
  };
  for (const auto& flight : flights) {
    if (!first.ok()) break;
    if (under_way.size() >= kUnderWay * cluster_->size()) land();
    Status begun = cluster_->peer(flight->server).begin(flight->exchange, flight->reply, deadline);
    if (begun.ok()) {
      under_way.push_back(flight.get());
    } else if (first.ok()) {
      first = std::move(begun);
    }
    stale |= flight->exchange.stale;
  }
  // All of them: their arrays are the caller's.
  while (!under_way.empty()) land();
  return first;
}

// Once more when a server was started anew meanwhile: its numbers are others then.
Status RemoteTable::look_up(Verb verb, KeyBatch keys, std::span<float> out, size_t width,
                            const LookupOptions& options) {
  const Deadline deadline = cluster_->deadline();
  while (true) {
    bool stale = false;
    const Status status = look_up_once(verb, keys, out, width, options, deadline, stale);
    if (!stale || std::chrono::steady_clock::now() >= deadline) return status;
  }
}

Status RemoteTable::look_up_once(Verb verb, KeyBatch keys, std::span<float> out, size_t width,
                                 const LookupOptions& options, Deadline deadline, bool& stale) {
  const bool several = cluster_->size() > 1;
  const bool found = !options.found.empty();
  // Whole bytes of found bits in each piece.
  const uint64_t piece_bytes = cluster_->most_piece_bytes(kPieceBytes);
  const size_t piece =
      std::max<size_t>(piece_bytes / std::max<size_t>(width * sizeof(float), 1) & ~size_t{63}, 64);
  Cut parts;
  if (several) parts = cut(cluster_->placement(), cluster_->size(), keys);
  std::vector<std::unique_ptr<Flight>> flights;
  // Pieces in turn of all servers, so that they work at once.
  for (size_t at = 0, left = 1; left > 0; at += piece) {
    left = 0;
    for (size_t server = 0; server < cluster_->size(); ++server) {
      const KeyBatch all = several ? KeyBatch(parts.parts[server].keys) : keys;
      // An empty batch is still asked for: its errors are a batch's.
      if (at >= all.size() && !(at == 0 && keys.empty() && server == 0)) continue;
      const size_t n = std::min(piece, all.size() - at);
      if (at + n < all.size()) ++left;
      auto number = numbers_.of(server, deadline);
      if (!number.ok()) return number.status();
      auto& flight = *flights.emplace_back(std::make_unique<Flight>(verb));
      flight.server = server;
      flight.keys = all.subspan(at, n);
      if (several) {
        flight.from = std::span(parts.parts[server].from).subspan(at, n);
        flight.landed.resize(n * width);
        flight.rows = flight.landed;
        if (found) flight.landed_found.resize((n + 7) / 8);
        flight.found = flight.landed_found;
      } else {
        flight.rows = out.subspan(at * width, n * width);
        if (found) flight.found = options.found.subspan(at / 8, (n + 7) / 8);
      }
      flight.exchange.generation = number.value().generation;
      flight.exchange.request.add(0, number.value().number, Kind::kKeys, flight.keys);
      flight.exchange.request.add(0, number.value().number, call_options(options));
    }
  }
  HOTROW_RETURN_IF_ERROR(fly(flights, deadline, stale));
  if (!several) return {};
  if (found) std::fill(options.found.begin(), options.found.end(), uint8_t{0});
  for (const auto& flight : flights) {
    for (size_t i = 0; i < flight->from.size(); ++i) {
      const size_t to = flight->from[i];
      std::copy_n(flight->rows.data() + i * width, width, out.data() + to * width);
      if (found) set_bit(options.found, to, (flight->found[i / 8] >> (i % 8) & 1) != 0);
    }
  }
  return {};
}

Status RemoteTable::lookup(KeyBatch keys, RowBatch rows, const LookupOptions& options) {
  HOTROW_RETURN_IF_ERROR(
      check_lookup({.table = this, .keys = keys, .rows = rows, .options = options}, options_.dim));
  return guarded([&] { return look_up(Verb::kLookup, keys, rows, options_.dim, options); });
}

Status RemoteTable::lookup_state(KeyBatch keys, std::span<float> state,
                                 const LookupOptions& options) {
  HOTROW_RETURN_IF_ERROR(check_rows("state", keys, state.size(), state_values_));
  HOTROW_RETURN_IF_ERROR(check_found(options, keys.size()));
  return guarded([&] { return look_up(Verb::kState, keys, state, state_values_, options); });
}

// Once more when a server was started anew before anything had gone out.
template <class Fill>
Result<uint64_t> RemoteTable::change(Verb verb, KeyBatch keys, const Fill& fill) {
  const Deadline deadline = cluster_->deadline();
  const bool pushes = verb == Verb::kPush || verb == Verb::kPushBags;
  std::optional<PushOfStep> push;
  if (pushes) {
    push.emplace(cluster_->open_step(), cluster_->size());
    HOTROW_RETURN_IF_ERROR(push->status());
  }
  while (true) {
    bool stale = false;
    auto count = change_once(verb, keys, fill, deadline, push ? push->clock() : 0, stale);
    if (stale && std::chrono::steady_clock::now() < deadline) continue;
    if (push) (void)push->done(count.status());
    return count;
  }
}

template <class Fill>
Result<uint64_t> RemoteTable::change_once(Verb verb, KeyBatch keys, const Fill& fill,
                                          Deadline deadline, uint32_t clock, bool& stale) {
  return guarded([&]() -> Result<uint64_t> {
    Cut parts;
    if (cluster_->size() > 1) {
      parts = cut(cluster_->placement(), cluster_->size(), keys);
    } else {
      parts.parts.resize(1);
    }
    struct Sent {
      size_t server;
      std::vector<std::vector<float>> kept;
      CountReply reply;
      Exchange exchange;
      Sent(size_t its_server, Verb its_verb)
          : server(its_server), exchange(its_verb, Effect::kChanges) {}
    };
    std::vector<std::unique_ptr<Sent>> all;
    Status first;
    for (size_t server = 0; server < cluster_->size() && first.ok(); ++server) {
      const Cut::Part& part = parts.parts[server];
      const bool whole = cluster_->size() == 1 || (keys.empty() && server == 0);
      if (!whole && part.keys.empty()) continue;
      auto number = numbers_.of(server, deadline);
      if (!number.ok()) {
        first = number.status();
        break;
      }
      auto sent = std::make_unique<Sent>(server, verb);
      sent->exchange.generation = number.value().generation;
      sent->exchange.request.header().clock = clock;
      fill(sent->exchange.request, number.value().number, whole ? nullptr : &part, sent->kept);
      first = cluster_->peer(server).begin(sent->exchange, sent->reply, deadline);
      stale = sent->exchange.stale && all.empty();
      if (first.ok()) all.push_back(std::move(sent));
    }
    uint64_t count = 0;
    for (const auto& sent : all) {
      Status status = cluster_->peer(sent->server).end(sent->exchange, sent->reply, deadline);
      count += sent->reply.count;
      if (first.ok()) first = std::move(status);
    }
    if (!first.ok()) return first;
    return count;
  });
}

Status RemoteTable::push(KeyBatch keys, ConstRowBatch gradients, const PushOptions& options) {
  HOTROW_RETURN_IF_ERROR(check_rows("gradients", keys, gradients.size(), options_.dim));
  CallOptions call;
  call.learning_rate = options.learning_rate;
  return change(Verb::kPush, keys,
                [&](Request& request, uint32_t number, const Cut::Part* part, auto& kept) {
                  request.add(0, number, Kind::kKeys, part == nullptr ? keys : part->keys);
                  const ConstRowBatch rows =
                      part == nullptr
                          ? gradients
                          : kept.emplace_back(gather(gradients, options_.dim, part->from));
                  request.add(0, number, Kind::kGradients, rows, options_.dim);
                  request.add(0, number, call);
                })
      .status();
}

Status RemoteTable::update(KeyBatch keys, ConstRowBatch rows, const UpdateOptions& options) {
  HOTROW_RETURN_IF_ERROR(check_rows("rows", keys, rows.size(), options_.dim));
  if (!options.state.empty()) {
    HOTROW_RETURN_IF_ERROR(check_rows("state", keys, options.state.size(), state_values_));
  }
  CallOptions call;
  call.steps = options.steps;
  return change(Verb::kUpdate, keys,
                [&](Request& request, uint32_t number, const Cut::Part* part, auto& kept) {
                  kept.reserve(2);
                  const auto its = [&](std::span<const float> values, size_t width) {
                    if (part == nullptr) return values;
                    return std::span<const float>(
                        kept.emplace_back(gather(values, width, part->from)));
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
                [&](Request& request, uint32_t number, const Cut::Part* part, auto&) {
                  request.add(0, number, Kind::kKeys, part == nullptr ? keys : part->keys);
                });
}

Result<uint64_t> RemoteTable::set_scores(KeyBatch keys, std::span<const float> scores) {
  HOTROW_RETURN_IF_ERROR(check_rows("scores", keys, scores.size(), 1));
  return change(Verb::kScores, keys,
                [&](Request& request, uint32_t number, const Cut::Part* part, auto& kept) {
                  request.add(0, number, Kind::kKeys, part == nullptr ? keys : part->keys);
                  const std::span<const float> its =
                      part == nullptr ? scores : kept.emplace_back(gather(scores, 1, part->from));
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
  return guarded([&]() -> Status {
    if (cluster_->size() > 1) return pool_here(bags, out);
    const Deadline deadline = cluster_->deadline();
    auto number = numbers_.of(0, deadline);
    if (!number.ok()) return number.status();
    Flight flight(Verb::kPooled);
    flight.rows = out;
    flight.exchange.generation = number.value().generation;
    const uint32_t its = number.value().number;
    Request& request = flight.exchange.request;
    request.add(0, its, Kind::kKeys, bags.keys);
    request.add(0, its, Kind::kOffsets, bags.offsets);
    if (!bags.weights.empty()) request.add(0, its, Kind::kWeights, bags.weights);
    CallOptions call;
    call.pooling = static_cast<uint32_t>(bags.pooling);
    request.add(0, its, call);
    return cluster_->peer(0).run(flight.exchange, flight.reply, deadline);
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
  if (cluster_->size() > 1) {
    return guarded([&] { return push_spread(bags, bag_gradients, options); });
  }
  CallOptions call;
  call.pooling = static_cast<uint32_t>(bags.pooling);
  call.learning_rate = options.learning_rate;
  return change(Verb::kPushBags, bags.keys,
                [&](Request& request, uint32_t number, const Cut::Part*, auto&) {
                  request.add(0, number, Kind::kKeys, bags.keys);
                  request.add(0, number, Kind::kOffsets, bags.offsets);
                  if (!bags.weights.empty()) {
                    request.add(0, number, Kind::kWeights, bags.weights);
                  }
                  request.add(0, number, Kind::kGradients, bag_gradients, options_.dim);
                  request.add(0, number, call);
                })
      .status();
}

}  // namespace hotrow::client
