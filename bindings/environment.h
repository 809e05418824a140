// What the addon keeps per JavaScript environment (the main thread, each worker): the classes it
// makes objects of. Everything that is shared by the process lives in the core.
#ifndef HOTROW_BINDINGS_ENVIRONMENT_H_
#define HOTROW_BINDINGS_ENVIRONMENT_H_

#include <napi.h>

namespace hotrow::bindings {

struct Environment {
  Napi::FunctionReference table;
  Napi::FunctionReference dense;
  Napi::FunctionReference store_error;  // the class StoreError of lib/errors.ts

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

}  // namespace hotrow::bindings

#endif  // HOTROW_BINDINGS_ENVIRONMENT_H_
