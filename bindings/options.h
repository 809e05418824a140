// Options from JavaScript, as lib/complete.ts completes them: every field is there and has its
// type. Their values are for validate() to judge.
#ifndef HOTROW_BINDINGS_OPTIONS_H_
#define HOTROW_BINDINGS_OPTIONS_H_

#include <napi.h>

#include <span>

#include "hotrow/connect.h"
#include "hotrow/options.h"
#include "hotrow/server.h"
#include "hotrow/store.h"

namespace hotrow::bindings {

StoreOptions read_store_options(Napi::Object object);
ConnectOptions read_connect_options(Napi::Object object);
ServerOptions read_server_options(Napi::Object object);
WorkerOptions read_worker_options(Napi::Object object);
TableOptions read_table_options(Napi::Object object);
DenseOptions read_dense_options(Napi::Object object);
ShrinkOptions read_shrink_options(Napi::Object object);
/// (state?, steps) of an update: the state is `state`'s, which must outlive the options.
UpdateOptions read_update_options(std::span<const float> state, Napi::Value steps);
/// Options as lib/complete.ts would have them; seeds are final.
Napi::Object to_object(Napi::Env env, const TableOptions& options);
Napi::Object to_object(Napi::Env env, const DenseOptions& options);
/// A number, as lib/ gives it: the learning rate of a push, or 0.
PushOptions read_push_options(Napi::Value learning_rate);
/// 0 sum, 1 mean, 2 sqrtn.
Pooling read_pooling(Napi::Value value);

}  // namespace hotrow::bindings

#endif  // HOTROW_BINDINGS_OPTIONS_H_
