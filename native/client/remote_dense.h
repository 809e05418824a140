// RemoteDense: a dense parameter that one server has, chosen by its name.
#ifndef HOTROW_CLIENT_REMOTE_DENSE_H_
#define HOTROW_CLIENT_REMOTE_DENSE_H_

#include <memory>
#include <string>

#include "base/hash.h"
#include "client/cluster.h"
#include "client/remote_table.h"
#include "hotrow/store.h"

namespace hotrow::client {

inline Status status_of(const Status& status) { return status; }
template <class T>
Status status_of(const Result<T>& result) {
  return result.status();
}

/// work(view, position of the server that has the dense parameter of that name, epoch of the
/// server's placement, set by work) -> Status or Result; again, as long as servers say that it is
/// not theirs.
template <class Work>
auto at_server_of_dense(Cluster& cluster, std::string_view name, Deadline deadline,
                        const Work& work) {
  while (true) {
    const auto view = cluster.view();
    const size_t server = view->placement.server_of(xxh3(name));
    uint32_t epoch = 0;
    auto made = work(*view, server, epoch);
    const Status status = status_of(made);
    const bool refused = status.code() == StatusCode::kWrongOwner;
    if (!refused || !cluster.catch_up(server, epoch, view->epoch, deadline)) return made;
  }
}

class RemoteDense final : public Dense {
 public:
  RemoteDense(std::shared_ptr<Cluster> cluster, size_t server, const wire::OpenedDense& opened,
              uint64_t generation);

  const std::string& name() const override { return name_; }
  const DenseOptions& options() const override { return options_; }
  uint64_t size() const override { return size_; }
  uint64_t state_values() const override { return state_values_; }

  Status pull(std::span<float> values) override;
  Status push(std::span<const float> gradient, const PushOptions& options) override;
  Status update(std::span<const float> values, const UpdateOptions& options) override;
  Result<uint64_t> pull_state(std::span<float> values, std::span<float> state) override;

 private:
  Result<uint64_t> pull(std::span<float> values, std::span<float> state, bool with_state);
  template <class Fill>
  Status change(wire::Verb verb, uint32_t clock, const Fill& fill);

  const std::shared_ptr<Cluster> cluster_;
  const std::string name_;
  const DenseOptions options_;
  const uint64_t size_;
  const uint64_t state_values_;
  Numbers numbers_;
  TablePairs pairs_;
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_REMOTE_DENSE_H_
