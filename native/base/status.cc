// Names and traits of the status codes, made from the one list.
#include "hotrow/status.h"

namespace hotrow {

StatusTraits status_traits(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return {"OK", "", "none", false};
#define HOTROW_STATUS(number, Name, code_name, scope, outcome, retryable) \
  case StatusCode::k##Name:                                               \
    return {code_name, scope, outcome, retryable};
#include "hotrow/status_codes.def"
#undef HOTROW_STATUS
  }
  return {"ERR_INTERNAL", "call", "unknown", false};
}

}  // namespace hotrow
