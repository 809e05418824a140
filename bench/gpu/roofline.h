// `roofline`: what the device and its bus can do, whatever a cache does with them.
#ifndef HOTROW_BENCH_GPU_ROOFLINE_H_
#define HOTROW_BENCH_GPU_ROOFLINE_H_

#include "kernels.h"
#include "raw.h"
#ifdef __CUDACC__
#include "links.h"
#endif

namespace hotrow::bench::HOTROW_EXECUTOR {

/// handles [n]: random ones of `rows`, none twice until all were.
struct PickHandles {
  static constexpr unsigned kWidth = 32;
  Shuffle shuffle;
  uint32_t* handles;
  uint64_t n;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t i = number * kWidth + lane;
      if (i < n) handles[i] = static_cast<uint32_t>(shuffle.at(i % shuffle.n));
    });
  }
};

/// keys [n] of handles [n]: the row of handle h is that of key_of(h).
struct KeysOfHandles {
  static constexpr unsigned kWidth = 32;
  const uint32_t* handles;
  uint64_t* keys;
  uint64_t n;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t i = number * kWidth + lane;
      if (i < n) keys[i] = key_of(handles[i]);
    });
  }
};

/// Rows in a hundredth of a batch, checked.
inline std::string check_rows(Bench& bench, CheckRows check) {
  Array<uint64_t> wrong(bench.device, 2);
  must(bench.device.fill(wrong.data(), 0, wrong.bytes(), bench.stream));
  check.wrong = wrong.data();
  bench.run(check, (check.n + kCheckedOf - 1) / kCheckedOf);
  const std::vector<uint64_t> counts = bench.read(wrong.data(), 2);
  return counts[0] == 0 && counts[1] != 0 ? "ok" : "wrong";
}

inline void random_gathers(Bench& bench) {
  if (bench.report.late("random gathers")) return;
  const bool tiny = !Device::kOnDevice;
  const uint64_t pool = tiny ? 1 << 20 : static_cast<uint64_t>(bench.settings.pool_gib * 0x1p30);
  const uint64_t batch = tiny ? 5000 : 1 << 20;
  constexpr uint32_t kBatches = 8;
  Array<std::byte> rows(bench.device, pool);
  Array<std::byte> out(bench.device, batch * 512);
  Array<uint64_t> keys(bench.device, pool / 32);
  Array<uint32_t> handles(bench.device, batch * kBatches);
  for (const uint32_t row_bytes : {32U, 64U, 128U, 256U, 512U}) {
    if (bench.report.late("random gather of rows of " + std::to_string(row_bytes))) return;
    const uint64_t count = pool / row_bytes;
    bench.run(MakeKeys{keys.data(), count, 0}, tiles32(count));
    const uint32_t chunks = row_bytes / 16;
    bench.run(MakeRows{keys.data(), rows.data(), count, chunks, false, 0}, tiles32(count * chunks));
    bench.run(PickHandles{Shuffle::of(count), handles.data(), handles.size()},
              tiles32(handles.size()));
    bench.run(KeysOfHandles{handles.data(), keys.data(), batch}, tiles32(batch));
    for (const RawVariant& variant : raw_variants(row_bytes)) {
      const auto task = [&](uint32_t i) {
        return RawTask{rows.data(), handles.data() + i % kBatches * batch, batch, out.data()};
      };
      must(bench.device.fill(out.data(), kPoison, out.bytes(), bench.stream));
      must(variant.launch(bench.device, task(0), bench.stream));
      CheckRows check = {};
      check.keys = keys.data();
      check.out = out.data();
      check.n = batch;
      check.stride = row_bytes;
      check.words = row_bytes / 4;
      Point point;
      point.checks = check_rows(bench, check);
      point.op = variant.name;
      point.impl = "raw";
      point.row_bytes = row_bytes;
      point.dim = row_bytes / 4;
      point.capacity = count;
      point.load = 1;
      point.hit_rate = 1;
      point.batch = batch;
      point.times = bench.clock.time(bench.settings.repeats, [&](uint32_t i) {
        return variant.launch(bench.device, task(i), bench.stream);
      });
      point.bytes = gather_bytes(batch, 1, row_bytes);
      bench.report.add(point);
    }
  }
}

inline void roofline(Bench& bench) {
#ifdef __CUDACC__
  links(bench);
#endif
  random_gathers(bench);
}

}  // namespace hotrow::bench::HOTROW_EXECUTOR

#endif  // HOTROW_BENCH_GPU_ROOFLINE_H_
