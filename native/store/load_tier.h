// Opens a GPU library and looks at what it is: the same in the process that will use it and in the
// child that tries it first.
#ifndef HOTROW_STORE_LOAD_TIER_H_
#define HOTROW_STORE_LOAD_TIER_H_

#include <dlfcn.h>

#include <string>

#include "store/tier.h"

namespace hotrow {

/// Sets `api`, or returns why there is none. The library stays open for good: a driver does not
/// like to be unloaded.
inline std::string load_tier(const char* path, const TierApi*& api) {
  api = nullptr;
  void* const library = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const error = ::dlerror();
    return "the GPU library does not load: " + std::string(error == nullptr ? path : error);
  }
  using Entry = const TierApi* (*)();
  const auto entry = reinterpret_cast<Entry>(::dlsym(library, kTierSymbol));
  if (entry == nullptr) {
    return "'" + std::string(path) + "' is no GPU library: it has no " + kTierSymbol;
  }
  const TierApi* const found = entry();
  if (found == nullptr || found->abi != kTierAbi) {
    return "the GPU library '" + std::string(path) + "' is of another build: its ABI is " +
           (found == nullptr ? "none" : std::to_string(found->abi)) + ", expected " +
           std::to_string(kTierAbi);
  }
  api = found;
  return {};
}

}  // namespace hotrow

#endif  // HOTROW_STORE_LOAD_TIER_H_
