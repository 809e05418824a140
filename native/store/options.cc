// What makes the options of a store, a table and a dense parameter wrong. Field names as TypeScript
// spells them. The optimizer's: optimizer_options.cc.
#include "hotrow/options.h"

#include <cmath>
#include <string>

#include "base/check.h"
#include "base/dense_chunks.h"
#include "store/groups.h"

namespace hotrow {

namespace {

constexpr uint32_t kMostMinCount = 1'000'000;
constexpr uint32_t kMostBloomCount = 255;
constexpr uint64_t kMostBloomKeys = 1'000'000'000'000;
constexpr uint64_t kMostTtlMs = uint64_t{10} * 366 * 86'400'000;
// An index of the smallest shards, some pages of rows, and what rounding up takes.
constexpr uint64_t kLeastTableBytes = uint64_t{8} << 20;
constexpr uint32_t kMostEvictionLog = 1U << 24;
constexpr uint32_t kMostGpus = 1023;
constexpr uint64_t kLeastGpuBytes = uint64_t{1} << 20;
constexpr uint64_t kMostGpuBytes = uint64_t{1} << 46;

}  // namespace

Status InitializerOptions::validate() const {
  for (const auto& [field, x] : {std::pair{"initializer.value", value},
                                 {"initializer.low", low},
                                 {"initializer.high", high},
                                 {"initializer.mean", mean}}) {
    HOTROW_RETURN_IF_ERROR(expect(std::isfinite(x), field, "a finite number", x));
  }
  HOTROW_RETURN_IF_ERROR(expect_not_negative(stddev, "initializer.stddev"));
  if (kind == InitializerKind::kUniform && !(low < high)) {
    return Status::invalid_argument("initializer: expected low below high, received low " +
                                    number(low) + " and high " + number(high));
  }
  return {};
}

Status AdmissionOptions::validate() const {
  const bool counts = kind == AdmissionKind::kCount || kind == AdmissionKind::kBloom;
  HOTROW_RETURN_IF_ERROR(expect(
      counts ? min_count >= 2 && min_count <= kMostMinCount : min_count == 1, "admission.minCount",
      counts ? "an integer from 2 to 1000000"
             : "nothing unless admission.kind is 'count' or 'bloom'",
      min_count));
  // A counter of the filter holds no more.
  HOTROW_RETURN_IF_ERROR(expect(kind != AdmissionKind::kBloom || min_count <= kMostBloomCount,
                                "admission.minCount", "at most 255 with admission.kind 'bloom'",
                                min_count));
  HOTROW_RETURN_IF_ERROR(expect(
      kind == AdmissionKind::kBloom ? capacity >= 1 && capacity <= kMostBloomKeys : capacity == 0,
      "admission.capacity",
      kind == AdmissionKind::kBloom ? "an integer from 1 to 1000000000000"
                                    : "nothing unless admission.kind is 'bloom'",
      static_cast<double>(capacity)));
  return expect(
      kind == AdmissionKind::kProbability ? probability > 0 && probability < 1 : probability == 1,
      "admission.probability",
      kind == AdmissionKind::kProbability ? "a number above 0 and below 1"
                                          : "nothing unless admission.kind is 'probability'",
      probability);
}

Status EvictionOptions::validate() const {
  const bool none = policy == EvictionPolicy::kNone;
  const auto needs = [none](bool set, const char* field) {
    return none && set ? Status::invalid_argument(std::string(field) +
                                                  ": expected a policy in eviction.policy beside "
                                                  "it, received none")
                       : Status();
  };
  HOTROW_RETURN_IF_ERROR(needs(max_rows != 0, "eviction.maxRows"));
  HOTROW_RETURN_IF_ERROR(needs(max_bytes != 0, "eviction.maxBytes"));
  HOTROW_RETURN_IF_ERROR(needs(ttl_ms != 0, "eviction.ttlMs"));
  HOTROW_RETURN_IF_ERROR(needs(background, "eviction.background"));
  HOTROW_RETURN_IF_ERROR(needs(demote, "eviction.demote"));
  const bool by_use = policy == EvictionPolicy::kLru || policy == EvictionPolicy::kLfu ||
                      policy == EvictionPolicy::kAgeingLfu || policy == EvictionPolicy::kRandom;
  if (demote && (!by_use || ttl_ms != 0 || log != 0)) {
    return Status::invalid_argument(
        "eviction.demote: expected eviction.policy 'lru', 'lfu', 'ageingLfu' or 'random' beside "
        "it, without ttlMs and log");
  }
  HOTROW_RETURN_IF_ERROR(expect(ttl_ms != 0 || policy != EvictionPolicy::kTtl, "eviction.ttlMs",
                                "at least 1 with eviction.policy 'ttl'", 0));
  const bool takes_ttl = policy == EvictionPolicy::kTtl || policy == EvictionPolicy::kLru ||
                         policy == EvictionPolicy::kLfu;
  HOTROW_RETURN_IF_ERROR(expect(ttl_ms == 0 || takes_ttl, "eviction.ttlMs",
                                "nothing unless eviction.policy is 'ttl', 'lru' or 'lfu'",
                                static_cast<double>(ttl_ms)));
  HOTROW_RETURN_IF_ERROR(expect(ttl_ms <= kMostTtlMs, "eviction.ttlMs", "at most ten years in ms",
                                static_cast<double>(ttl_ms)));
  HOTROW_RETURN_IF_ERROR(expect(max_rows == 0 || policy != EvictionPolicy::kTtl, "eviction.maxRows",
                                "nothing with eviction.policy 'ttl', which evicts by age alone",
                                static_cast<double>(max_rows)));
  HOTROW_RETURN_IF_ERROR(expect(max_bytes == 0 || policy != EvictionPolicy::kTtl,
                                "eviction.maxBytes",
                                "nothing with eviction.policy 'ttl', which evicts by age alone",
                                static_cast<double>(max_bytes)));
  HOTROW_RETURN_IF_ERROR(expect(max_bytes == 0 || max_bytes >= kLeastTableBytes,
                                "eviction.maxBytes", "at least 8388608 (8 MiB)",
                                static_cast<double>(max_bytes)));
  if (background && max_rows == 0 && max_bytes == 0) {
    return Status::invalid_argument(
        "eviction.background: expected eviction.maxRows or eviction.maxBytes beside it, received "
        "neither");
  }
  HOTROW_RETURN_IF_ERROR(
      expect(half_life == 0 || policy == EvictionPolicy::kAgeingLfu, "eviction.halfLife",
             "nothing unless eviction.policy is 'ageingLfu'", static_cast<double>(half_life)));
  return expect(log <= kMostEvictionLog, "eviction.log", "at most 16777216", log);
}

Status TableOptions::validate() const {
  HOTROW_RETURN_IF_ERROR(
      expect(dim >= 1 && dim <= kMaxDim, "dim", "an integer from 1 to 8192", dim));
  const bool sixteen_bits = value_type == ValueType::kF16 || value_type == ValueType::kBf16;
  if (rounding == Rounding::kStochastic && !sixteen_bits) {
    return Status::invalid_argument(
        "rounding: expected 'nearest', received 'stochastic', which is for valueType 'f16' and "
        "'bf16'");
  }
  HOTROW_RETURN_IF_ERROR(
      expect(hot_keys <= kMostHotKeys, "hotKeys", "an integer from 0 to 4096", hot_keys));
  HOTROW_RETURN_IF_ERROR(optimizer.validate());
  HOTROW_RETURN_IF_ERROR(admission.validate());
  HOTROW_RETURN_IF_ERROR(eviction.validate());
  HOTROW_RETURN_IF_ERROR(initializer.validate());
  HOTROW_RETURN_IF_ERROR(expect(gpu == kGpuHalfOfRest || (gpu >= 0 && gpu <= 1), "gpu",
                                "false or a number above 0 and at most 1", gpu));
  return validate_groups(groups, optimizer);
}

namespace {

Status check_shape(const std::vector<uint64_t>& shape) {
  if (shape.empty() || shape.size() > kMaxDenseRank) {
    return expect(false, "shape", "1 to 8 dimensions", static_cast<double>(shape.size()));
  }
  uint64_t values = 1;
  for (const uint64_t n : shape) {
    HOTROW_RETURN_IF_ERROR(expect(n >= 1 && n <= kMaxDenseValues, "shape",
                                  "dimensions from 1 to 2^31", static_cast<double>(n)));
    values *= n;
    HOTROW_RETURN_IF_ERROR(expect(values <= kMaxDenseValues, "shape", "at most 2^31 values in all",
                                  static_cast<double>(values)));
  }
  return {};
}

}  // namespace

Status DenseOptions::validate() const {
  HOTROW_RETURN_IF_ERROR(check_shape(shape));
  HOTROW_RETURN_IF_ERROR(optimizer.validate());
  HOTROW_RETURN_IF_ERROR(initializer.validate());
  if (chunk.used()) HOTROW_RETURN_IF_ERROR(check_shape(chunk.shape));
  return check_chunk(*this);
}

Status GpuOptions::validate() const {
  HOTROW_RETURN_IF_ERROR(
      expect(device <= kMostGpus, "gpu.device", "an integer from 0 to 1023", device));
  HOTROW_RETURN_IF_ERROR(expect(bytes == 0 || (bytes >= kLeastGpuBytes && bytes <= kMostGpuBytes),
                                "gpu.bytes", "1048576 (1 MiB) to 70368744177664 (64 TiB)",
                                static_cast<double>(bytes)));
  HOTROW_RETURN_IF_ERROR(expect(policy <= GpuPolicy::kCustom, "gpu.policy",
                                "'lru', 'lfu', 'ageingLfu', 'epochLru', 'epochLfu' or 'custom'",
                                static_cast<double>(policy)));
  HOTROW_RETURN_IF_ERROR(expect(promotion <= GpuPromotion::kAlways, "gpu.promotion",
                                "'secondTouch' or 'always'", static_cast<double>(promotion)));
  return expect(fill_above >= 0 && fill_above <= 1, "gpu.fillAbove", "a number from 0 to 1",
                fill_above);
}

Status StoreOptions::validate() const {
  constexpr uint64_t kLeast = uint64_t{16} << 20;
  constexpr uint64_t kMost = uint64_t{1} << 46;
  HOTROW_RETURN_IF_ERROR(expect(memory_bytes <= kMost, "memoryBytes",
                                "at most 70368744177664 (64 TiB)",
                                static_cast<double>(memory_bytes)));
  HOTROW_RETURN_IF_ERROR(expect(memory_bytes == 0 || memory_bytes >= kLeast, "memoryBytes",
                                "at least 16777216 (16 MiB)", static_cast<double>(memory_bytes)));
  HOTROW_RETURN_IF_ERROR(
      expect(threads <= kMaxThreads, "threads", "an integer from 1 to 256", threads));
  if (!version.empty() && !read_only) {
    return Status::invalid_argument("version: expected readOnly with it");
  }
  // Whoever asks for one version gets that or none.
  if (!version.empty() && recover != RecoverMode::kNever) {
    return Status::invalid_argument("recover: expected no version beside it");
  }
  HOTROW_RETURN_IF_ERROR(
      expect(sync <= SyncMode::kOs, "sync", "'disk' or 'os'", static_cast<double>(sync)));
  HOTROW_RETURN_IF_ERROR(expect(recover <= RecoverMode::kNewestIntact, "recover",
                                "'never' or 'newest-intact'", static_cast<double>(recover)));
  HOTROW_RETURN_IF_ERROR(expect(durable <= Durability::kNever, "durable",
                                "'commit', 'push' or 'never'", static_cast<double>(durable)));
  HOTROW_RETURN_IF_ERROR(gpu.validate());
  return expect(background_share > 0 && background_share <= 1, "backgroundShare",
                "a number above 0 and at most 1", background_share);
}

}  // namespace hotrow
