// Who may do what: identities, their roles, and the tables and dense parameters that they may use.
//
// Threads: any number; nothing changes once it was read.
#ifndef HOTROW_SERVER_ACCESS_H_
#define HOTROW_SERVER_ACCESS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hotrow/status.h"
#include "wire/frame.h"

namespace hotrow::server {

/// Each may do what those before it may.
enum class Role : uint8_t {
  kReader,   ///< looks up, pulls and scans, and reads what is known of tables and versions
  kTrainer,  ///< changes and makes tables and dense parameters, and commits
  kAdmin,    ///< goes back to versions, names and pins them, drops tables
};

/// What a request asks for.
Role role_for(wire::Verb verb);

/// What one identity may do.
class Grant {
 public:
  explicit Grant(Role role = Role::kAdmin) : role_(role) {}
  /// Exact names, and beginnings of names followed by a *.
  Grant(Role role, std::vector<std::string> tables)
      : role_(role), everywhere_(false), tables_(std::move(tables)) {}

  /// ERR_DENIED unless the role is `needed` or beyond it; `what` is asked for.
  Status permits(Role needed, std::string_view what) const;
  /// May it use every table?
  bool everywhere() const { return everywhere_; }
  bool names(std::string_view table) const;
  /// ERR_DENIED unless it names() the table.
  Status permits_table(std::string_view table) const;

 private:
  Role role_;
  bool everywhere_ = true;
  std::vector<std::string> tables_;
};

class Access {
 public:
  /// Every identity is a trainer everywhere.
  Access() = default;
  /// As docs/FORMATS.md describes it. ERR_INVALID_ARGUMENT, which says what is wrong.
  static Result<Access> read(const std::string& path);
  static Result<Access> parse(std::string_view text);

  /// What an identity may do; null: nothing.
  const Grant* of(std::string_view identity) const;
  /// Of whoever reaches a server without TLS.
  static const Grant& everything();

 private:
  bool listed_ = false;
  std::map<std::string, Grant, std::less<>> grants_;  // "*": of all others
};

}  // namespace hotrow::server

#endif  // HOTROW_SERVER_ACCESS_H_
