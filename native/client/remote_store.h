// RemoteStore: a Store whose tables are with servers.
#ifndef HOTROW_CLIENT_REMOTE_STORE_H_
#define HOTROW_CLIENT_REMOTE_STORE_H_

#include <memory>
#include <string>
#include <vector>

#include "client/cluster.h"
#include "client/cluster_versions.h"
#include "client/remote_worker.h"
#include "hotrow/store.h"

namespace hotrow::client {

class RemoteStore final : public Store {
 public:
  explicit RemoteStore(std::shared_ptr<Cluster> cluster)
      : cluster_(std::move(cluster)), versions_(cluster_) {}
  ~RemoteStore() override { close(); }

  /// Before anything else: see ClusterVersions.
  Status settle() { return versions_.settle(); }

  const std::string& path() const override { return cluster_->path(); }
  Result<std::shared_ptr<Table>> table(std::string_view name, const TableOptions& options) override;
  Result<std::shared_ptr<Dense>> dense(std::string_view name, const DenseOptions& options) override;
  Result<std::shared_ptr<Table>> table(std::string_view name) override;
  Result<std::shared_ptr<Dense>> dense(std::string_view name) override;
  Status lookup_all(std::span<const TableLookup> lookups) override;
  Status push_all(std::span<const TablePush> pushes) override;  // remote_push.cc
  Result<std::vector<ParameterInfo>> list() override;
  Status drop(std::string_view name) override;
  Result<VersionInfo> commit(const CommitOptions& options) override;
  Result<VersionInfo> version() override;
  Result<Recovery> recovered() override { return Recovery{}; }
  Result<std::vector<VersionInfo>> versions() override;
  using Store::rollback;
  Result<VersionInfo> rollback(std::string_view version, const ClusterPart& part) override;
  Status name_version(std::string_view name, uint64_t version) override;
  Status pin_version(uint64_t version, bool pinned) override;
  Result<VersionInfo> apply(std::string_view delta_folder) override;
  Status snapshot(std::string_view version, std::string_view folder) override;
  Result<VersionInfo> refresh() override;
  Result<std::vector<TableDiff>> diff(std::string_view from, std::string_view to) override;
  Status verify() override;
  Status compact() override;
  Result<StoreStats> stats() override;
  Result<std::shared_ptr<SyncWorker>> worker(const WorkerOptions& options) override
      HOTROW_EXCLUDES(worker_mutex_);
  Status set_placement(std::string_view text) override { return cluster_->adopt(text); }
  void close() override HOTROW_EXCLUDES(worker_mutex_);

 private:
  Result<std::shared_ptr<Table>> open_table(const wire::Call& call);
  /// A call about versions, of the only server.
  template <class T>
  Result<T> of_versions(uint32_t server, const wire::Call& call, Effect effect);
  /// A commit or rollback of one server.
  Result<VersionInfo> make_version(uint32_t server, const wire::Call& call);
  /// A call without an answer, of every server.
  Status of_all(const View& view, const wire::Call& call);

  const std::shared_ptr<Cluster> cluster_;
  ClusterVersions versions_;  // where there are several servers
  Mutex worker_mutex_;
  std::shared_ptr<RemoteWorker> worker_ HOTROW_GUARDED_BY(worker_mutex_);  // the last
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_REMOTE_STORE_H_
