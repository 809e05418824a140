// `npm run bench:tier`: a table that demotes beside what its parts reach, and its hit rate beside
// exact simulations.
//
// Rate: lookups with a tenth of the rows in memory, beside hit rate x a table in memory + miss rate
// x RocksDB's MultiGet, each measured alone, by turns in the same run. Hit rates: the same keys in
// the same order through an exact LRU and an exact LFU of as many rows.
#include <rocksdb/db.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "hotrow/store.h"
#include "measure.h"
#include "simulate.h"
#include "storage/rocks.h"
#include "workload.h"

namespace hotrow::bench {
namespace {

constexpr double kExponent = 1.05;

struct Settings {
  uint64_t rows = 1'000'000;
  uint32_t dim = 64;
  size_t batch = 1024;
  int rounds = 5;
  std::string trace;
};

template <class T>
T must(Result<T> result) {
  if (result.ok()) return std::move(result).value();
  std::fprintf(stderr, "bench:tier: %s\n", result.status().message().c_str());
  std::exit(1);
}
void must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "bench:tier: %s\n", status.message().c_str());
  std::exit(1);
}

Settings read_settings(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const char* const value = argv[i + 1];
    if (name == "--rows") settings.rows = std::strtoull(value, nullptr, 10);
    if (name == "--dim") settings.dim = static_cast<uint32_t>(std::strtoul(value, nullptr, 10));
    if (name == "--batch") settings.batch = std::strtoull(value, nullptr, 10);
    if (name == "--rounds") settings.rounds = std::atoi(value);
    if (name == "--trace") settings.trace = value;
  }
  return settings;
}

double seconds_of(const std::function<void()>& work) {
  const double start = now_seconds();
  work();
  return now_seconds() - start;
}

double median(const std::vector<double>& values) { return Samples{.values = values}.median(); }

/// Ranks 0 … n - 1 with weights 1 / (rank + 1)^s, of those in [first, last).
class Zipf {
 public:
  Zipf(uint64_t first, uint64_t last) : first_(first) {
    double sum = 0;
    for (uint64_t rank = first; rank < last; ++rank) {
      sum += std::pow(static_cast<double>(rank + 1), -kExponent);
      sums_.push_back(sum);
    }
  }
  uint64_t draw() {
    const double at = random_.unit() * sums_.back();
    return first_ + static_cast<uint64_t>(std::ranges::upper_bound(sums_, at) - sums_.begin());
  }
  std::vector<uint64_t> draw(size_t n) {
    std::vector<uint64_t> ranks(n);
    for (uint64_t& rank : ranks) rank = draw();
    return ranks;
  }

 private:
  const uint64_t first_;
  std::vector<double> sums_;
  Random random_{1};
};

TableOptions options_of(uint32_t dim, EvictionPolicy policy, uint64_t most_rows) {
  TableOptions options{.dim = dim, .optimizer = {.kind = OptimizerKind::kSum}};
  if (most_rows > 0) {
    options.eviction = {.policy = policy, .max_rows = most_rows, .demote = true};
  }
  return options;
}

void fill(Table& table, uint64_t rows) {
  constexpr uint64_t kAtOnce = 500;
  const uint32_t dim = table.options().dim;
  for (uint64_t first = 0; first < rows; first += kAtOnce) {
    std::vector<uint64_t> keys(std::min(kAtOnce, rows - first));
    for (size_t i = 0; i < keys.size(); ++i) keys[i] = first + i;
    std::vector<float> values(keys.size() * dim);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(mix64(first * dim + i) >> 40);
    }
    must(table.update(keys, values));
  }
}

