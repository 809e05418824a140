#include "server/parameters.h"

#include "base/dense_chunks.h"

namespace hotrow::server {

Result<uint32_t> Parameters::number_of(const std::shared_ptr<Table>& table) {
  return add(table->name(), table->name(), {.table = table, .dense = nullptr});
}

Result<uint32_t> Parameters::number_of(const std::shared_ptr<Dense>& dense) {
  const std::string& name = dense->name();
  const bool chunk = dense->options().chunk.used();
  return add(name, chunk ? std::string(whole_name(name)) : name,
             {.table = nullptr, .dense = dense});
}

Result<uint32_t> Parameters::add(const std::string& name, const std::string& known_as,
                                 const Parameter& parameter) {
  const ExclusiveLock lock(mutex_);
  const auto known = by_name_.find(name);
  if (known != by_name_.end()) {
    Parameter& its = all_[known->second];
    if (its.table == parameter.table && its.dense == parameter.dense) return known->second;
    // Dropped and made again: another number, as whoever knows the old one means the old one.
    its = {};
  }
  if (all_.size() == kMost) return Status::capacity("too many tables were opened and dropped");
  names_.push_back(known_as);
  all_.push_back(parameter);
  const auto number = static_cast<uint32_t>(all_.size() - 1);
  by_name_[name] = number;
  return number;
}

Result<std::string> Parameters::name_of(uint32_t number) const {
  const SharedLock lock(mutex_);
  if (number < names_.size()) return names_[number];
  return Status::not_found("nothing has the number " + std::to_string(number));
}

Result<std::shared_ptr<Table>> Parameters::table(uint32_t number) const {
  const SharedLock lock(mutex_);
  if (number < all_.size() && all_[number].table != nullptr) return all_[number].table;
  return Status::not_found("no table has the number " + std::to_string(number) + " any more");
}

Result<std::shared_ptr<Dense>> Parameters::dense(uint32_t number) const {
  const SharedLock lock(mutex_);
  if (number < all_.size() && all_[number].dense != nullptr) return all_[number].dense;
  return Status::not_found("no dense parameter has the number " + std::to_string(number) +
                           " any more");
}

}  // namespace hotrow::server
