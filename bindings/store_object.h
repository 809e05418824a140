// The JavaScript objects behind lib/store.ts, lib/table.ts and lib/dense.ts: each a handle of the
// core and the lane of the store it belongs to.
#ifndef HOTROW_BINDINGS_STORE_OBJECT_H_
#define HOTROW_BINDINGS_STORE_OBJECT_H_

#include <napi.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "arguments.h"
#include "hotrow/connect.h"
#include "hotrow/store.h"
#include "lane.h"

namespace hotrow::bindings {

class StoreObject : public Napi::ObjectWrap<StoreObject> {
 public:
  static Napi::Function define(Napi::Env env);
  /// new NativeStore(path, options), or new NativeStore('', undefined, connect)
  explicit StoreObject(const Napi::CallbackInfo& info);
  /// The store behind a value that claims to be one; throws a TypeError for anything else, and for
  /// one that is not open.
  static std::shared_ptr<Store> of(Napi::Value value, const char* argument);

 private:
  Napi::Value open(const Napi::CallbackInfo& info);
  Napi::Value table(const Napi::CallbackInfo& info);
  Napi::Value dense(const Napi::CallbackInfo& info);
  Napi::Value existing_table(const Napi::CallbackInfo& info);
  Napi::Value existing_dense(const Napi::CallbackInfo& info);
  Napi::Value list(const Napi::CallbackInfo& info);
  Napi::Value drop(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  // worker_object.cc
  Napi::Value worker(const Napi::CallbackInfo& info);
  // store_requests.cc
  Napi::Value lookup_all(const Napi::CallbackInfo& info);
  Napi::Value push_all(const Napi::CallbackInfo& info);
  Napi::Value lookup_concat(const Napi::CallbackInfo& info);
  Napi::Value lookup_concat_sync(const Napi::CallbackInfo& info);
  // store_versions.cc
  Napi::Value set_placement(const Napi::CallbackInfo& info);
  Napi::Value settled(const Napi::CallbackInfo& info);
  Napi::Value commit(const Napi::CallbackInfo& info);
  Napi::Value version(const Napi::CallbackInfo& info);
  Napi::Value versions(const Napi::CallbackInfo& info);
  Napi::Value rollback(const Napi::CallbackInfo& info);
  Napi::Value name_version(const Napi::CallbackInfo& info);
  Napi::Value pin_version(const Napi::CallbackInfo& info);
  Napi::Value apply(const Napi::CallbackInfo& info);
  Napi::Value snapshot(const Napi::CallbackInfo& info);
  Napi::Value recovered(const Napi::CallbackInfo& info);
  Napi::Value refresh(const Napi::CallbackInfo& info);
  Napi::Value diff(const Napi::CallbackInfo& info);
  Napi::Value verify(const Napi::CallbackInfo& info);
  Napi::Value compact(const Napi::CallbackInfo& info);

  Napi::Value close(const Napi::CallbackInfo& info);

  // Shared with jobs, which may outlive a garbage-collected object by a moment.
  struct Opened {
    std::string path;
    StoreOptions options;
    std::optional<ConnectOptions> connect;  // of servers, instead of path and options
    std::shared_ptr<Store> store;           // set by the job of open(), before any later job runs
  };
  std::shared_ptr<Opened> opened_;
  std::shared_ptr<Lane> lane_;
  // Of what writes or reads files, beside which other calls go on.
  std::shared_ptr<Lane> commits_;
};

class TableObject : public Napi::ObjectWrap<TableObject> {
 public:
  static Napi::Function define(Napi::Env env);
  /// `store` stays open as long as the table's object or a call on it.
  static Napi::Value make(Napi::Env env, std::shared_ptr<Table> table, std::shared_ptr<Store> store,
                          std::shared_ptr<Lane> lane);
  explicit TableObject(const Napi::CallbackInfo& info);
  /// The table behind a value that claims to be one; throws a TypeError for anything else.
  static TableObject* of(Napi::Value value, const char* argument);

  const std::shared_ptr<Table>& table() const { return table_; }
  uint32_t dim() const { return dim_; }

 private:
  struct BagArguments;

  Napi::Value lookup(const Napi::CallbackInfo& info);
  Napi::Value lookup_sync(const Napi::CallbackInfo& info);
  Napi::Value lookup_sync_with(const Napi::CallbackInfo& info);
  Napi::Value lookup_state(const Napi::CallbackInfo& info);
  Napi::Value state_values(const Napi::CallbackInfo& info);
  Napi::Value options(const Napi::CallbackInfo& info);
  Napi::Value lookup_pooled(const Napi::CallbackInfo& info);
  Napi::Value push(const Napi::CallbackInfo& info);
  Napi::Value push_pooled(const Napi::CallbackInfo& info);
  Napi::Value update(const Napi::CallbackInfo& info);
  Napi::Value erase(const Napi::CallbackInfo& info);
  // device_rows_object.cc
  Napi::Value lookup_on_device(const Napi::CallbackInfo& info);
  // table_upkeep.cc
  Napi::Value prefetch(const Napi::CallbackInfo& info);
  Napi::Value release_prefetched(const Napi::CallbackInfo& info);
  Napi::Value reserve(const Napi::CallbackInfo& info);
  Napi::Value evict(const Napi::CallbackInfo& info);
  Napi::Value shrink(const Napi::CallbackInfo& info);
  Napi::Value decay(const Napi::CallbackInfo& info);
  Napi::Value set_scores(const Napi::CallbackInfo& info);
  Napi::Value take_evicted(const Napi::CallbackInfo& info);
  Napi::Value scan(const Napi::CallbackInfo& info);
  Napi::Value hot_keys(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);

  /// lookup and lookupState, in one job: `values` is what `call` fills.
  Napi::Value look_up(const Napi::CallbackInfo& info, KeyBatch keys, std::span<float> out,
                      Status (Table::*call)(KeyBatch, RowBatch, const LookupOptions&));
  static LookupArguments wishes(const Napi::CallbackInfo& info, size_t first);
  BagArguments read_bags(const Napi::CallbackInfo& info) const;
  /// keys and one row a key of push and update, copied.
  std::shared_ptr<Buffers> read_rows(const Napi::CallbackInfo& info, const char* argument) const;

  std::shared_ptr<Table> table_;
  std::shared_ptr<Store> store_;
  std::shared_ptr<Lane> lane_;
  // Of commits, beside which other calls go on.
  std::shared_ptr<Lane> commits_;
  uint32_t dim_ = 0;
};

class DenseObject : public Napi::ObjectWrap<DenseObject> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Value make(Napi::Env env, std::shared_ptr<Dense> dense, std::shared_ptr<Store> store,
                          std::shared_ptr<Lane> lane);
  explicit DenseObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value pull(const Napi::CallbackInfo& info);
  Napi::Value pull_state(const Napi::CallbackInfo& info);
  Napi::Value state_values(const Napi::CallbackInfo& info);
  Napi::Value options(const Napi::CallbackInfo& info);
  Napi::Value push(const Napi::CallbackInfo& info);
  Napi::Value update(const Napi::CallbackInfo& info);

  std::shared_ptr<Dense> dense_;
  std::shared_ptr<Store> store_;
  std::shared_ptr<Lane> lane_;
  // Of commits, beside which other calls go on.
  std::shared_ptr<Lane> commits_;
};

}  // namespace hotrow::bindings

#endif  // HOTROW_BINDINGS_STORE_OBJECT_H_
