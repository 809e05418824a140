// Subject for any device: copies arrays in, starts the work, waits, copies arrays out.
#ifndef HOTROW_TEST_CUDA_SUBJECT_ON_H_
#define HOTROW_TEST_CUDA_SUBJECT_ON_H_

#include <algorithm>
#include <barrier>
#include <stdexcept>
#include <thread>

#include "cuda/cache.h"
#include "cuda/subject.h"

namespace hotrow::test {

inline void demand(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.message());
}
template <class T>
T demand(Result<T> result) {
  demand(result.status());
  return std::move(result).value();
}

template <class Device>
class SubjectOn : public Subject {
 public:
  using Stream = typename Device::Stream;
  using Cache = gpu::Cache<Device>;

  SubjectOn(Device device, const CacheShape& shape, std::string what)
      : device_(device), stream_(demand(device_.stream())) {
    name = std::move(what);
    const uint64_t bytes = shape.buckets * Cache::bucket_bytes(shape.spec);
    cache_ = demand(Cache::create(device_, shape.spec, bytes, stream_));
    wait();
    const gpu::CacheView& view = cache_->view();
    layout = {.buckets = view.buckets,
              .value_stride = view.value_stride,
              .state_stride = view.state_stride,
              .empty_keys = {view.empty_keys[0], view.empty_keys[1]}};
  }
  ~SubjectOn() override {
    cache_.reset();
    device_.end(stream_);
  }

  Numbers lookup(const Keys& keys, RowForm form, Use use, Bytes& out) override {
    const Memory on = in(keys);
    const Memory rows = in(out);
    const Missed missed(*this, keys.size());
    demand(cache_->lookup(on.template as<uint64_t>(), keys.size(), output(form),
                          rows.template as<std::byte>(), form.stride, missed.list(), touch(use),
                          stream_));
    get(rows, out);
    return missed.positions();
  }

  std::vector<Bytes> lookup_at_once(const std::vector<Keys>& batches, RowForm form, Use use,
                                    int rounds) override {
    std::vector<Bytes> outs;
    std::vector<Memory> keys;
    std::vector<Memory> rows;
    for (const Keys& batch : batches) {
      keys.push_back(in(batch));
      outs.emplace_back(batch.size() * form.stride, kPoison);
      rows.push_back(in(outs.back()));
    }
    wait();
    std::barrier together(static_cast<std::ptrdiff_t>(batches.size()));
    std::vector<std::thread> threads;
    std::vector<Status> ends(batches.size());
    for (size_t t = 0; t < batches.size(); ++t) {
      threads.emplace_back([&, t] {
        auto stream = device_.stream();
        together.arrive_and_wait();
        for (int round = 0; round < rounds && stream.ok() && ends[t].ok(); ++round) {
          ends[t] = cache_->lookup(keys[t].template as<uint64_t>(), batches[t].size(), output(form),
                                   rows[t].template as<std::byte>(), form.stride, {}, touch(use),
                                   stream.value());
        }
        if (!stream.ok()) ends[t] = stream.status();
        if (ends[t].ok()) ends[t] = device_.wait(stream.value());
        if (stream.ok()) device_.end(stream.value());
      });
    }
    for (auto& thread : threads) thread.join();
    for (size_t t = 0; t < batches.size(); ++t) {
      demand(ends[t]);
      get(rows[t], outs[t]);
    }
    return outs;
  }

  Numbers find(const Keys& keys, Use use, Numbers& handles) override {
    const Memory on = in(keys);
    const Memory found = room(keys.size() * sizeof(uint32_t));
    const Missed missed(*this, keys.size());
    demand(cache_->find(on.template as<uint64_t>(), keys.size(), found.template as<uint32_t>(),
                        missed.list(), touch(use), stream_));
    handles.resize(keys.size());
    get(found, handles);
    return missed.positions();
  }

  void gather(const Numbers& handles, RowForm form, Bytes& out) override {
    const Memory on = in(handles);
    const Memory rows = in(out);
    demand(cache_->gather(on.template as<uint32_t>(), handles.size(), output(form),
                          rows.template as<std::byte>(), form.stride, stream_));
    get(rows, out);
  }

