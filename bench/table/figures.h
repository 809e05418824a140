// The figures, by family. Each function measures what the command line wants of its family.
//
// Names are stable: family/dim/…/threads, with the contender in front where it is not hotrow.
#ifndef HOTROW_BENCH_TABLE_FIGURES_H_
#define HOTROW_BENCH_TABLE_FIGURES_H_

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "hotrow/options.h"
#include "measure.h"
#include "options.h"
#include "peers/peer.h"
#include "report.h"

namespace hotrow::bench {

struct Bench;

/// Peers that hold the keys of rows 0 … rows - 1; loaded when first asked for, as that takes
/// minutes with all rows.
class LoadedPeers {
 public:
  struct Loaded {
    const char* name;
    std::unique_ptr<Peer> peer;
  };

  /// Those that take part, over `slab`.
  std::vector<Loaded>& over(const RowSlab& slab, Bench& bench);
  void drop() { peers_.clear(); }

 private:
  void load(const PeerKind& kind, Report& report);

  uint64_t rows_ = 0;
  std::vector<Loaded> peers_;
  std::set<std::string> told_;  // peers whose memory was reported
};

struct Bench {
  const Settings& settings;
  Team& team;
  Report& report;
  LoadedPeers peers;

  /// Rows so that `bytes_per_row` each fit the memory that may be used; says when they are fewer
  /// than asked for.
  uint64_t rows_that_fit(uint64_t bytes_per_row, const std::string& figure);
  /// One stream for each thread, long enough that neither rows nor keys stay in a cache.
  std::vector<Stream> streams(Choice choice, uint64_t rows) const;
  /// The peers that the program was built with and the command line wants.
  std::vector<PeerKind> settings_peers() const;
};

/// What a key costs beyond its row: our index, and that of all peers together (measured).
inline constexpr uint64_t kIndexBytes = 24;
inline constexpr uint64_t kPeerIndexBytes = 300;

void lookup_figures(Bench& bench);
void push_figures(Bench& bench);
void mixed_figures(Bench& bench);
void fused_figures(Bench& bench);
void insert_figures(Bench& bench);
void pause_figures(Bench& bench);

/// Calls use(batch's rows, batch's keys) for a stream in batches of `batch`.
template <class Use>
void for_batches(const Stream& stream, size_t batch, const Use& use) {
  const std::span<const uint32_t> rows(stream.rows);
  const std::span<const uint64_t> keys(stream.keys);
  for (size_t i = 0; i + batch <= keys.size(); i += batch) {
    use(rows.subspan(i, batch), keys.subspan(i, batch));
  }
}

/// Runs work(stream) for the streams that are `thread`'s share among `threads`.
template <class Work>
void for_share(const std::vector<Stream>& streams, uint32_t thread, uint32_t threads,
               const Work& work) {
  for (size_t i = thread; i < streams.size(); i += threads) work(streams[i]);
}

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_TABLE_FIGURES_H_
