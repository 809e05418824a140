#include "faults/plain_store.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/failing_new.h"

namespace hotrow::test {

namespace {

const std::string kEvicting = "evicting";
const StoreOptions kOptions{.memory_bytes = 256 * kMiB, .threads = 1};
const std::string kDropped = "dropped";
constexpr const char* kName = "prod";

bool has(const std::vector<uint8_t>& found, uint64_t i) {
  return (found[i / 8] >> (i % 8) & 1) != 0;
}

}  // namespace

TableOptions PlainStore::options_of(const std::string& name, const State& state) {
  TableOptions options = sum_table(state.dims.at(name));
  if (name == kEvicting) options.eviction.policy = EvictionPolicy::kLru;
  return options;
}

Status PlainStore::open(const std::string& path) {
  close();
  path_ = path;
  auto store = Store::open(path, kOptions);
  if (!store.ok()) return store.status();
  store_ = std::move(store).value();
  return opened();
}

Status PlainStore::open(const std::string& path, uint64_t nth, bool& fired) {
  close();
  Result<std::shared_ptr<Store>> store = Status();
  {
    const OurFailingAllocation failing(nth);
    store = Store::open(path, kOptions);
    fired = FailingAllocation::fired();
  }
  if (!store.ok()) return store.status();
  store_ = std::move(store).value();
  return opened();
}

Status PlainStore::opened() {
  const auto info = store_->version();
  if (!info.ok()) return info.status();
  const VersionInfo& version = info.value();
  const uint64_t cursor = version.cursor.empty() ? 0 : std::stoull(version.cursor);
  if (versions_.empty()) versions_[0] = {};
  const auto found = versions_.find(cursor);
  if (found == versions_.end()) {
    ADD_FAILURE() << "found version " << version.version << " of commit " << cursor
                  << ", acknowledged was " << acknowledged_;
    return {StatusCode::kInternal, "another version"};
  }
  now_ = found->second;
  versions_ = {{cursor, now_}};
  acknowledged_ = cursor;
  const auto number = named();
  if (!number.ok()) return number.status();
  EXPECT_TRUE(named_.contains(number.value())) << "'" << kName << "' is of " << number.value();
  named_ = {number.value()};
  EXPECT_EQ(must(store_->list()).size(), now_.tables.size() + (now_.dims.contains("") ? 1 : 0));
  Status status;
  for (const auto& [name, rows] : now_.tables) {
    // Some are left alone until a call needs them.
    if (random_.one_in(4)) continue;
    if (table(name, status) == nullptr) return status;
  }
  auto dense = store_->dense("w", {.shape = {2, 3}, .optimizer = {.kind = OptimizerKind::kSum}});
  if (!dense.ok()) return dense.status();
  dense_ = std::move(dense).value();
  now_.dims[""] = 1;
  compare();
  return {};
}

void PlainStore::close() {
  tables_.clear();
  dense_.reset();
  if (store_) store_->close();
  store_.reset();
}

Table* PlainStore::table(const std::string& name, Status& status) {
  const auto known = tables_.find(name);
  if (known != tables_.end()) return known->second.get();
  if (!now_.dims.contains(name)) {
    now_.dims[name] = static_cast<uint32_t>(random_.between(1, 3));
    now_.tables[name];
  }
  auto opened = store_->table(name, options_of(name, now_));
  status = opened.status();
  if (!opened.ok()) return nullptr;
  return (tables_[name] = std::move(opened).value()).get();
}

Table& PlainStore::table(const std::string& name) {
  Status status;
  Table* const found = table(name, status);
  must(status);
  return *found;
}

void PlainStore::push(const std::string& name) {
  push(name, random_.keys(random_.between(1, 30), kKeys));
}

void PlainStore::push(const std::string& name, const std::vector<uint64_t>& keys) {
  Table& table = this->table(name);
  const uint32_t dim = table.options().dim;
  std::vector<float> gradients(keys.size() * dim);
  Rows& rows = now_.tables[name];
  for (size_t i = 0; i < keys.size(); ++i) {
    std::vector<float>& row = rows[keys[i]];
    row.resize(dim);
    for (uint32_t lane = 0; lane < dim; ++lane) {
      row[lane] += gradients[i * dim + lane] = static_cast<float>(random_.between(1, 9));
    }
  }
  must(table.push(keys, gradients));
}

void PlainStore::erase(const std::string& name) {
  Table& table = this->table(name);
  const std::vector<uint64_t> keys = random_.keys(random_.between(1, 20), kKeys);
  for (const uint64_t key : keys) now_.tables[name].erase(key);
  must(table.erase(keys).status());
}

void PlainStore::evict() {
  Table& table = this->table(kEvicting);
  must(table.evict(random_.between(1, 8)).status());
  const std::vector<uint64_t> keys = range(0, kKeys);
  std::vector<float> rows(kKeys * table.options().dim);
  std::vector<uint8_t> found((kKeys + 7) / 8);
  must(table.lookup(keys, rows, {.found = found}));
  Rows& model = now_.tables[kEvicting];
  for (uint64_t key = 0; key < kKeys; ++key) {
    if (!has(found, key)) model.erase(key);
  }
}

void PlainStore::change() {
  // Their rows then take the place of what lies on disk, now and then.
  if (random_.one_in(3)) {
    push("plain", range(0, kKeys));
    push(kDropped, range(0, kKeys));
  }
  for (uint64_t calls = random_.between(1, 4); calls > 0; --calls) {
    switch (random_.below(8)) {
      case 0:
        erase("plain");
        break;
      case 1:
        evict();
        break;
      case 2: {
        if (now_.tables.erase(kDropped) != 0) {
          tables_.erase(kDropped);
          now_.dims.erase(kDropped);
          must(store_->drop(kDropped));
        }
        break;
      }
      case 3:
        push(kDropped);
        break;
      case 4: {
        const std::vector<float> gradient = random_.reals(kDense);
        for (size_t i = 0; i < kDense; ++i) now_.dense[i] += gradient[i];
        must(dense_->push(gradient));
        break;
      }
      case 5:
        push(kEvicting);
        break;
      default:
        push("plain");
    }
  }
}

Status PlainStore::commit() {
  const uint64_t cursor = next_cursor_++;
  versions_[cursor] = now_;
  kept_[cursor] = now_;
  return committed(cursor, store_->commit({.cursor = std::to_string(cursor)}));
}

Status PlainStore::commit(uint64_t nth, bool& fired) {
  const uint64_t cursor = next_cursor_++;
  versions_[cursor] = now_;
  const std::string text = std::to_string(cursor) + " and words that need memory of their own";
  Result<VersionInfo> version = Status();
  {
    const OurFailingAllocation failing(nth);
    version = store_->commit({.cursor = text});
    fired = FailingAllocation::fired();
  }
  return committed(cursor, version);
}

Status PlainStore::committed(uint64_t cursor, const Result<VersionInfo>& version) {
  if (!version.ok()) return version.status();
  versions_ = {{cursor, now_}};
  acknowledged_ = cursor;
  return {};
}

Status PlainStore::name() {
  const auto newest = store_->version();
  if (!newest.ok()) return newest.status();
  if (!newest.value().kept) return {};
  const uint64_t version = newest.value().version;
  named_.insert(version);
  const Status status = store_->name_version(kName, version);
  if (status.ok()) named_ = {version};
  return status;
}

Result<uint64_t> PlainStore::named() {
  const auto versions = store_->versions();
  if (!versions.ok()) return versions.status();
  for (const VersionInfo& version : versions.value()) {
    if (std::ranges::count(version.names, kName) > 0) return version.version;
  }
  return uint64_t{0};
}

void PlainStore::compare_kept() {
  const auto all = must(store_->versions());
  if (all.empty()) return;
  const VersionInfo& one = all[random_.below(all.size())];
  StoreOptions options = kOptions;
  options.read_only = true;
  options.version = std::to_string(one.version);
  const auto then = must(Store::open(path_, options));
  const auto state = kept_.find(std::stoull(one.cursor));
  ASSERT_NE(state, kept_.end()) << one.cursor;
  for (const auto& [name, rows] : state->second.tables) {
    compare(*must(then->table(name, options_of(name, state->second))), name, rows);
  }
  then->close();
}

void PlainStore::compare() {
  for (const auto& [name, open] : tables_) compare(name);
  std::vector<float> values(kDense);
  must(dense_->pull(values));
  EXPECT_EQ(values, now_.dense);
}

void PlainStore::compare(const std::string& name) {
  compare(*tables_.at(name), name, now_.tables.at(name));
}

void PlainStore::compare(Table& table, const std::string& name, const Rows& model) {
  const uint32_t dim = table.options().dim;
  const std::vector<uint64_t> keys = range(0, kKeys);
  std::vector<float> rows(kKeys * dim);
  std::vector<uint8_t> found((kKeys + 7) / 8);
  must(table.lookup(keys, rows, {.found = found}));
  for (uint64_t key = 0; key < kKeys; ++key) {
    const auto expected = model.find(key);
    ASSERT_EQ(has(found, key), expected != model.end()) << "'" << name << "' key " << key;
    if (expected == model.end()) continue;
    const auto first = rows.begin() + static_cast<ptrdiff_t>(key * dim);
    const std::vector<float> row(first, first + dim);
    ASSERT_EQ(row, expected->second) << "'" << name << "' key " << key;
  }
  EXPECT_EQ(stats_of(table).rows, model.size()) << name;
}

}  // namespace hotrow::test
