#include "ours.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "hotrow/connect.h"
#include "hotrow/server.h"
#include "workload.h"

namespace hotrow::bench {

namespace {

void must(const Status& status) {
  if (!status.ok()) fail(status.message().c_str());
}

template <class T>
T must(Result<T> result) {
  must(result.status());
  return std::move(result).value();
}

std::string name_of(uint32_t table) { return "t" + std::to_string(table); }

void load(Table& table, const OurShape& shape) {
  constexpr uint64_t kBatch = 4096;
  std::vector<uint64_t> keys;
  std::vector<float> rows;
  for (uint64_t first = 0; first < shape.rows; first += kBatch) {
    const uint64_t n = std::min(kBatch, shape.rows - first);
    keys.resize(n);
    rows.resize(n * shape.dim);
    for (uint64_t i = 0; i < n; ++i) {
      keys[i] = key_of(first + i);
      fill_values(static_cast<uint32_t>(first + i),
                  std::span(rows).subspan(i * shape.dim, shape.dim));
    }
    must(table.update(keys, rows));
  }
}

}  // namespace

OurStore OurStore::local(const OurShape& shape) {
  // Half as much again for the index and for what grows.
  const uint64_t row_bytes = shape.dim * sizeof(float) + 64;
  const uint64_t memory = shape.rows * shape.tables * row_bytes * 3 / 2 + (uint64_t{1} << 28);
  OurStore made;
  made.store_ = must(Store::open(":memory:", {.memory_bytes = memory, .threads = 1}));
  for (uint32_t i = 0; i < shape.tables; ++i) {
    // The rule with the least work: what the wire costs is seen best.
    made.tables_.push_back(must(made.store_->table(
        name_of(i), {.dim = shape.dim, .optimizer = {.kind = OptimizerKind::kSgd}})));
    load(*made.tables_.back(), shape);
  }
  return made;
}

OurStore OurStore::connected(const OurShape& shape, uint16_t port) {
  return connected_to_all(shape, {&port, 1});
}

OurStore OurStore::connected_to_all(const OurShape& shape, std::span<const uint16_t> ports) {
  OurStore made;
  std::vector<std::string> servers;
  for (const uint16_t port : ports) servers.push_back("127.0.0.1:" + std::to_string(port));
  made.store_ = must(connect({.servers = servers,
                              .spin_us = shape.spin_us,
                              .tls = shape.client_tls,
                              .transport = shape.transport}));
  for (uint32_t i = 0; i < shape.tables; ++i) {
    made.tables_.push_back(must(made.store_->table(name_of(i))));
  }
  return made;
}

OurStore::~OurStore() {
  if (store_ != nullptr) store_->close();
}

void OurStore::lookup(std::span<const uint64_t> keys, std::span<float> rows) const {
  lookup_of(0, keys, rows);
}

void OurStore::lookup_of(size_t table, std::span<const uint64_t> keys,
                         std::span<float> rows) const {
  must(tables_[table]->lookup(keys, rows));
}

void OurStore::lookup_all(std::span<const uint64_t> keys, std::span<float> rows) const {
  std::vector<TableLookup> lookups(tables_.size());
  const size_t its_keys = keys.size() / tables_.size();
  const size_t its_values = rows.size() / tables_.size();
  for (size_t i = 0; i < tables_.size(); ++i) {
    lookups[i].table = tables_[i].get();
    lookups[i].keys = keys.subspan(i * its_keys, its_keys);
    lookups[i].rows = rows.subspan(i * its_values, its_values);
  }
  must(store_->lookup_all(lookups));
}

void OurStore::push(std::span<const uint64_t> keys, std::span<const float> gradients) const {
  must(tables_[0]->push(keys, gradients));
}

std::unique_ptr<Child> start_ours(const OurShape& shape) {
  return std::make_unique<Child>([&](const Child::Ready& ready) {
    // Neither ends before the process does.
    static const OurStore kStore = OurStore::local(shape);
    static const std::unique_ptr<Server> kServer =
        must(Server::start(kStore.store(), {.threads = 1,
                                            .spin_us = shape.spin_us,
                                            .tls = shape.server_tls,
                                            .transport = shape.transport}));
    const std::string address = kServer->address();
    ready(static_cast<uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1)));
  });
}

}  // namespace hotrow::bench
