// What ThreadSanitizer is not to report in the tests.
#include "base/sync.h"

#if defined(HOTROW_TSAN)
// RocksDB's library is not instrumented: where its threads hand memory to each other, the sanitizer
// sees the memory and not the handing over.
// Exported, or the sanitizer's own library does not find it.
extern "C" __attribute__((visibility("default"))) const char*
__tsan_default_suppressions() {  // NOLINT: the sanitizer's name
  return "race:librocksdb.so\n";
}
#endif