  void pin(const Numbers& handles, bool pinned) override {
    const Memory on = in(handles);
    demand(cache_->pin(on.template as<uint32_t>(), handles.size(), pinned, stream_));
    wait();
  }

  Numbers hold(const Keys& keys, TierHolding how, uint64_t& changed) override {
    const Memory on = in(keys);
    const Memory count = in(std::vector<uint64_t>{0});
    const Missed missed(*this, keys.size());
    demand(cache_->hold(on.template as<uint64_t>(), keys.size(), how, missed.list(),
                        count.template as<uint64_t>(), stream_));
    std::vector<uint64_t> ways(1);
    get(count, ways);
    changed = ways[0];
    return missed.positions();
  }
  void let_go() override {
    demand(cache_->let_go(stream_));
    wait();
  }

  std::vector<float> pool(const PoolBatch& batch) override {
    const uint64_t bags = batch.offsets.size() - 1;
    std::vector<float> out(bags * batch.stride, -77.0F);
    const Memory handles = in(batch.handles);
    const Memory offsets = in(batch.offsets);
    const Memory weights = in(batch.weights);
    const Memory positions = in(batch.missed_positions);
    const Memory missed = in(batch.missed_rows);
    const Memory rows = in(out);
    demand(cache_->pool({.handles = handles.template as<uint32_t>(),
                         .offsets = offsets.template as<uint32_t>(),
                         .bags = bags,
                         .weights = batch.weights.empty() ? nullptr : weights.template as<float>(),
                         .pooling = batch.pooling,
                         .missed_positions = positions.template as<uint32_t>(),
                         .missed_rows = missed.template as<float>(),
                         .missed = batch.missed_positions.size(),
                         .out = rows.template as<float>(),
                         .stride = batch.stride},
                        stream_));
    get(rows, out);
    return out;
  }

  CacheRows insert(const InsertBatch& batch) override {
    const uint64_t n = batch.rows.keys.size();
    const Listed rows(*this, batch.rows);
    const Memory uses = in(batch.uses);
    const Memory wishes = in(batch.wishes);
    const Room evicted(*this, n);
    const Memory buckets = room(n * sizeof(uint32_t));
    const Memory order = room(n * sizeof(uint32_t));
    const Memory scratch = room(Device::scratch_bytes(n));
    demand(
        cache_->insert({.rows = rows.list(),
                        .n = n,
                        .uses = batch.uses.empty() ? nullptr : uses.template as<uint32_t>(),
                        .wishes = batch.wishes.empty() ? nullptr : wishes.template as<TierWish>(),
                        .evicted = evicted.list(),
                        .evicted_count = evicted.count.template as<uint32_t>(),
                        .buckets = buckets.template as<uint32_t>(),
                        .order = order.template as<uint32_t>(),
                        .scratch = scratch.data()},
                       batch.moment, stream_));
    return evicted.rows();
  }

  void push(const PushBatch& batch) override {
    const Memory handles = in(batch.handles);
    const Memory gradients = in(batch.gradients);
    const Memory step_of = in(batch.step_of);
    const Memory random = in(batch.random);
    gpu::PushTask task = {
        .cache = cache_->view(),
        .handles = handles.template as<uint32_t>(),
        .n = batch.handles.size(),
        .gradients = gradients.template as<float>(),
        .step_of = batch.step_of.empty() ? nullptr : step_of.template as<uint8_t>(),
        .random = batch.random.empty() ? nullptr : random.template as<uint64_t>()};
    const size_t steps = batch.step_of.empty() ? 1 : batch.steps.size();
    for (size_t which = 0; which < steps; ++which) {
      task.step = batch.steps[which];
      task.which = static_cast<uint8_t>(which);
      demand(cache_->push(task, stream_));
    }
    wait();
  }

  Numbers assign(const CacheRows& rows, bool dirty) override {
    const Listed on(*this, rows);
    const Missed missed(*this, rows.keys.size());
    demand(cache_->assign(on.list(), rows.keys.size(), dirty, missed.list(), stream_));
    return missed.positions();
  }

