// `npm run bench:table`: the C++ table beside its limits and its peers, in one process.
//
// A limit is the same work with row numbers known (raw.h); a peer is another concurrent map from
// key to row number over a slab of rows (peers/). Contenders take turns round by round (measure.h),
// each with the kernels that the store itself uses, on 2-MiB pages, on pinned threads.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "figures.h"
#include "machine.h"

namespace {

using namespace hotrow::bench;  // NOLINT(google-build-using-namespace)

/// Peers take their memory from malloc: it is to lie on huge pages like everyone's. glibc reads
/// that wish at the start of a program only.
void start_with_huge_pages(char** argv) {
  constexpr const char* kName = "GLIBC_TUNABLES";
  if (std::getenv(kName) != nullptr) return;
  ::setenv(kName, "glibc.malloc.hugetlb=1", 0);
  ::execv("/proc/self/exe", argv);
  // Where that fails the peers' maps stay on small pages.
}

void introduce(const Settings& settings) {
  std::printf("%s; %lu rows, %u rounds\n", machine_words().c_str(),
              static_cast<unsigned long>(settings.rows), settings.rounds);
  for (const std::string& warning : warnings()) std::printf("%s\n", warning.c_str());
  for (const PeerKind& kind : all_peers()) {
    if (kind.make) continue;
    std::printf("%s is left out: built without %s\n", kind.name, kind.package);
  }
  std::printf("Times are medians over the rounds (lowest to highest).\n\n");
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = read_settings(argc, argv);
  start_with_huge_pages(argv);
  introduce(settings);
  Team team(settings.most_threads());
  Report report(settings);
  Bench bench{settings, team, report, {}};
  lookup_figures(bench);
  mixed_figures(bench);
  push_figures(bench);
  fused_figures(bench);
  insert_figures(bench);
  pause_figures(bench);
  report.print_aims();
  if (settings.json.empty() || report.write_json()) return 0;
  std::fprintf(stderr, "bench:table: cannot write %s\n", settings.json.c_str());
  return 1;
}
