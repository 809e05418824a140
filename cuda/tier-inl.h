// The functions of TierApi, for one kind of device. Included by the libraries: tier_cuda.cu and
// tier_emulated.cc, which say how a device is made.
#ifndef HOTROW_CUDA_TIER_INL_H_
#define HOTROW_CUDA_TIER_INL_H_

#include <exception>
#include <memory>
#include <string>

#include "cuda/staged_cache.h"

namespace hotrow {

/// The opaque things of TierApi.
struct TierCache {};
struct TierOutput {};

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

/// With a device and a stream of its own, since it outlives the cache.
template <class Device>
struct OpaqueOutput final : TierOutput {
  explicit OpaqueOutput(const Device& its) : device(its) {}
  ~OpaqueOutput() {
    if (open) device.end(stream);
  }
  OpaqueOutput(const OpaqueOutput&) = delete;
  OpaqueOutput& operator=(const OpaqueOutput&) = delete;

  Status allocate(uint64_t bytes) {
    auto its_stream = device.stream();
    if (!its_stream.ok()) return its_stream.status();
    stream = its_stream.value();
    open = true;
    auto memory = Buffer<Device>::create(device, bytes);
    if (!memory.ok()) return memory.status();
    rows = std::move(memory).value();
    return {};
  }
  Status read(float* to, uint64_t values) {
    HOTROW_RETURN_IF_ERROR(device.copy_out(to, rows.data(), values * sizeof(float), stream));
    return device.wait(stream);
  }
  float* address() const { return rows.template as<float>(); }

  Device device;
  typename Device::Stream stream = {};
  bool open = false;
  Buffer<Device> rows;
};

template <class Device>
class Api {
 public:
  using Make = std::unique_ptr<Device> (*)(uint32_t number);

  static const TierApi* make(Make make_device) {
    static Make maker;
    maker = make_device;
    static const TierApi api = with_outputs({
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
    });
    return &api;
  }

 private:
  using Output = OpaqueOutput<Device>;

  static TierApi with_outputs(TierApi api) {
    api.open_output = open_output;
    api.close_output = [](TierOutput* output) { delete static_cast<Output*>(output); };
    api.output_address = [](const TierOutput* output) {
      return static_cast<const Output*>(output)->address();
    };
    api.lookup_to = [](TierCache* cache, const TierLookup* lookup, TierOutput* output,
                       TierMisses* misses) {
      float* const out = static_cast<Output*>(output)->address();
      return call(cache, [&](auto& c) { return c.lookup_to(*lookup, out, *misses); });
    };
    api.fill_output = [](TierCache* cache, TierOutput* output, const uint32_t* positions,
                         const float* rows, uint64_t n) {
      float* const out = static_cast<Output*>(output)->address();
      return call(cache, [&](auto& c) { return c.fill_output(out, positions, rows, n); });
    };
    api.read_output = [](const TierOutput* output, float* to, uint64_t values) {
      auto* const its = const_cast<Output*>(static_cast<const Output*>(output));
      return guarded([&] { return its->read(to, values); });
    };
    return api;
  }
  static const char* open_output(TierCache* opaque, uint64_t rows, TierOutput** out,
                                 bool* no_room) {
    *no_room = false;
    return guarded([&]() -> Status {
      auto& cache = *static_cast<OpaqueCache<Device>*>(opaque)->cache;
      auto output = std::make_unique<Output>(cache.device());
      Status status = output->allocate(rows * cache.cache().spec().dim * sizeof(float));
      *no_room = status.code() == StatusCode::kCapacity;
      if (status.ok()) *out = output.release();
      return status;
    });
  }
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
