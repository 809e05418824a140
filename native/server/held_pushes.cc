#include "server/held_pushes.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/batch_check.h"

namespace hotrow::server {

namespace {

// Of a push beside its arrays, so that many small ones are bounded too.
constexpr uint64_t kPushBytes = 256;

Status not_finite() {
  return Status::invalid_argument("gradients: expected finite values, received NaN or infinity");
}

// The part of `name`'s parameter among those collected so far.
template <class Part, class Parameter>
Part& part_of(std::vector<Part>& parts, std::shared_ptr<Parameter> Part::* which,
              const std::shared_ptr<Parameter>& parameter) {
  const auto found = std::ranges::find(parts, parameter, which);
  if (found != parts.end()) return *found;
  parts.emplace_back().*which = parameter;
  return parts.back();
}

// `whole`: so many there are in the end.
template <class T>
void append(std::vector<T>& to, std::vector<T>&& from, size_t whole) {
  if (to.empty() && from.size() == whole) {
    to = std::move(from);
  } else {
    to.reserve(whole);
    to.insert(to.end(), from.begin(), from.end());
  }
}

// What a push of it would say.
Status check_dense(const HeldPush::OfDense& its) {
  // One of no values changes nothing, and fails: for another reason where any push would.
  const Status any = its.dense->push({}, its.options);
  if (!any.ok() && any.code() != StatusCode::kInvalidArgument) return any;
  HOTROW_RETURN_IF_ERROR(its.options.validate());
  if (its.gradient.size() != its.dense->size()) {
    return Status::invalid_argument("gradient: expected " + std::to_string(its.dense->size()) +
                                    " values, received " + std::to_string(its.gradient.size()));
  }
  if (its.dense->options().non_finite == NonFinite::kReject && !all_finite(its.gradient)) {
    return not_finite();
  }
  return {};
}

}  // namespace

Status HeldPush::check() const {
  for (const OfTable& its : tables) {
    const TableOptions& options = its.table->options();
    HOTROW_RETURN_IF_ERROR(check_rows("gradients", its.keys, its.gradients.size(), options.dim));
    // A push of nothing changes nothing, and fails where any push would.
    HOTROW_RETURN_IF_ERROR(its.table->push({}, {}, its.options));
    if (options.non_finite == NonFinite::kReject && !all_finite(its.gradients)) {
      return not_finite();
    }
  }
  for (const OfDense& its : dense) HOTROW_RETURN_IF_ERROR(check_dense(its));
  return {};
}

uint64_t HeldPush::bytes() const {
  uint64_t sum = kPushBytes;
  for (const OfTable& its : tables) {
    sum += sizeof its + its.keys.size() * sizeof(uint64_t) + its.gradients.size() * sizeof(float);
  }
  for (const OfDense& its : dense) sum += sizeof its + its.gradient.size() * sizeof(float);
  return sum;
}

uint64_t HeldPush::bytes_of_table(uint64_t keys, uint64_t dim) {
  return kPushBytes + sizeof(OfTable) + keys * (sizeof(uint64_t) + dim * sizeof(float));
}

// The optimizer runs once a key and step, so it has one rate.
Status HeldPushes::add_rates(Rates& rates, const HeldPush& push) {
  const auto add = [&](const void* parameter, const std::string& name, const PushOptions& its) {
    const auto [known, added] = rates.try_emplace(parameter, its);
    if (added || known->second == its) return Status();
    return Status::conflict("'" + name + "': a step has one learning rate, and received " +
                            std::to_string(its.learning_rate) + " after " +
                            std::to_string(known->second.learning_rate));
  };
  for (const HeldPush::OfTable& its : push.tables) {
    HOTROW_RETURN_IF_ERROR(add(its.table.get(), its.table->name(), its.options));
  }
  for (const HeldPush::OfDense& its : push.dense) {
    HOTROW_RETURN_IF_ERROR(add(its.dense.get(), its.dense->name(), its.options));
  }
  return {};
}

Status HeldPushes::room(uint64_t bytes) const {
  if (bytes <= most_bytes_ - std::min(bytes_, most_bytes_)) return {};
  return Status::capacity("the server holds " + std::to_string(bytes_) +
                          " bytes of gradients for steps that were not applied yet, at most " +
                          std::to_string(most_bytes_) + " (mostHeldBytes), and this push has " +
                          std::to_string(bytes));
}

Status HeldPushes::hold(const std::string& id, uint32_t worker, HeldPush&& push) {
  const uint64_t more = push.bytes();
  HOTROW_RETURN_IF_ERROR(room(more));
  OfGroup& its = groups_[id];
  Rates rates = its.rates;
  HOTROW_RETURN_IF_ERROR(add_rates(rates, push));
  its.workers[worker].push_back(std::move(push));
  its.rates = std::move(rates);
  bytes_ += more;
  return {};
}

void HeldPushes::forget(const std::vector<HeldPush>& pushes) {
  for (const HeldPush& push : pushes) bytes_ -= push.bytes();
}

void HeldPushes::drop(const std::string& id, uint32_t worker) {
  const auto group = groups_.find(id);
  if (group == groups_.end()) return;
  OfGroup& others = group->second;
  const auto its = others.workers.find(worker);
  if (its == others.workers.end()) return;
  forget(its->second);
  others.workers.erase(its);
  others.rates.clear();
  for (const auto& [other, pushes] : others.workers) {
    // They agreed before.
    for (const HeldPush& push : pushes) (void)add_rates(others.rates, push);
  }
  if (others.workers.empty()) groups_.erase(group);
}

void HeldPushes::drop(const std::string& id) {
  const auto group = groups_.find(id);
  if (group == groups_.end()) return;
  for (const auto& [worker, pushes] : group->second.workers) forget(pushes);
  groups_.erase(group);
}

void HeldPushes::take(const std::string& id, const std::vector<uint32_t>& members, Taken& taken) {
  const auto group = groups_.find(id);
  if (group == groups_.end()) return;
  size_t all = 0;
  for (const auto& [worker, pushes] : group->second.workers) all += pushes.size();
  taken.pushes.reserve(all);
  for (auto& [worker, pushes] : group->second.workers) {
    if (!std::ranges::binary_search(members, worker)) {
      forget(pushes);
      continue;
    }
    for (HeldPush& push : pushes) {
      taken.bytes += push.bytes();
      taken.pushes.push_back(std::move(push));
    }
  }
  groups_.erase(group);
}

uint64_t HeldPushes::bytes(const std::string& id) const {
  const auto group = groups_.find(id);
  if (group == groups_.end()) return 0;
  uint64_t sum = 0;
  for (const auto& [worker, pushes] : group->second.workers) {
    for (const HeldPush& push : pushes) sum += push.bytes();
  }
  return sum;
}

HeldPush HeldPushes::merged(std::vector<HeldPush> pushes) {
  struct Sizes {
    size_t keys = 0;
    size_t gradients = 0;
  };
  std::map<const Table*, Sizes> sizes;
  for (const HeldPush& push : pushes) {
    for (const HeldPush::OfTable& its : push.tables) {
      sizes[its.table.get()].keys += its.keys.size();
      sizes[its.table.get()].gradients += its.gradients.size();
    }
  }
  HeldPush whole;
  for (HeldPush& push : pushes) {
    for (HeldPush::OfTable& its : push.tables) {
      auto& part = part_of(whole.tables, &HeldPush::OfTable::table, its.table);
      part.options = its.options;
      const Sizes& all = sizes[its.table.get()];
      append(part.keys, std::move(its.keys), all.keys);
      append(part.gradients, std::move(its.gradients), all.gradients);
    }
    for (HeldPush::OfDense& its : push.dense) {
      auto& part = part_of(whole.dense, &HeldPush::OfDense::dense, its.dense);
      part.options = its.options;
      if (part.gradient.empty()) {
        part.gradient = std::move(its.gradient);
        continue;
      }
      for (size_t i = 0; i < part.gradient.size(); ++i) part.gradient[i] += its.gradient[i];
    }
    push = {};  // its memory
  }
  return whole;
}

Status HeldPushes::apply(Store& store, std::vector<HeldPush> pushes) {
  const HeldPush whole = merged(std::move(pushes));
  // Sums that are not finite, too: what would fail then must fail before the tables have changed.
  for (const HeldPush::OfDense& its : whole.dense) HOTROW_RETURN_IF_ERROR(check_dense(its));
  std::vector<TablePush> tables;
  tables.reserve(whole.tables.size());
  for (const HeldPush::OfTable& its : whole.tables) {
    tables.push_back({.table = its.table.get(),
                      .keys = its.keys,
                      .gradients = its.gradients,
                      .options = its.options});
  }
  Status status;
  if (tables.size() == 1) {
    const TablePush& only = tables.front();
    status = only.table->push(only.keys, only.gradients, only.options);
  } else if (!tables.empty()) {
    status = store.push_all(tables);
  }
  for (const HeldPush::OfDense& its : whole.dense) {
    if (!status.ok()) break;
    status = its.dense->push(its.gradient, its.options);
  }
  return status;
}

}  // namespace hotrow::server
