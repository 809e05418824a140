// The functions of TierApi, for one kind of device. Included by the libraries: tier_cuda.cu and
// tier_emulated.cc, which say how a device is made.
#ifndef HOTROW_CUDA_TIER_INL_H_
#define HOTROW_CUDA_TIER_INL_H_

#include <exception>
#include <memory>
#include <string>

#include "cuda/staged_cache.h"

namespace hotrow {

/// The opaque cache of TierApi.
struct TierCache {};

namespace gpu {

/// What went wrong for the thread's last call.
inline const char* keep(const Status& status) {
  thread_local std::string text;
  if (status.ok()) return nullptr;
  text = status.message();
  return text.c_str();
}

template <class Device>
struct OpaqueCache final : TierCache {
  explicit OpaqueCache(std::unique_ptr<StagedCache<Device>> made) : cache(std::move(made)) {}
  std::unique_ptr<StagedCache<Device>> cache;
};

template <class Device>
class Api {
 public:
  using Make = std::unique_ptr<Device> (*)(uint32_t number);

  static const TierApi* make(Make make_device) {
    static Make maker;
    maker = make_device;
    static const TierApi api = {
        .abi = kTierAbi,
        .describe =
            [](uint32_t number, TierDevice* out) {
              return guarded([&] { return maker(number)->describe(*out); });
            },
        .create =
            [](const TierSpec* spec, TierCache** out) {
              return guarded([&] {
                auto cache = StagedCache<Device>::create(maker(spec->device), *spec);
                if (!cache.ok()) return cache.status();
                *out = new OpaqueCache<Device>(std::move(cache).value());
                return Status();
              });
            },
        .destroy = [](TierCache* cache) { delete static_cast<OpaqueCache<Device>*>(cache); },
        .lookup =
            [](TierCache* cache, const TierLookup* lookup, TierMisses* misses) {
              return call(cache, [&](auto& c) { return c.lookup(*lookup, *misses); });
            },
        .find =
            [](TierCache* cache, const uint64_t* keys, uint64_t n, TierMisses* misses) {
              return call(cache, [&](auto& c) { return c.find(keys, n, *misses); });
            },
        .pool =
            [](TierCache* cache, const TierPool* pool) {
              return call(cache, [&](auto& c) { return c.pool(*pool); });
            },
        .read =
            [](TierCache* cache, const TierRows* rows, TierMisses* misses) {
              return call(cache, [&](auto& c) { return c.read(*rows, *misses); });
            },
        .insert =
            [](TierCache* cache, TierInsert* insert) {
              return call(cache, [&](auto& c) { return c.insert(*insert); });
            },
        .push =
            [](TierCache* cache, const TierPush* push, TierMisses* misses) {
              return call(cache, [&](auto& c) { return c.push(*push, *misses); });
            },
        .assign =
            [](TierCache* cache, const TierAssign* assign, TierMisses* misses) {
              return call(cache, [&](auto& c) { return c.assign(*assign, *misses); });
            },
        .hold =
            [](TierCache* cache, TierHold* hold, TierMisses* misses) {
              return call(cache, [&](auto& c) { return c.hold(*hold, *misses); });
            },
        .let_go = [](TierCache* cache) { return call(cache, [](auto& c) { return c.let_go(); }); },
        .erase = [](TierCache* cache, const uint64_t* keys,
                    uint64_t n) { return call(cache, [&](auto& c) { return c.erase(keys, n); }); },
        .flush =
            [](TierCache* cache, TierRows* rows, uint64_t* from) {
              return call(cache, [&](auto& c) { return c.flush(*rows, *from); });
            },
        .clear = [](TierCache* cache) { return call(cache, [](auto& c) { return c.clear(); }); },
        .stats =
            [](TierCache* cache, TierStats* stats) {
              return call(cache, [&](auto& c) { return c.stats(*stats); });
            },
    };
    return &api;
  }

 private:
  /// No exception leaves the library.
  template <class Work>
  static const char* guarded(const Work& work) {
    try {
      return keep(work());
    } catch (const std::exception& error) {
      return keep({StatusCode::kInternal, std::string("gpu: ") + error.what()});
    }
  }
  template <class Work>
  static const char* call(TierCache* opaque, const Work& work) {
    auto& cache = *static_cast<OpaqueCache<Device>*>(opaque)->cache;
    return guarded([&] { return cache.run([&] { return work(cache); }); });
  }
};

}  // namespace gpu
}  // namespace hotrow

#endif  // HOTROW_CUDA_TIER_INL_H_