  Numbers read(CacheRows& rows) override {
    const Listed on(*this, rows);
    const Missed missed(*this, rows.keys.size());
    demand(cache_->read(on.list(), rows.keys.size(), missed.list(), stream_));
    get(on.values, rows.values);
    get(on.state, rows.state);
    return missed.positions();
  }

  void erase(const Keys& keys) override {
    const Memory on = in(keys);
    demand(cache_->erase(on.template as<uint64_t>(), keys.size(), stream_));
    wait();
  }

  CacheRows flush(std::pair<uint64_t, uint64_t> buckets) override {
    const uint64_t count = buckets.second - buckets.first;
    const Room rows(*this, count * gpu::kWays);
    demand(cache_->flush(buckets.first, count, rows.list(), rows.count.template as<uint32_t>(),
                         stream_));
    return rows.rows();
  }

  uint64_t count_dirty() override {
    const Memory count = in(std::vector<uint64_t>{0});
    demand(cache_->count_dirty(count.template as<uint64_t>(), stream_));
    std::vector<uint64_t> dirty(1);
    get(count, dirty);
    return dirty[0];
  }

  void clear() override {
    demand(cache_->clear(stream_));
    wait();
  }

  DistinctKeys dedupe(const Keys& keys) override {
    const uint64_t n = keys.size();
    const Memory on = in(keys);
    const Memory places = room(Cache::place_count(n) * sizeof(uint32_t));
    const Memory first = room(n * sizeof(uint32_t));
    const Memory is_first = room(n * sizeof(uint32_t));
    const Memory before = room(n * sizeof(uint32_t));
    const Memory scratch = room(Device::scratch_bytes(n));
    const Memory numbers = room(n * sizeof(uint32_t));
    const Memory distinct = room(n * sizeof(uint64_t));
    demand(cache_->dedupe({.keys = on.template as<uint64_t>(),
                           .n = n,
                           .places = places.template as<uint32_t>(),
                           .first = first.template as<uint32_t>(),
                           .is_first = is_first.template as<uint32_t>(),
                           .before = before.template as<uint32_t>(),
                           .scratch = scratch.data(),
                           .numbers = numbers.template as<uint32_t>(),
                           .distinct = distinct.template as<uint64_t>()},
                          stream_));
    DistinctKeys result{.numbers = Numbers(n), .keys = {}};
    Numbers counts(n);
    Numbers firsts(n);
    get(numbers, result.numbers);
    get(before, counts);
    get(is_first, firsts);
    result.keys.resize(n == 0 ? 0 : counts.back() + firsts.back());
    get(distinct, result.keys);
    return result;
  }

  CacheCounts counts() override {
    std::vector<gpu::Counters> stripes(gpu::kCounterStripes);
    get(cache_->counters(), stripes);
    const gpu::Counters sum = gpu::sum_of(stripes.data());
    return {.rows = sum.rows,
            .inserted = sum.inserted,
            .evicted = sum.evicted,
            .evicted_dirty = sum.evicted_dirty,
            .refused = sum.refused};
  }

  CacheState state() override {
    const gpu::CacheView& view = cache_->view();
    const uint64_t rows = view.rows();
    CacheState all{.keys = Keys(rows),
                   .scores = Numbers(rows),
                   .dirty = std::vector<uint8_t>(rows),
                   .pins = std::vector<uint8_t>(rows),
                   .values = Bytes(rows * view.value_stride),
                   .state = Bytes(view.state == nullptr ? 0 : rows * view.state_stride)};
    get(view.keys, all.keys);
    get(view.scores, all.scores);
    get(view.dirty, all.dirty);
    get(view.pins, all.pins);
    // Runs of full ways: what no kernel has written is not read.
    const auto full = [&](uint64_t way) {
      const auto bucket = static_cast<uint32_t>(way / gpu::kWays);
      return way < rows && all.keys[way] != view.empty_key(bucket);
    };
    for (uint64_t first = 0; first < rows; ++first) {
      if (!full(first)) continue;
      uint64_t end = first;
      while (full(end)) ++end;
      get_part(view.values, all.values, {first, end}, view.value_stride);
      if (!all.state.empty()) get_part(view.state, all.state, {first, end}, view.state_stride);
      first = end;
    }
    wait();
    return all;
  }

