// Parameters: the numbers by which messages name tables and dense parameters. They hold for the
// life of the server's process, for every client.
//
// Threads: any number at once.
#ifndef HOTROW_SERVER_PARAMETERS_H_
#define HOTROW_SERVER_PARAMETERS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/sync.h"
#include "hotrow/store.h"

namespace hotrow::server {

class Parameters {
 public:
  /// The number of what store.table() has given. ERR_CAPACITY when there are too many.
  Result<uint32_t> number_of(const std::shared_ptr<Table>& table) HOTROW_EXCLUDES(mutex_);
  Result<uint32_t> number_of(const std::shared_ptr<Dense>& dense) HOTROW_EXCLUDES(mutex_);

  /// The name by which clients know what a number was given to, of a chunk that of its whole;
  /// whether it is still there or not. ERR_NOT_FOUND when nobody has it.
  Result<std::string> name_of(uint32_t number) const HOTROW_EXCLUDES(mutex_);
  /// ERR_NOT_FOUND when there is no table of that number.
  Result<std::shared_ptr<Table>> table(uint32_t number) const HOTROW_EXCLUDES(mutex_);
  Result<std::shared_ptr<Dense>> dense(uint32_t number) const HOTROW_EXCLUDES(mutex_);

 private:
  static constexpr uint32_t kMost = 1 << 20;

  /// One of the two; its number is its position.
  struct Parameter {
    std::shared_ptr<Table> table;
    std::shared_ptr<Dense> dense;
  };

  /// `name`: by which the store has it.
  Result<uint32_t> add(const std::string& name, const std::string& known_as,
                       const Parameter& parameter) HOTROW_EXCLUDES(mutex_);

  mutable SharedMutex mutex_;
  std::vector<Parameter> all_ HOTROW_GUARDED_BY(mutex_);
  std::vector<std::string> names_ HOTROW_GUARDED_BY(mutex_);  // one each, as clients know it
  std::map<std::string, uint32_t> by_name_ HOTROW_GUARDED_BY(mutex_);
};

}  // namespace hotrow::server

#endif  // HOTROW_SERVER_PARAMETERS_H_
