// What the addon keeps per JavaScript environment (the main thread, each worker): the classes it
// makes objects of. Everything that is shared by the process lives in the core.
#ifndef HOTROW_BINDINGS_ENVIRONMENT_H_
#define HOTROW_BINDINGS_ENVIRONMENT_H_

#include <napi.h>

namespace hotrow::bindings {

struct TableParts;
struct DenseParts;
struct DeviceRowsParts;
struct WorkerParts;

struct Environment {
  Napi::FunctionReference table;
  Napi::FunctionReference dense;
  Napi::FunctionReference device_rows;
  Napi::FunctionReference worker;
  // Of lib/: the class StoreError, and the functions of checks.ts that make result arrays.
  // Node-API's own would end the process where memory is short.
  Napi::FunctionReference store_error;
  Napi::FunctionReference new_keys;
  Napi::FunctionReference new_floats;
  Napi::FunctionReference new_bytes;

  // What make() hands to the constructor that it calls; null when anybody else calls it. Not an
  // External: the runtime forgets to free those that are left when an environment ends.
  TableParts* table_parts = nullptr;
  DenseParts* dense_parts = nullptr;
  DeviceRowsParts* device_rows_parts = nullptr;
  WorkerParts* worker_parts = nullptr;

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

}  // namespace hotrow::bindings

#endif  // HOTROW_BINDINGS_ENVIRONMENT_H_