/// The rows of one version, read by RocksDB alone.
class PlainRocks {
 public:
  explicit PlainRocks(const std::string& folder) {
    std::vector<std::string> names;
    must_be_ok(rocksdb::DB::ListColumnFamilies(database_options(), folder, &names));
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names) families.emplace_back(name, family_options());
    rocksdb::DB* made = nullptr;
    must_be_ok(
        rocksdb::DB::OpenForReadOnly(database_options(), folder, families, &handles_, &made));
    db_.reset(made);
    uint64_t most = 0;
    for (auto* handle : handles_) {
      uint64_t keys = 0;
      (void)db_->GetIntProperty(handle, "rocksdb.estimate-num-keys", &keys);
      if (keys < most) continue;
      most = keys;
      family_ = handle;
    }
  }
  ~PlainRocks() {
    for (auto* handle : handles_) (void)db_->DestroyColumnFamilyHandle(handle);
  }
  PlainRocks(const PlainRocks&) = delete;
  PlainRocks& operator=(const PlainRocks&) = delete;

  void read(std::span<const uint64_t> keys, std::byte* out, size_t row_bytes) {
    std::vector<DiskKey> disk_keys(keys.size());
    std::vector<rocksdb::Slice> slices(keys.size());
    std::vector<rocksdb::PinnableSlice> rows(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      disk_keys[i] = disk_key(mix64(keys[i]));
      slices[i] = rocksdb::Slice(disk_keys[i].data(), disk_keys[i].size());
    }
    db_->MultiGet({}, family_, keys.size(), slices.data(), rows.data(), statuses.data());
    for (size_t i = 0; i < keys.size(); ++i) {
      must_be_ok(statuses[i]);
      std::memcpy(out + i * row_bytes, rows[i].data(), row_bytes);
    }
  }

 private:
  static void must_be_ok(const rocksdb::Status& status) {
    if (status.ok()) return;
    std::fprintf(stderr, "bench:tier: %s\n", status.ToString().c_str());
    std::exit(1);
  }

  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  rocksdb::ColumnFamilyHandle* family_ = nullptr;
};

/// Looks the keys up batch by batch.
void look_up(Table& table, std::span<const uint64_t> keys, size_t batch, std::vector<float>& out) {
  const uint32_t dim = table.options().dim;
  for (size_t first = 0; first < keys.size(); first += batch) {
    const size_t count = std::min(batch, keys.size() - first);
    must(table.lookup(keys.subspan(first, count), std::span(out).first(count * dim)));
  }
}

std::string newest_version(const std::string& path) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(path + "/versions")) {
    found.push_back(entry.path());
  }
  return std::ranges::max(found).string() + "/rows";
}

void rates(const Settings& settings, const std::string& folder) {
  const uint64_t hot = settings.rows / 10;
  const std::string path = folder + "/rates";
  constexpr EvictionPolicy kPolicy = EvictionPolicy::kAgeingLfu;
  const StoreOptions store_options{.memory_bytes = uint64_t{4} << 30, .threads = 1};
  {
    const auto store = must(Store::open(path, store_options));
    fill(*must(store->table("t", options_of(settings.dim, kPolicy, hot))), settings.rows);
    must(store->commit());
    must(store->compact());
    must(store->commit());
    store->close();
  }
  PlainRocks rocks(newest_version(path));
  const auto store = must(Store::open(path, store_options));
  const auto table = must(store->table("t", options_of(settings.dim, kPolicy, hot)));
  const auto memory = must(Store::open(":memory:", store_options));
  const auto resident = must(memory->table("t", options_of(settings.dim, kPolicy, 0)));
  fill(*resident, hot);
  Zipf all(0, settings.rows);
  Zipf hits(0, hot);
  Zipf misses(hot, settings.rows);
  std::vector<float> out(settings.batch * settings.dim);
  const size_t row_bytes = settings.dim * sizeof(float);
  look_up(*table, all.draw(4 * settings.rows), settings.batch, out);
  std::vector<double> tier;
  std::vector<double> in_memory;
  std::vector<double> multi_get;
  std::vector<double> ratios;
  std::vector<double> shares;
  for (int round = 0; round < settings.rounds; ++round) {
    const size_t keys = settings.batch * 256;
    const auto drawn = all.draw(keys);
    const auto hit = hits.draw(keys);
    const auto missed = misses.draw(keys / 4);
    const auto before = must(table->stats()).cold_hits;
    const auto per_key = [](double seconds, size_t n) { return seconds * 1e9 / n; };
    tier.push_back(per_key(seconds_of([&] { look_up(*table, drawn, settings.batch, out); }), keys));
    in_memory.push_back(
        per_key(seconds_of([&] { look_up(*resident, hit, settings.batch, out); }), keys));
    multi_get.push_back(per_key(seconds_of([&] {
                                  for (size_t first = 0; first < missed.size();
                                       first += settings.batch) {
                                    rocks.read(std::span(missed).subspan(first, settings.batch),
                                               reinterpret_cast<std::byte*>(out.data()), row_bytes);
                                  }
                                }),
                                missed.size()));
    const double share = 1 - static_cast<double>(must(table->stats()).cold_hits - before) /
                                 static_cast<double>(keys);
    shares.push_back(share);
    // Of rates: keys a second of each kind, weighted by how many keys are of it, is of times the
    // sum of what each kind of key takes.
    const double expected = share * in_memory.back() + (1 - share) * multi_get.back();
    ratios.push_back(expected / tier.back());
  }
  std::printf("lookups, %lu of %lu rows in memory, %zu bytes a row, Zipf %.2f, batches of %zu\n",
              static_cast<unsigned long>(hot), static_cast<unsigned long>(settings.rows), row_bytes,
              kExponent, settings.batch);
  std::printf("  in memory %.0f ns a key, MultiGet %.0f ns, tier %.0f ns, hit rate %.4f\n",
              median(in_memory), median(multi_get), median(tier), median(shares));
  std::printf("  (hit rate x memory + miss rate x MultiGet) / tier: %.2f (aim 0.8)\n\n",
              median(ratios));
  store->close();
}

