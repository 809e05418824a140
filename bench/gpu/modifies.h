// Rows that come, go and change at full load: insert or evict, assign, flush.
#ifndef HOTROW_BENCH_GPU_MODIFIES_H_
#define HOTROW_BENCH_GPU_MODIFIES_H_

#include "roofline.h"
#include "scene.h"

namespace hotrow::bench::HOTROW_EXECUTOR {

/// Every row is dirty, or none.
struct MarkDirty {
  static constexpr unsigned kWidth = 32;
  gpu::CacheView cache;
  bool dirty;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t at = number * kWidth + lane;
      if (at >= cache.rows()) return;
      const auto handle = static_cast<uint32_t>(at);
      cache.dirty[handle] = dirty && !cache.is_empty(handle) ? 1 : 0;
    });
  }
};

class Modifies {
 public:
  Modifies(Bench& bench, Scene& scene, KeyStream& stream, uint64_t batch, double copy_bytes_per_us)
      : bench_(bench),
        scene_(scene),
        stream_(stream),
        n_(batch),
        copy_bytes_per_us_(copy_bytes_per_us),
        out_(bench.device, batch * scene.row_bytes()),
        handles_(bench.device, batch),
        count_(bench.device, 1) {}

  void all() {
    const double r = scene_.row_bytes();
    if (bench_.settings.has("insert")) {
      // Key, line, scores and flags read and written, the row read and written.
      insert("insert_clean", false, 8 + 2 * 64 + 2 * 32 + 2 * r);
      insert("insert_dirty", true, 8 + 2 * 64 + 2 * 32 + 2 * r + 8 + 2 * r);
    }
    scene_.list_resident();
    scene_.pick(stream_, 0);
    if (bench_.settings.has("assign")) assign();
    if (bench_.settings.has("flush")) flush();
    mark(false);
  }

 private:
  static constexpr uint32_t kRepeats = 20;
  static constexpr uint32_t kWarmUps = 3;

  void mark(bool dirty) {
    bench_.run(MarkDirty{scene_.cache().view(), dirty}, tiles32(scene_.capacity()));
  }
  Status clear_count(uint32_t* count) const {
    return bench_.device.fill(count, 0, sizeof *count, bench_.stream);
  }
  CheckRows checked(const uint64_t* keys, const uint32_t* handles, const std::byte* rows,
                    uint64_t n) const {
    CheckRows check = {};
    check.keys = keys;
    check.handles = handles;
    check.out = rows;
    check.n = n;
    check.stride = scene_.row_bytes();
    check.words = scene_.row_bytes() / 4;
    check.halves = scene_.halves();
    return check;
  }
  void add(const char* op, const Times& times, double bytes_per_key, const std::string& checks) {
    Point point;
    point.op = op;
    point.dim = scene_.dim();
    point.dtype = scene_.halves() ? "f16" : "f32";
    point.row_bytes = scene_.row_bytes();
    point.capacity = scene_.capacity();
    point.load = scene_.load();
    point.batch = n_;
    point.times = times;
    point.bytes = bytes_per_key * static_cast<double>(n_);
    if (times.median_us > 0) point.floor_frac = point.bytes / copy_bytes_per_us_ / times.median_us;
    point.checks = checks;
    bench_.report.add(point);
  }