 private:
  using Memory = gpu::Buffer<Device>;

  Memory room(size_t bytes) { return demand(Memory::create(device_, bytes)); }
  template <class T>
  Memory in(const std::vector<T>& from) {
    Memory memory = room(from.size() * sizeof(T));
    demand(device_.copy_in(memory.data(), from.data(), from.size() * sizeof(T), stream_));
    return memory;
  }
  /// Waits for all that was started, too.
  template <class T>
  void get(const void* from, std::vector<T>& to) {
    demand(device_.copy_out(to.data(), from, to.size() * sizeof(T), stream_));
    wait();
  }
  template <class T>
  void get(const Memory& from, std::vector<T>& to) {
    get(from.data(), to);
  }
  void get_part(const std::byte* from, Bytes& to, std::pair<uint64_t, uint64_t> rows,
                uint64_t stride) {
    const uint64_t at = rows.first * stride;
    const uint64_t bytes = (rows.second - rows.first) * stride;
    demand(device_.copy_out(to.data() + at, from + at, bytes, stream_));
  }
  void wait() { demand(device_.wait(stream_)); }
  static gpu::Output output(RowForm form) {
    return form.raw ? gpu::Output::kRaw : gpu::Output::kF32;
  }
  gpu::Touch touch(Use use) const { return cache_->touch(use.moment, use.touch); }

  /// A list of misses with room for n, and a word behind it that nobody may write.
  struct Missed {
    Missed(SubjectOn& of, uint64_t n)
        : owner(of), marks(of.in(Numbers(n + 1, kNone))), count(of.in(Numbers(1))), room(n) {}
    gpu::MissList list() const {
      return {marks.template as<uint32_t>(), count.template as<uint32_t>()};
    }
    Numbers positions() const {
      Numbers number(1);
      Numbers all(room + 1);
      owner.get(count, number);
      owner.get(marks, all);
      const bool within = number[0] <= room && std::all_of(all.begin() + number[0], all.end(),
                                                           [](uint32_t x) { return x == kNone; });
      if (!within) throw std::runtime_error("misses: written beyond the list's end");
      all.resize(number[0]);
      return all;
    }
    SubjectOn& owner;
    Memory marks;
    Memory count;
    uint64_t room;
  };
  /// Rows given.
  struct Listed {
    Listed(SubjectOn& of, const CacheRows& rows)
        : keys(of.in(rows.keys)),
          values(of.in(rows.values)),
          state(of.in(rows.state)),
          has_state(!rows.state.empty()) {}
    gpu::RowList list() const {
      return {keys.template as<uint64_t>(), values.template as<std::byte>(),
              has_state ? state.template as<std::byte>() : nullptr};
    }
    Memory keys;
    Memory values;
    Memory state;
    bool has_state;
  };
  /// Room for n rows, and what came.
  struct Room {
    Room(SubjectOn& of, uint64_t n)
        : owner(of),
          keys(of.room(n * sizeof(uint64_t))),
          values(of.room(n * of.layout.value_stride)),
          state(of.room(n * of.layout.state_stride)),
          count(of.in(Numbers(1))) {}
    gpu::RowList list() const {
      return {keys.template as<uint64_t>(), values.template as<std::byte>(),
              owner.layout.state_stride == 0 ? nullptr : state.template as<std::byte>()};
    }
    CacheRows rows() const {
      Numbers number(1);
      owner.get(count, number);
      CacheRows out{.keys = Keys(number[0]),
                    .values = Bytes(uint64_t{number[0]} * owner.layout.value_stride),
                    .state = Bytes(uint64_t{number[0]} * owner.layout.state_stride)};
      owner.get(keys, out.keys);
      owner.get(values, out.values);
      owner.get(state, out.state);
      return out;
    }
    SubjectOn& owner;
    Memory keys;
    Memory values;
    Memory state;
    Memory count;
  };

  Device device_;
  Stream stream_;
  std::unique_ptr<Cache> cache_;
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_CUDA_SUBJECT_ON_H_
