// Lookups whose rows stay on the device: hits are gathered there, and the table's rows of the
// others go up to their places.
#include "hotrow/device_rows.h"

#include <string>
#include <utility>

#include "store/device_table.h"

namespace hotrow {

namespace {

/// Of an output.
struct RowShape {
  uint64_t rows;
  uint32_t dim;
};

class OutputRows final : public DeviceRows {
 public:
  OutputRows(DeviceCache& cache, RowShape shape)
      : api_(cache.api()), shape_(shape), device_(cache.device()) {}
  ~OutputRows() override {
    if (output_ != nullptr) api_.close_output(output_);
  }
  OutputRows(const OutputRows&) = delete;
  OutputRows& operator=(const OutputRows&) = delete;

  Status open(DeviceCache& cache) {
    const auto opened = cache.open_output(shape_.rows);
    if (!opened.ok()) return opened.status();
    output_ = opened.value();
    return {};
  }
  TierOutput* output() const { return output_; }

  uint64_t rows() const override { return shape_.rows; }
  uint32_t dim() const override { return shape_.dim; }
  const float* data() const override {
    return shape_.rows == 0 ? nullptr : api_.output_address(output_);
  }
  uint32_t device() const override { return device_; }
  Status copy_to(std::span<float> host) const override {
    const uint64_t values = shape_.rows * shape_.dim;
    if (host.size() != values) {
      return Status::invalid_argument("host: expected " + std::to_string(values) +
                                      " values but received " + std::to_string(host.size()));
    }
    if (values == 0) return {};
    const char* const why = api_.read_output(output_, host.data(), values);
    return why == nullptr ? Status() : Status(StatusCode::kInternal, why);
  }

 private:
  const TierApi& api_;
  TierOutput* output_ = nullptr;
  const RowShape shape_;
  const uint32_t device_;
};

}  // namespace

Result<std::shared_ptr<DeviceRows>> lookup_on_device(Table& table, KeyBatch keys,
                                                     const LookupOptions& options) {
  auto* const here = dynamic_cast<DeviceTable*>(&table);
  if (here != nullptr) return here->lookup_on_device(keys, options);
  return Status(StatusCode::kUnsupported, "table '" + table.name() + "' has no rows on a GPU");
}

Status DeviceTable::unsupported() {
  return {StatusCode::kUnsupported, "table '" + name() + "' has no rows on a GPU: " + reason_};
}

Result<std::shared_ptr<DeviceRows>> DeviceTable::lookup_on_device(KeyBatch keys,
                                                                  const LookupOptions& options) {
  using Rows = Result<std::shared_ptr<DeviceRows>>;
  return call([&]() -> Rows {
    HOTROW_RETURN_IF_ERROR(table_->check_wishes(keys, options));
    const TableLookup lookup{.keys = keys, .rows = {}, .options = options};
    const CallTimer timer(table_->context().latencies.lookup, keys.size());
    if (homeless_rows_.load(std::memory_order_acquire) > 0) {
      const WriteTurn lock(mutex_);
      HOTROW_RETURN_IF_ERROR(settle());
    }
    std::vector<Missed> missed;
    std::shared_ptr<OutputRows> rows;
    Result<bool> answered = false;
    {
      const ReadTurn lock(mutex_);
      if (cache_ == nullptr) return unsupported();
      rows = std::make_shared<OutputRows>(*cache_, RowShape{keys.size(), this->options().dim});
      HOTROW_RETURN_IF_ERROR(rows->open(*cache_));
      answered = keys.empty() ? Result<bool>(true) : look_up_there(lookup, rows->output(), missed);
    }
    if (!answered.ok()) return answered.status();
    if (!answered.value()) {
      note_failure();
      const ReadTurn lock(mutex_);
      return unsupported();
    }
    promote(missed);
    return std::shared_ptr<DeviceRows>(std::move(rows));
  });
}

Result<bool> DeviceTable::look_up_there(const TableLookup& lookup, TierOutput* output,
                                        std::vector<Missed>& missed) {
  std::vector<uint32_t> positions;
  if (!cache_->lookup_to(lookup.keys, output, positions)) return false;
  std::vector<float> rows;
  std::vector<uint8_t> found;
  const Result<uint64_t> hits = look_up_missed(lookup, positions, rows, found, missed);
  if (!hits.ok()) return hits.status();
  if (!positions.empty() && !cache_->fill_output(output, positions, rows.data())) return false;
  set_found(lookup, positions, found);
  table_->count_lookups(lookup.keys, lookup.times, hits_of(lookup, positions, found));
  return true;
}

}  // namespace hotrow
