#include "store/gpu_tier.h"

#include <algorithm>
#include <utility>

namespace hotrow {

namespace {

// Of a table's part: less is no cache.
constexpr uint64_t kLeastBytes = uint64_t{64} << 10;

std::string version_text(uint32_t major, uint32_t minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

}  // namespace

GpuTier::Entry GpuTier::place(const std::shared_ptr<SparseTable>& table, float share) const {
  Entry entry{.table = table, .front = nullptr, .reason = {}};
  if (library_.api == nullptr) {
    entry.reason = library_.reason;
    return entry;
  }
  entry.reason =
      share == 0 ? "the table's option gpu is false" : DeviceTable::refusal(table->options());
  if (!entry.reason.empty()) return entry;
  const uint64_t left = options_.bytes - given_;
  // kGpuHalfOfRest is no share, and negative.
  const uint64_t bytes =
      share == kGpuHalfOfRest
          ? left / 2
          : std::min(static_cast<uint64_t>(static_cast<double>(options_.bytes) * double{share}),
                     left);
  if (bytes < kLeastBytes) {
    entry.reason = "too little is left of gpu.bytes: " + std::to_string(left) + " of " +
                   std::to_string(options_.bytes);
    return entry;
  }
  auto made = DeviceTable::create(table, {.api = *library_.api,
                                          .device = options_.device,
                                          .policy = options_.policy,
                                          .promotion = options_.promotion,
                                          .fill_above = options_.fill_above,
                                          .bytes = bytes});
  if (!made.ok()) {
    entry.reason = made.status().message();
    return entry;
  }
  entry.front = std::move(made).value();
  entry.bytes = bytes;
  return entry;
}

void GpuTier::add(const std::shared_ptr<SparseTable>& table, float share) {
  const MutexLock lock(mutex_);
  Entry entry = place(table, share);
  const uint64_t bytes = entry.bytes;
  entries_.push_back(std::move(entry));
  given_ += bytes;
}

void GpuTier::remove(const SparseTable* table) {
  // Without the lock: a thread that fills may wait for whoever keeps calls out, who needs it.
  if (const auto front = in_front_of(table)) front->stop_filling();
  const MutexLock lock(mutex_);
  const auto found = std::ranges::find_if(
      entries_, [&](const Entry& entry) { return entry.table.get() == table; });
  if (found == entries_.end()) return;
  if (found->front != nullptr) found->front->close();
  given_ -= found->bytes;
  entries_.erase(found);
}

std::shared_ptr<DeviceTable> GpuTier::in_front_of(const SparseTable* table) const {
  const MutexLock lock(mutex_);
  for (const Entry& entry : entries_) {
    if (entry.table.get() == table) return entry.front;
  }
  return nullptr;
}

std::vector<std::shared_ptr<DeviceTable>> GpuTier::all() const {
  const MutexLock lock(mutex_);
  std::vector<std::shared_ptr<DeviceTable>> fronts;
  for (const Entry& entry : entries_) {
    if (entry.front != nullptr) fronts.push_back(entry.front);
  }
  return fronts;
}

void GpuTier::forget() const {
  for (const auto& front : all()) front->forget();
}

GpuStats GpuTier::stats() const {
  GpuStats stats{.available = library_.api != nullptr, .reason = library_.reason};
  if (stats.available) {
    const TierDevice& device = library_.device;
    stats.device = device.name;
    stats.compute_capability = version_text(device.compute_major, device.compute_minor);
    stats.driver = version_text(device.driver_version / 1000, device.driver_version % 1000 / 10);
    stats.memory_bytes = device.memory_bytes;
  }
  const MutexLock lock(mutex_);
  for (const Entry& entry : entries_) {
    GpuTableStats its{.name = entry.table->name(), .reason = entry.reason};
    if (entry.front != nullptr) its = entry.front->device_stats();
    stats.used_bytes += its.used_bytes;
    stats.tables.push_back(std::move(its));
  }
  std::ranges::sort(stats.tables, {}, &GpuTableStats::name);
  return stats;
}

}  // namespace hotrow
