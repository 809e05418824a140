#include "server/access.h"

#include <algorithm>
#include <array>
#include <exception>
#include <stdexcept>
#include <utility>

#include "base/json-inl.h"
#include "net/secrets.h"

namespace hotrow::server {

namespace {

using json::Json;

struct RoleName {
  std::string_view name;
  Role role;
};
constexpr std::array kRoles{RoleName{"reader", Role::kReader}, RoleName{"trainer", Role::kTrainer},
                            RoleName{"admin", Role::kAdmin}};

[[noreturn]] void refuse_file(const std::string& what) { throw std::invalid_argument(what); }

Role role_of(const Json& value, const std::string& of) {
  for (const auto& [name, role] : kRoles) {
    if (value.is_string() && value.get_ref<const std::string&>() == name) return role;
  }
  refuse_file(of + ": role: expected 'reader', 'trainer' or 'admin'");
}

std::vector<std::string> names_of_tables(const Json& value, const std::string& of) {
  const std::string expected = of + ": tables: expected names, or beginnings of names and a *";
  if (!value.is_array()) refuse_file(expected);
  std::vector<std::string> tables;
  for (const Json& each : value) {
    if (!each.is_string()) refuse_file(expected);
    const auto& table = each.get_ref<const std::string&>();
    // A * elsewhere would be taken for a pattern that it is not.
    if (table.empty() || table.find('*') < table.size() - 1) refuse_file(expected);
    tables.push_back(table);
  }
  return tables;
}

Grant grant_of(const Json& value, const std::string& of) {
  if (!value.is_object()) refuse_file(of + ": expected an object with role and tables");
  for (const auto& [field, unused] : value.items()) {
    if (field == "role" || field == "tables") continue;
    refuse_file(std::string(of).append(": what is '").append(field).append("'?"));
  }
  if (!value.contains("role")) refuse_file(of + ": role is missing");
  const Role role = role_of(value.at("role"), of);
  if (!value.contains("tables")) return Grant(role);
  if (role == Role::kAdmin) refuse_file(of + ": an admin has all tables");
  return {role, names_of_tables(value.at("tables"), of)};
}

}  // namespace

Role role_for(wire::Verb verb) {
  switch (verb) {
    case wire::Verb::kPush:
    case wire::Verb::kPushBags:
    case wire::Verb::kUpdate:
    case wire::Verb::kErase:
    case wire::Verb::kScores:
    case wire::Verb::kEvicted:  // what was taken is gone
      return Role::kTrainer;
    case wire::Verb::kScanSlots:
    case wire::Verb::kTake:
      return Role::kAdmin;
    default:
      return Role::kReader;
  }
}

Status Grant::permits(Role needed, std::string_view what) const {
  if (role_ >= needed) return {};
  const auto name = [](Role role) { return std::string(kRoles[static_cast<size_t>(role)].name); };
  return {StatusCode::kDenied, std::string(what) + " is for the role " + name(needed) +
                                   ", and this client is a " + name(role_)};
}

bool Grant::names(std::string_view table) const {
  return everywhere_ || std::any_of(tables_.begin(), tables_.end(), [&](std::string_view each) {
           if (each.back() != '*') return each == table;
           each.remove_suffix(1);
           return table.starts_with(each);
         });
}

Status Grant::permits_table(std::string_view table) const {
  if (names(table)) return {};
  return {StatusCode::kDenied, "this client may not use '" + std::string(table) + "'"};
}

Result<Access> Access::read(const std::string& path) {
  auto text = net::read_trusted_file("accessFile", path);
  if (!text.ok()) return text.status();
  auto access = parse(text.value().view());
  if (access.ok()) return access;
  return Status::invalid_argument("accessFile: '" + path + "': " + access.status().message());
}

Result<Access> Access::parse(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (!json.is_object() || json.size() != 1 || !json.contains("identities")) {
      refuse_file("expected an object with the one field identities");
    }
    const Json& identities = json.at("identities");
    if (!identities.is_object()) refuse_file("identities: expected an object");
    Access access;
    access.listed_ = true;
    for (const auto& [identity, value] : identities.items()) {
      access.grants_.emplace(identity, grant_of(value, "identity '" + identity + "'"));
    }
    return Result<Access>(std::move(access));
  } catch (const std::exception& error) {
    return Status::invalid_argument(error.what());
  }
}

const Grant* Access::of(std::string_view identity) const {
  static const Grant kTrainer(Role::kTrainer);
  if (!listed_) return &kTrainer;
  auto found = grants_.find(identity);
  if (found == grants_.end()) found = grants_.find(std::string_view("*"));
  return found == grants_.end() ? nullptr : &found->second;
}

const Grant& Access::everything() {
  static const Grant kEverything(Role::kAdmin);
  return kEverything;
}

}  // namespace hotrow::server
