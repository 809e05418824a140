#include "store/dense.h"

#include <algorithm>
#include <new>
#include <random>
#include <utility>

#include "base/dense_chunks.h"
#include "base/guarded.h"
#include "simd/kernels.h"
#include "table/initializer.h"

namespace hotrow {

namespace {

// The system's own numbers, never 0: no two parameters of any two processes have the same but by a
// chance of 2^-64.
uint64_t draw_run() {
  std::random_device device;
  uint64_t run = 0;
  while (run == 0) run = uint64_t{device()} << 32 | device();
  return run;
}

}  // namespace

DenseParameter::DenseParameter(std::string name, DenseOptions options, TableContext& context)
    : name_(std::move(name)),
      options_(std::move(options)),
      size_(values_of(options_.shape)),
      columns_(options_.shape.back()),
      optimizer_(options_.optimizer),
      context_(context),
      call_gate_(context.call_gate) {}

Result<std::shared_ptr<DenseParameter>> DenseParameter::create(std::string name,
                                                               DenseOptions options,
                                                               TableContext& context) {
  std::shared_ptr<DenseParameter> dense(
      new DenseParameter(std::move(name), std::move(options), context));
  MemoryBudget& budget = dense->context_.budget;
  const uint64_t columns = dense->columns_;
  const uint64_t rows = dense->size_ / columns;
  const uint64_t row_state = dense->optimizer_.state_values(columns);
  const uint64_t scratch = dense->optimizer_.scratch_values(columns);
  const uint64_t bytes = (dense->size_ + rows * row_state + scratch) * sizeof(float);
  const ExclusiveLock lock(dense->mutex_);
  if (!dense->memory_.take(budget, bytes)) {
    return Status::capacity(dense->said() + " needs " + std::to_string(bytes) +
                            " bytes: " + budget.in_use());
  }
  try {
    dense->values_.resize(dense->size_);
    dense->state_.resize(rows * row_state);
    dense->scratch_.resize(scratch);
  } catch (const std::bad_alloc&) {
    return Status::capacity(dense->said() + ": the system refused " + std::to_string(bytes) +
                            " bytes");
  }
  dense->initialize();
  return dense;
}

void DenseParameter::initialize() {
  stamp_.run = draw_run();
  uint64_t first = 0;  // of the whole's values, whose row is `width` long
  uint64_t width = columns_;
  if (const DenseChunk& chunk = options_.chunk; chunk.used()) {
    first =
        range_of(chunk.shape, {.count = chunk.count, .pieces = chunk.pieces}, chunk.index).first;
    width = chunk.shape.back();
  }
  const Initializer initializer(options_.initializer, options_.seed);
  const uint64_t row_state = optimizer_.state_values(columns_);
  for (uint64_t row = 0; row < size_ / columns_; ++row) {
    initializer.fill(first / width + row, {values_.data() + row * columns_, columns_},
                     first % width);
    optimizer_.fill_state({state_.data() + row * row_state, row_state});
  }
}

std::string DenseParameter::said() const {
  const DenseChunk& chunk = options_.chunk;
  const std::string name(chunk.used() ? whole_name(name_) : name_);
  return "dense '" + name + (chunk.used() ? "', chunk " + std::to_string(chunk.index) : "'");
}

Status DenseParameter::check_writable() const {
  if (!context_.read_only) return {};
  return {StatusCode::kReadOnly, said() + " is of a store opened for reading"};
}

Status DenseParameter::check(const char* argument, size_t values) const {
  if (values == size_) return {};
  return Status::invalid_argument(std::string(argument) + ": expected " + std::to_string(size_) +
                                  " values, received " + std::to_string(values));
}

Result<bool> DenseParameter::check_finite(const char* argument,
                                          std::span<const float> values) const {
  if (row_kernels().all_finite(values.data(), values.size())) return true;
  if (options_.non_finite == NonFinite::kSkip) return false;
  return Status::invalid_argument(std::string(argument) +
                                  ": expected finite values, received NaN or infinity");
}

Status DenseParameter::pull(std::span<float> values) { return pull_stamped(values, {}).status(); }

Result<uint64_t> DenseParameter::pull_state(std::span<float> values, std::span<float> state) {
  HOTROW_RETURN_IF_ERROR(check("values", values.size()));
  HOTROW_RETURN_IF_ERROR(check_state(state.size()));
  const auto pulled = pull_stamped(values, state);
  if (!pulled.ok()) return pulled.status();
  return pulled.value().steps;
}

Result<Dense::Stamped> DenseParameter::pull_stamped(std::span<float> values,
                                                    std::span<float> state) {
  return guarded([&]() -> Result<Stamped> {
    HOTROW_RETURN_IF_ERROR(check("values", values.size()));
    if (!state.empty()) HOTROW_RETURN_IF_ERROR(check_state(state.size()));
    const Call under_way(*call_gate_);
    if (closed()) return closed_status();
    const SharedLock lock(mutex_);
    std::copy(values_.begin(), values_.end(), values.begin());
    if (!state.empty()) std::copy(state_.begin(), state_.end(), state.begin());
    return Stamped{.stamp = stamp_, .steps = steps_};
  });
}

Result<DenseStamp> DenseParameter::stamp() {
  const Call under_way(*call_gate_);
  if (closed()) return closed_status();
  const SharedLock lock(mutex_);
  return stamp_;
}

Status DenseParameter::push(std::span<const float> gradient, const PushOptions& options) {
  return guarded([&]() -> Status {
    const Call under_way(*call_gate_);
    if (closed()) return closed_status();
    HOTROW_RETURN_IF_ERROR(check_writable());
    HOTROW_RETURN_IF_ERROR(check("gradient", gradient.size()));
    HOTROW_RETURN_IF_ERROR(optimizer_.check(options));
    const Result<bool> finite = check_finite("gradient", gradient);
    if (!finite.ok()) return finite.status();
    const SharedLock gate(context_.capacity_gate);
    const ExclusiveLock lock(mutex_);
    if (!finite.value()) return {};
    note_change();
    const UpdateStep step = optimizer_.step(++steps_, options.learning_rate);
    const uint64_t row_state = optimizer_.state_values(columns_);
    for (uint64_t row = 0; row * columns_ < size_; ++row) {
      optimizer_.apply(step, values_.data() + row * columns_, state_.data() + row * row_state,
                       gradient.data() + row * columns_, columns_, scratch_.data());
    }
    return {};
  });
}

Status DenseParameter::check_state(size_t values) const {
  if (values == state_values()) return {};
  return Status::invalid_argument("state: expected " + std::to_string(state_values()) +
                                  " values, received " + std::to_string(values));
}

Status DenseParameter::update(std::span<const float> values, const UpdateOptions& options) {
  return guarded([&]() -> Status {
    const Call under_way(*call_gate_);
    if (closed()) return closed_status();
    HOTROW_RETURN_IF_ERROR(check_writable());
    HOTROW_RETURN_IF_ERROR(check("values", values.size()));
    const std::span<const float> state = options.state;
    if (!state.empty()) HOTROW_RETURN_IF_ERROR(check_state(state.size()));
    if (!row_kernels().all_finite(state.data(), state.size())) {
      return Status::invalid_argument("state: expected finite values, received NaN or infinity");
    }
    const Result<bool> finite = check_finite("values", values);
    if (!finite.ok()) return finite.status();
    const SharedLock gate(context_.capacity_gate);
    const ExclusiveLock lock(mutex_);
    if (!finite.value()) return {};
    note_change();
    std::copy(values.begin(), values.end(), values_.begin());
    std::copy(state.begin(), state.end(), state_.begin());
    steps_ = std::max(steps_, options.steps);
    return {};
  });
}

DenseParameter::Image DenseParameter::image() {
  const ExclusiveLock lock(mutex_);
  Image image{.values = {}, .steps = steps_};
  if (!changed_) return image;
  image.values.reserve(values_.size() + state_.size());
  image.values = values_;
  image.values.insert(image.values.end(), state_.begin(), state_.end());
  changed_ = false;
  return image;
}

void DenseParameter::image_lost() {
  const ExclusiveLock lock(mutex_);
  changed_ = true;
}

void DenseParameter::restore(std::span<const float> image, uint64_t steps, bool changed) {
  const ExclusiveLock lock(mutex_);
  // Closed: there is nothing to restore.
  if (image.size() != values_.size() + state_.size()) return;
  const auto values = image.first(values_.size());
  std::ranges::copy(values, values_.begin());
  std::ranges::copy(image.subspan(values_.size()), state_.begin());
  steps_ = steps;
  note_change();
  changed_ = changed;
}

// What a call asks of the store it asks once it knows that the parameter is open, and that stays so
// until the call ends.
void DenseParameter::close() {
  if (closed_.exchange(true, std::memory_order_acq_rel)) return;
  EpochDomain::instance().synchronize();
  const ExclusiveLock lock(mutex_);
  // Assigning {} would keep the capacity.
  std::vector<float>().swap(values_);
  std::vector<float>().swap(state_);
  std::vector<float>().swap(scratch_);
  memory_.reset();
}

}  // namespace hotrow