  void insert(const char* op, bool dirty, double bytes_per_key) {
    const Times times = bench_.clock.time(
        kRepeats, [&](uint32_t) { return scene_.insert(n_); },
        [&](uint32_t) {
          scene_.make_new(n_);
          mark(dirty);
          return clear_count(scene_.evicted_count());
        },
        kWarmUps);
    std::string checks = check_inserted();
    const uint64_t evicted = bench_.read(scene_.evicted_count(), 1)[0];
    if (dirty != (evicted != 0)) checks = "wrong";
    if (evicted != 0 && checks == "ok") {
      checks = check_rows(bench_,
                          checked(scene_.evicted_keys(), nullptr, scene_.evicted_rows(), evicted));
    }
    add(op, times, bytes_per_key, checks);
  }
  /// The batch just inserted, but for rows that went again within it.
  std::string check_inserted() {
    must(bench_.device.fill(out_.data(), kPoison, out_.bytes(), bench_.stream));
    must(scene_.cache().find(scene_.batch_keys(), n_, handles_.data(), {}, {}, bench_.stream));
    must(scene_.cache().lookup(scene_.batch_keys(), n_, gpu::Output::kRaw, out_.data(),
                               scene_.row_bytes(), {}, {}, bench_.stream));
    const Array<uint64_t> hits(bench_.device, 1);
    must(bench_.device.fill(hits.data(), 0, 8, bench_.stream));
    bench_.run(CountHits{handles_.data(), n_, hits.data()}, tiles32(n_));
    if (bench_.read(hits.data(), 1)[0] < n_ / 4) return "wrong";
    return check_rows(bench_, checked(scene_.batch_keys(), handles_.data(), out_.data(), n_));
  }

  uint64_t* keys(uint32_t i) const { return stream_.keys.data() + KeyStream::at(i, n_); }
  void make_rows(uint32_t i, uint32_t salt) {
    const uint32_t chunks = scene_.row_bytes() / 16;
    bench_.run(MakeRows{keys(i), scene_.batch_rows(), n_, chunks, scene_.halves(), salt},
               tiles32(n_ * chunks));
  }
  Status assign_batch(uint32_t i) {
    return scene_.cache().assign({keys(i), scene_.batch_rows(), nullptr}, n_, false, {},
                                 bench_.stream);
  }
  void assign() {
    constexpr uint32_t kSalt = 5;
    const Times times = bench_.clock.time(
        kRepeats, [&](uint32_t i) { return assign_batch(i); },
        [&](uint32_t i) {
          make_rows(i, kSalt);
          return Status();
        },
        kWarmUps);
    must(bench_.device.fill(out_.data(), kPoison, out_.bytes(), bench_.stream));
    must(scene_.cache().lookup(keys(0), n_, gpu::Output::kRaw, out_.data(), scene_.row_bytes(), {},
                               {}, bench_.stream));
    CheckRows check = checked(keys(0), nullptr, out_.data(), n_);
    check.salt = kSalt;
    const std::string checks = check_rows(bench_, check);
    // Rows are again what their keys say.
    for (uint32_t i = 0; i < kRepeats + kWarmUps; ++i) {
      make_rows(i, 0);
      must(assign_batch(i));
    }
    add("assign", times, 8 + 64 + 2 * scene_.row_bytes() + 32, checks);
  }

  void flush() {
    const uint64_t buckets = std::min(n_ / gpu::kWays, scene_.cache().view().buckets);
    const Times times = bench_.clock.time(
        kRepeats,
        [&](uint32_t) {
          return scene_.cache().flush(0, buckets,
                                      {scene_.evicted_keys(), scene_.evicted_rows(), nullptr},
                                      count_.data(), bench_.stream);
        },
        [&](uint32_t) {
          mark(true);
          return clear_count(count_.data());
        },
        kWarmUps);
    const uint64_t flushed = bench_.read(count_.data(), 1)[0];
    const std::string checks = flushed == 0
                                   ? "wrong"
                                   : check_rows(bench_, checked(scene_.evicted_keys(), nullptr,
                                                                scene_.evicted_rows(), flushed));
    add("flush", times, 2 + 8 * 2 + 2 * scene_.row_bytes(), checks);
  }

  Bench& bench_;
  Scene& scene_;
  KeyStream& stream_;
  const uint64_t n_;
  const double copy_bytes_per_us_;
  Array<std::byte> out_;
  Array<uint32_t> handles_;
  Array<uint32_t> count_;
};

}  // namespace hotrow::bench::HOTROW_EXECUTOR

#endif  // HOTROW_BENCH_GPU_MODIFIES_H_
