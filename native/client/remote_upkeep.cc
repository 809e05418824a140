// A remote table's calls but those of a batch: most are calls in text, of every server.
#include <algorithm>
#include <optional>

#include "base/batch_check.h"
#include "base/guarded.h"
#include "base/hash.h"
#include "client/remote_table.h"

namespace hotrow::client {

namespace {

using wire::Kind;

// Sums what sums, and of the rest takes the worst.
void add(TableStats& sum, const TableStats& its) {
  sum.rows += its.rows;
  sum.cold_rows += its.cold_rows;
  sum.candidates += its.candidates;
  sum.row_bytes = its.row_bytes;
  sum.row_memory_bytes += its.row_memory_bytes;
  sum.index_memory_bytes += its.index_memory_bytes;
  sum.filter_memory_bytes += its.filter_memory_bytes;
  sum.hot_keys_memory_bytes += its.hot_keys_memory_bytes;
  sum.buckets += its.buckets;
  sum.bucket_keys = its.bucket_keys;
  sum.shards += its.shards;
  sum.load = std::max(sum.load, its.load);
  sum.mean_probe = std::max(sum.mean_probe, its.mean_probe);
  sum.longest_probe = std::max(sum.longest_probe, its.longest_probe);
  sum.lookups += its.lookups;
  sum.hits += its.hits;
  sum.pushes += its.pushes;
  sum.updates += its.updates;
  sum.steps = std::max(sum.steps, its.steps);
  sum.created += its.created;
  sum.erased += its.erased;
  sum.skipped_gradients += its.skipped_gradients;
  sum.not_admitted += its.not_admitted;
  sum.evicted_capacity += its.evicted_capacity;
  sum.evicted_expired += its.evicted_expired;
  sum.evicted_demand += its.evicted_demand;
  sum.evicted_shrink += its.evicted_shrink;
  sum.cold_hits += its.cold_hits;
  sum.demoted += its.demoted;
  sum.promoted += its.promoted;
  sum.spilled_rows += its.spilled_rows;
  sum.grown_shards += its.grown_shards;
}

}  // namespace

Result<std::string> RemoteTable::tell(size_t server, wire::Call call, Effect effect) {
  const Deadline deadline = cluster_->deadline();
  auto number = numbers_.of(server, deadline);
  if (!number.ok()) return number.status();
  call.parameter = number.value().number;
  return cluster_->call(server, call, deadline, effect, number.value().generation);
}

Status RemoteTable::tell_all(const wire::Call& call, Effect effect) {
  return guarded([&]() -> Status {
    const auto view = cluster_->newest_view();
    for (const uint32_t server : view->members) {
      HOTROW_RETURN_IF_ERROR(tell(server, call, effect).status());
    }
    return {};
  });
}

template <class T>
Result<T> RemoteTable::ask(size_t server, const wire::Call& call, Effect effect) {
  auto text = tell(server, call, effect);
  if (!text.ok()) return text.status();
  return wire::from_text<T>(text.value());
}

Result<uint64_t> RemoteTable::count(const wire::Call& call) {
  return guarded([&]() -> Result<uint64_t> {
    uint64_t sum = 0;
    const auto view = cluster_->newest_view();
    for (const uint32_t server : view->members) {
      auto its = ask<uint64_t>(server, call, Effect::kOnce);
      if (!its.ok()) return its.status();
      sum += its.value();
    }
    return sum;
  });
}

Result<uint64_t> RemoteTable::prefetch(KeyBatch keys) {
  HOTROW_RETURN_IF_ERROR(check_keys(keys));
  return uint64_t{0};
}

Status RemoteTable::reserve(uint64_t rows) {
  // A share and a sixteenth: slots are even, not equal.
  const size_t servers = cluster_->newest_view()->members.size();
  const uint64_t share = servers == 1 ? rows : rows / servers * 17 / 16 + 1;
  return tell_all({.call = "reserve", .number = share}, Effect::kReads);
}

Result<uint64_t> RemoteTable::evict(uint64_t rows) {
  const size_t servers = cluster_->newest_view()->members.size();
  const uint64_t share = (rows + servers - 1) / servers;
  return count({.call = "evict", .number = share});
}

Result<uint64_t> RemoteTable::shrink(const ShrinkOptions& options) {
  return count({.call = "shrink", .shrink = options});
}

Status RemoteTable::decay(double factor) {
  return tell_all({.call = "decay", .real = factor}, Effect::kOnce);
}

Result<std::vector<EvictedKey>> RemoteTable::take_evicted(size_t most) {
  return guarded([&]() -> Result<std::vector<EvictedKey>> {
    const Deadline deadline = cluster_->deadline();
    std::vector<EvictedKey> all;
    const auto view = cluster_->newest_view();
    for (const uint32_t server : view->members) {
      if (all.size() >= most) break;
      auto number = numbers_.of(server, deadline);
      if (!number.ok()) return number.status();
      std::vector<uint64_t> keys;
      std::vector<uint8_t> reasons;
      Reply reply([&](const wire::Section& section) -> std::span<std::byte> {
        if (section.kind == Kind::kKeys) keys.resize(section.bytes / sizeof(uint64_t));
        if (section.kind == Kind::kKeys) return std::as_writable_bytes(std::span(keys));
        if (section.kind == Kind::kBytes) reasons.resize(section.bytes);
        if (section.kind == Kind::kBytes) return std::as_writable_bytes(std::span(reasons));
        return {};
      });
      wire::CallOptions options;
      options.most = most - all.size();
      // What was taken is gone there, so it is not asked for twice.
      Exchange exchange(wire::Verb::kEvicted, Effect::kOnce);
      exchange.pair = pair(wire::Verb::kEvicted);
      exchange.generation = number.value().generation;
      exchange.request.add(0, number.value().number, options);
      HOTROW_RETURN_IF_ERROR(cluster_->peer(server).run(exchange, reply, deadline));
      if (keys.size() != reasons.size()) {
        return Status(StatusCode::kProtocol, "evicted keys without their reasons");
      }
      for (size_t i = 0; i < keys.size(); ++i) {
        if (reasons[i] > static_cast<uint8_t>(EvictionReason::kShrink)) reasons[i] = 0;
        all.push_back({keys[i], static_cast<EvictionReason>(reasons[i])});
      }
    }
    return all;
  });
}

Result<ScanPage> RemoteTable::scan_one(size_t server, uint64_t from, size_t rows,
                                       const ScanOptions& options, Newest& newest) {
  const Deadline deadline = cluster_->deadline();
  auto number = numbers_.of(server, deadline);
  if (!number.ok()) return number.status();
  PageReply reply;
  wire::CallOptions call;
  if (options.state) call.flags = wire::kWantsState;
  call.from = from;
  call.most = rows;
  Exchange exchange(wire::Verb::kScan, Effect::kReads);
  exchange.pair = pair(wire::Verb::kScan);
  exchange.generation = number.value().generation;
  exchange.request.add(0, number.value().number, call);
  HOTROW_RETURN_IF_ERROR(cluster_->peer(server).run(exchange, reply, deadline));
  if (reply.epoch > newest.epoch) newest = {server, reply.epoch};
  return reply.page(options_.dim, options.state ? state_values_ : 0);
}

// Each server has a share of the page, in the order of hashes. The page ends where the first of
// them ends, so that it has all rows up to there. Rows that a server has of slots of others are
// none: they were there before those slots went elsewhere.
Result<ScanPage> RemoteTable::scan_all(const View& view, uint64_t from, size_t rows,
                                       const ScanOptions& options, Newest& newest) {
  HOTROW_RETURN_IF_ERROR(check_page_rows(rows));
  std::vector<ScanPage> shares;
  std::optional<uint64_t> end;
  for (const uint32_t server : view.members) {
    auto share = scan_one(server, from, rows / view.members.size() + 1, options, newest);
    if (!share.ok()) return share.status();
    if (share.value().next) end = std::min(end.value_or(UINT64_MAX), *share.value().next);
    shares.push_back(std::move(share).value());
  }
  struct Place {
    uint64_t hash;
    uint32_t share;
    uint32_t row;
  };
  std::vector<Place> places;
  for (uint32_t share = 0; share < shares.size(); ++share) {
    for (uint32_t row = 0; row < shares[share].keys.size(); ++row) {
      const uint64_t key = shares[share].keys[row];
      if (view.placement.server_of(key) != view.members[share]) continue;
      const uint64_t hash = mix64(key);
      if (!end || hash < *end) places.push_back({hash, share, row});
    }
  }
  std::ranges::sort(places, {}, &Place::hash);
  ScanPage page;
  page.next = end;
  const auto append = [](std::vector<float>& to, const std::vector<float>& values, size_t row,
                         size_t width) {
    const auto first = values.begin() + static_cast<ptrdiff_t>(row * width);
    to.insert(to.end(), first, first + static_cast<ptrdiff_t>(width));
  };
  for (const Place& place : places) {
    const ScanPage& share = shares[place.share];
    page.keys.push_back(share.keys[place.row]);
    append(page.rows, share.rows, place.row, options_.dim);
    if (options.state) append(page.state, share.state, place.row, state_values_);
  }
  return page;
}

Result<ScanPage> RemoteTable::scan(uint64_t from, size_t rows, const ScanOptions& options) {
  return guarded([&]() -> Result<ScanPage> {
    const Deadline deadline = cluster_->deadline();
    while (true) {
      const auto view = cluster_->view();
      Newest newest{view->only(), view->epoch};
      auto page = view->several() ? scan_all(*view, from, rows, options, newest)
                                  : scan_one(view->only(), from, rows, options, newest);
      // A server goes by a newer placement: by that one the page's rows may be with others.
      if (!page.ok() || newest.epoch == view->epoch) return page;
      if (!cluster_->catch_up(newest.server, newest.epoch, view->epoch, deadline)) {
        return Status(StatusCode::kWrongOwner, "scan: epoch " + std::to_string(newest.epoch) +
                                                   " of the placement holds, and this client "
                                                   "could not take it");
      }
    }
  });
}

Result<std::vector<HotKey>> RemoteTable::hot_keys(size_t most) {
  return guarded([&]() -> Result<std::vector<HotKey>> {
    std::vector<HotKey> all;
    const auto view = cluster_->newest_view();
    for (const uint32_t server : view->members) {
      auto its =
          ask<std::vector<HotKey>>(server, {.call = "hotKeys", .number = most}, Effect::kReads);
      if (!its.ok()) return its.status();
      all.insert(all.end(), its.value().begin(), its.value().end());
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const HotKey& a, const HotKey& b) { return a.count > b.count; });
    if (all.size() > most) all.resize(most);
    return all;
  });
}

Result<TableStats> RemoteTable::stats() {
  return guarded([&]() -> Result<TableStats> {
    TableStats sum;
    const auto view = cluster_->newest_view();
    for (const uint32_t server : view->members) {
      auto its = ask<TableStats>(server, {.call = "tableStats"}, Effect::kReads);
      if (!its.ok()) return its.status();
      add(sum, its.value());
    }
    return sum;
  });
}

}  // namespace hotrow::client
