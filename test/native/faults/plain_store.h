// A store's tables and a model of them, and what each version of it held.
//
// Every call is made on both. Rows are sums, so that a row tells how often each push reached it.
#ifndef HOTROW_TEST_FAULTS_PLAIN_STORE_H_
#define HOTROW_TEST_FAULTS_PLAIN_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "support/random.h"
#include "support/stores.h"

namespace hotrow::test {

class PlainStore {
 public:
  explicit PlainStore(uint64_t seed) : random_(seed) {}

  /// Opens the path, says which of the versions that may be there it is, and compares it all.
  /// The status is that of the first call that failed; then nothing is known.
  Status open(const std::string& path);
  /// As the others, with the Nth allocation of the first call failing; `fired` says whether it did.
  Status open(const std::string& path, uint64_t nth, bool& fired);
  Status commit(uint64_t nth, bool& fired);
  void close();
  bool is_open() const { return store_ != nullptr; }

  /// Some calls, which must succeed.
  void change();
  /// A commit that may fail. From its call on its version may be there after a crash; once it has
  /// succeeded no earlier one may.
  Status commit();
  /// Gives the newest version the store's one name; may fail. Which version has it is compared by
  /// opened stores.
  Status name();
  /// Everything in memory is as the model has it.
  void compare();
  /// One of the versions that the folder keeps is as it was when it was committed.
  void compare_kept();

  uint64_t commits() const { return acknowledged_; }

 private:
  using Rows = std::map<uint64_t, std::vector<float>>;
  struct State {
    std::map<std::string, Rows> tables;
    std::map<std::string, uint32_t> dims;
    std::vector<float> dense = std::vector<float>(kDense, 0.0F);
  };
  static constexpr uint64_t kKeys = 60;
  static constexpr uint64_t kDense = 6;

  Status opened();
  Status committed(uint64_t cursor, const Result<VersionInfo>& version);
  static TableOptions options_of(const std::string& name, const State& state);
  /// Which version has the name; 0: none.
  Result<uint64_t> named();
  /// Null when the store refused.
  Table* table(const std::string& name, Status& status);
  Table& table(const std::string& name);
  void push(const std::string& name);
  void push(const std::string& name, const std::vector<uint64_t>& keys);
  void erase(const std::string& name);
  void evict();
  void compare(const std::string& name);
  static void compare(Table& table, const std::string& name, const Rows& model);

  Random random_;
  std::string path_;
  std::shared_ptr<Store> store_;
  std::map<std::string, std::shared_ptr<Table>> tables_;
  std::shared_ptr<Dense> dense_;
  State now_;
  std::map<uint64_t, State> versions_;  // by cursor; those that may be found on disk
  std::map<uint64_t, State> kept_;      // all that may ever have been, for folders of versions
  std::set<uint64_t> named_ = {0};      // versions that may have the name; 0: none
  uint64_t next_cursor_ = 1;
  uint64_t acknowledged_ = 0;
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_FAULTS_PLAIN_STORE_H_
