// Guarantee E6 on a real file system of a few MiB: commits that find no space say so, lookups and
// pushes go on, and once there is space the next commit has everything.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstring>

#include "faults/plain_store.h"
#include "support/folder.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/seed.h"
#include "support/status.h"

namespace hotrow::test {
namespace {

/// A small tmpfs, unmounted with it.
class SmallDisk {
 public:
  SmallDisk() {
    if (::mount("hotrow", folder_.path().c_str(), "tmpfs", 0, "size=6m") != 0) error_ = errno;
  }
  ~SmallDisk() {
    if (error_ == 0) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  /// 0, or why it could not be mounted.
  int error() const { return error_; }
  std::string path() const { return folder_ / "s"; }
  /// Fills it up, but for some bytes.
  void fill(uint64_t but) const {
    const int file = ::open((folder_ / "filler").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    const std::string page(4096, 'x');
    uint64_t written = 0;
    while (::write(file, page.data(), page.size()) == 4096) written += page.size();
    (void)::ftruncate(file, static_cast<off_t>(written > but ? written - but : 0));
    ::close(file);
  }
  void free_space() const { ::unlink((folder_ / "filler").c_str()); }

 private:
  Folder folder_;
  int error_ = 0;
};

TEST(FullDisk, ACommitSaysSoAndTheNextOneHasItAll) {
  const SmallDisk disk;
  if (disk.error() != 0) GTEST_SKIP() << "no tmpfs may be mounted: " << std::strerror(disk.error());
  const uint64_t seed = test_seed("FullDisk.*");
  Random random(seed);
  PlainStore store(seed);
  must(store.open(disk.path()));
  uint64_t refused = 0;
  const uint64_t cycles = scaled(20);
  for (uint64_t cycle = 0; cycle < cycles && !HasFailure(); ++cycle) {
    // Until one finds no space: small ones may still fit, and old versions that go leave some.
    Status status;
    for (int i = 0; i < 30 && status.ok(); ++i) {
      disk.fill(random.below(6) * 4096);
      store.change();
      status = store.commit();
      store.compare();
    }
    EXPECT_TRUE(fails(status, StatusCode::kDiskFull)) << "cycle " << cycle;
    if (!status.ok()) ++refused;
    store.change();
    store.compare();
    disk.free_space();
    EXPECT_TRUE(ok(store.commit())) << "cycle " << cycle;
    if (random.one_in(4)) must(store.open(disk.path()));
  }
  EXPECT_EQ(refused, cycles);
}

}  // namespace
}  // namespace hotrow::test