const char* name_of(EvictionPolicy policy) {
  if (policy == EvictionPolicy::kLru) return "lru";
  return policy == EvictionPolicy::kLfu ? "lfu" : "ageingLfu";
}

void hit_rates(const std::string& what, const std::vector<uint64_t>& keys, uint64_t rows,
               std::span<const uint64_t> capacities, const std::string& folder) {
  const StoreOptions store_options{.memory_bytes = uint64_t{1} << 30, .threads = 1};
  std::printf("hit rates, %s: %zu keys\n", what.c_str(), keys.size());
  std::printf("  %8s %9s %9s %9s %9s %9s\n", "rows", "exact LRU", "exact LFU", "lru", "lfu",
              "ageingLfu");
  for (const uint64_t capacity : capacities) {
    std::printf("  %8lu %9.4f %9.4f", static_cast<unsigned long>(capacity),
                lru_hit_rate(keys, capacity), lfu_hit_rate(keys, capacity));
    for (const auto policy :
         {EvictionPolicy::kLru, EvictionPolicy::kLfu, EvictionPolicy::kAgeingLfu}) {
      // Each in a folder of its own: options of a table stay what they were.
      const std::string own =
          folder + "/" + what + "-" + name_of(policy) + std::to_string(capacity);
      const auto store = must(Store::open(own, store_options));
      const auto table = must(store->table("t", options_of(4, policy, capacity)));
      fill(*table, rows);
      must(store->commit());
      std::vector<float> out(4);
      const uint64_t before = must(table->stats()).cold_hits;
      look_up(*table, keys, 1, out);
      const uint64_t cold = must(table->stats()).cold_hits - before;
      std::printf(" %9.4f", 1 - static_cast<double>(cold) / static_cast<double>(keys.size()));
      std::fflush(stdout);
      store->close();
    }
    std::printf("\n");
  }
  std::printf("\n");
}

/// Lines `first count ignored sequence`.
std::vector<uint64_t> read_trace(const std::string& path, uint64_t& rows) {
  std::vector<uint64_t> keys;
  std::ifstream file(path);
  std::unordered_map<uint64_t, uint64_t> numbers;
  uint64_t first = 0;
  uint64_t count = 0;
  uint64_t ignored = 0;
  uint64_t sequence = 0;
  while (file >> first >> count >> ignored >> sequence) {
    for (uint64_t i = 0; i < count; ++i) {
      keys.push_back(numbers.try_emplace(first + i, numbers.size()).first->second);
    }
  }
  rows = numbers.size();
  return keys;
}

int run(int argc, char** argv) {
  const Settings settings = read_settings(argc, argv);
  std::string folder = (std::filesystem::temp_directory_path() / "hotrow-tier-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  rates(settings, folder);
  Zipf zipf(0, 100'000);
  const std::vector<uint64_t> tenth = {10'000};
  hit_rates("zipf-1.05", zipf.draw(1'000'000), 100'000, tenth, folder);
  if (!settings.trace.empty()) {
    uint64_t rows = 0;
    const auto keys = read_trace(settings.trace, rows);
    const std::vector<uint64_t> capacities = {1000, 2000, 5000, 10'000, 15'000};
    hit_rates("trace", keys, rows, capacities, folder);
  }
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace hotrow::bench

int main(int argc, char** argv) { return hotrow::bench::run(argc, argv); }
