// Lookups of one batch size on one stream of keys: the ceiling first, then the cache's operations
// and what else might be in their place.
#ifndef HOTROW_BENCH_GPU_LOOKUPS_H_
#define HOTROW_BENCH_GPU_LOOKUPS_H_

#include "raw.h"
#include "roofline.h"
#include "scene.h"
#include "variants.h"

namespace hotrow::bench::HOTROW_EXECUTOR {

/// Bytes that a probe must move: the key and its bucket's line.
inline constexpr double kProbeBytes = 8 + 64;

class Lookups {
 public:
  Lookups(Bench& bench, Scene& scene, const KeyStream& stream, uint64_t batch)
      : bench_(bench),
        scene_(scene),
        stream_(stream),
        n_(batch),
        stride_(std::max<uint64_t>(scene.row_bytes(), scene.dim() * 4)),
        out_(bench.device, batch * stride_),
        handles_(bench.device, batch),
        positions_(bench.device, batch),
        counts_(bench.device, kCounts) {}

  void all(bool variants) {
    raw();
    const double r = scene_.row_bytes();
    const double rows = 2 * r * stream_.hit_rate;
    rows_op("find_gather", kProbeBytes + rows,
            [&](uint32_t i) { return look_up(i, gpu::Output::kRaw, scene_.row_bytes(), false); });
    timed("probe", kProbeBytes + 4, "not checked", [&](uint32_t i) {
      return scene_.cache().find(keys(i), n_, handles_.data(), misses(i), touch(false),
                                 bench_.stream);
    });
    rows_op("gather", 4 + rows, [&](uint32_t i) {
      return scene_.cache().gather(handles(i), n_, gpu::Output::kRaw, out_.data(),
                                   scene_.row_bytes(), bench_.stream);
    });
    if (!variants) return;
    rows_op("find_gather_touch", kProbeBytes + rows + 8,
            [&](uint32_t i) { return look_up(i, gpu::Output::kRaw, scene_.row_bytes(), true); });
    if (scene_.halves()) decoded();
    for (const LookupVariant& variant : lookup_variants(scene_.row_bytes())) {
      rows_op(variant.name, kProbeBytes + rows, [&](uint32_t i) {
        return variant.launch(bench_.device,
                              {scene_.cache().view(), keys(i), n_, out_.data(), misses(i)},
                              bench_.stream);
      });
    }
  }

  /// find_gather once more, for the spread.
  void again() {
    rows_op("find_gather_again", kProbeBytes + 2 * scene_.row_bytes() * stream_.hit_rate,
            [&](uint32_t i) { return look_up(i, gpu::Output::kRaw, scene_.row_bytes(), false); });
  }

 private:
  static constexpr uint32_t kCounts = 4096;

  uint64_t* keys(uint32_t i) const { return stream_.keys.data() + KeyStream::at(i, n_); }
  uint32_t* handles(uint32_t i) const { return stream_.handles.data() + KeyStream::at(i, n_); }
  /// Every repeat has its own count, cleared before.
  gpu::MissList misses(uint32_t i) const {
    return {positions_.data(), counts_.data() + i % kCounts};
  }
  gpu::Touch touch(bool on) const { return scene_.cache().touch(scene_.moment(), on); }
  Status look_up(uint32_t i, gpu::Output output, uint64_t stride, bool touched) const {
    return scene_.cache().lookup(keys(i), n_, output, out_.data(), stride, misses(i),
                                 touch(touched), bench_.stream);
  }

  void raw() {
    for (const RawVariant& variant : raw_variants(scene_.row_bytes())) {
      const double best = ceiling_us_;
      rows_op(variant.name, gather_bytes(1, stream_.hit_rate, scene_.row_bytes()), [&](uint32_t i) {
        return variant.launch(bench_.device,
                              {scene_.cache().view().values, handles(i), n_, out_.data()},
                              bench_.stream);
      });
      ceiling_us_ = best == 0 ? last_us_ : std::min(best, last_us_);
    }
  }
  void decoded() {
    const double r = scene_.row_bytes();
    decoded_ = true;
    rows_op("find_gather_f32", kProbeBytes + (r + scene_.dim() * 4) * stream_.hit_rate,
            [&](uint32_t i) { return look_up(i, gpu::Output::kF32, scene_.dim() * 4, false); });
    decoded_ = false;
  }

  /// An operation that fills out_: checked, then timed.
  void rows_op(const char* op, double bytes_per_key, const Work& work) {
    if (!bench_.settings.has(op) && std::string(op).rfind("raw", 0) != 0) return;
    must(bench_.device.fill(out_.data(), kPoison, out_.bytes(), bench_.stream));
    must(bench_.device.fill(counts_.data(), 0, counts_.bytes(), bench_.stream));
    must(work(0));
    CheckRows check = {};
    check.keys = keys(0);
    check.handles = handles(0);
    check.out = out_.data();
    check.n = n_;
    check.stride = decoded_ ? scene_.dim() * 4 : scene_.row_bytes();
    check.words = static_cast<uint32_t>(check.stride / 4);
    check.halves = scene_.halves();
    check.decoded = decoded_;
    check.seed = static_cast<uint32_t>(n_);
    timed(op, bytes_per_key, check_rows(bench_, check), work);
  }
  void timed(const char* op, double bytes_per_key, const std::string& checks, const Work& work) {
    if (!bench_.settings.has(op) && std::string(op).rfind("raw", 0) != 0) return;
    must(bench_.device.fill(counts_.data(), 0, counts_.bytes(), bench_.stream));
    Point point;
    point.op = op;
    if (point.op.rfind("raw", 0) == 0) point.impl = "raw";
    point.dim = scene_.dim();
    point.dtype = decoded_ ? "f16-f32" : scene_.halves() ? "f16" : "f32";
    point.row_bytes = scene_.row_bytes();
    point.capacity = scene_.capacity();
    point.load = scene_.load();
    point.batch = n_;
    point.keys_kind = stream_.kind;
    point.alpha = stream_.alpha;
    point.hit_rate = stream_.hit_rate;
    point.checks = checks;
    point.times = bench_.clock.time(bench_.settings.repeats, work);
    point.bytes = static_cast<double>(n_) * bytes_per_key;
    last_us_ = point.times.median_us;
    if (last_us_ > 0 && point.impl != "raw") point.floor_frac = ceiling_us_ / last_us_;
    bench_.report.add(point);
  }

  Bench& bench_;
  Scene& scene_;
  const KeyStream& stream_;
  const uint64_t n_;
  const uint64_t stride_;
  Array<std::byte> out_;
  Array<uint32_t> handles_;
  Array<uint32_t> positions_;
  Array<uint32_t> counts_;
  double ceiling_us_ = 0;
  double last_us_ = 0;
  bool decoded_ = false;
};

}  // namespace hotrow::bench::HOTROW_EXECUTOR

#endif  // HOTROW_BENCH_GPU_LOOKUPS_H_
