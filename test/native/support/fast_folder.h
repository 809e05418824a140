// Where tests that write thousands of files put them: in memory, if the machine has such a place.
#ifndef HOTROW_TEST_SUPPORT_FAST_FOLDER_H_
#define HOTROW_TEST_SUPPORT_FAST_FOLDER_H_

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "support/folder.h"

namespace hotrow::test {

class FastFolder : public Folder {
 public:
  FastFolder() : Folder(fast() ? "/dev/shm" : std::filesystem::temp_directory_path()) {}

 private:
  static bool fast() { return ::access("/dev/shm", W_OK) == 0; }
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_FAST_FOLDER_H_
