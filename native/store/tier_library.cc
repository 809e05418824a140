#include "store/tier_library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <thread>
#include <utility>

#include "base/sync.h"
#include "store/load_tier.h"

namespace hotrow {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr const char* kLibrary = "libhotrow_cuda.so";
constexpr const char* kProbe = "hotrow-gpu-probe";
// A cold driver takes seconds to start, and more where devices come out of persistence mode.
constexpr std::chrono::seconds kProbeTime{20};

/// The folder of the file that this code is in: the addon or the program.
std::filesystem::path own_folder() {
  Dl_info info = {};
  std::error_code error;
  if (::dladdr(reinterpret_cast<void*>(&own_folder), &info) != 0 && info.dli_fname != nullptr) {
    const auto file = std::filesystem::canonical(info.dli_fname, error);
    if (!error) return file.parent_path();
  }
  // A program's name need not be a path.
  const auto program = std::filesystem::canonical("/proc/self/exe", error);
  return error ? std::filesystem::path(".") : program.parent_path();
}

std::string library_path() {
  const char* const chosen = std::getenv("HOTROW_GPU_LIBRARY");  // NOLINT(concurrency-mt-unsafe)
  if (chosen != nullptr && *chosen != '\0') return chosen;
  return own_folder() / kLibrary;
}

std::string error_text(int error) { return std::generic_category().message(error); }

/// The last line of what was written, without its end.
std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of('\n');
  if (end == std::string::npos) return {};
  const size_t before = text.rfind('\n', end);
  const size_t begin = before == std::string::npos ? 0 : before + 1;
  return text.substr(begin, end + 1 - begin);
}

/// The child and its end of a pipe.
class Child {
 public:
  ~Child() {
    if (pid_ > 0) {
      (void)::kill(pid_, SIGKILL);
      (void)::waitpid(pid_, nullptr, 0);
    }
    if (read_ >= 0) (void)::close(read_);
  }
  Child() = default;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Returns an errno.
  int start(const std::string& program, const std::string& library, const std::string& device) {
    std::array<int, 2> ends = {};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno;
    read_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    (void)::posix_spawn_file_actions_init(&actions);
    (void)::posix_spawnattr_init(&attributes);
    (void)::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    // What drivers have to say is in the reason.
    (void)::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    // This thread may have signals blocked.
    sigset_t none;
    (void)::sigemptyset(&none);
    (void)::posix_spawnattr_setsigmask(&attributes, &none);
    (void)::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    std::array<std::string, 3> texts = {program, library, device};
    std::array<char*, 4> arguments = {texts[0].data(), texts[1].data(), texts[2].data(), nullptr};
    const int error =
        ::posix_spawn(&pid_, program.c_str(), &actions, &attributes, arguments.data(), ::environ);
    (void)::posix_spawn_file_actions_destroy(&actions);
    (void)::posix_spawnattr_destroy(&attributes);
    (void)::close(ends[1]);
    if (error != 0) pid_ = 0;
    return error;
  }

  /// All that it writes; false when it has not ended until then.
  bool read_all(SteadyClock::time_point deadline, std::string& text) const {
    std::array<char, 512> buffer;
    for (;;) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
      if (left.count() <= 0) return false;
      pollfd ready{.fd = read_, .events = POLLIN, .revents = 0};
      const int polled = ::poll(&ready, 1, static_cast<int>(left.count()));
      if (polled < 0 && errno != EINTR) return false;
      if (polled <= 0) continue;
      const ssize_t got = ::read(read_, buffer.data(), buffer.size());
      if (got == 0) return true;
      if (got > 0) text.append(buffer.data(), static_cast<size_t>(got));
      if (got < 0 && errno != EINTR) return false;
    }
  }

  /// Its status as waitpid() gives it; false when it has not ended until then.
  bool wait(SteadyClock::time_point deadline, int& status) {
    constexpr std::chrono::milliseconds kBetweenLooks{2};
    for (;;) {
      const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
      if (ended == pid_) {
        pid_ = 0;
        return true;
      }
      if (ended < 0 && errno != EINTR) return false;
      if (SteadyClock::now() >= deadline) return false;
      std::this_thread::sleep_for(kBetweenLooks);
    }
  }

 private:
  pid_t pid_ = 0;
  int read_ = -1;
};

/// Why the library or the device is of no use; empty: the child says that they are.
std::string probe(const std::string& library, uint32_t device) {
  const std::filesystem::path program = own_folder() / kProbe;
  std::error_code error;
  if (!std::filesystem::exists(program, error)) {
    return std::string(kProbe) + ", which tries the GPU library, is not in '" +
           program.parent_path().string() + "'";
  }
  Child child;
  if (const int failed = child.start(program, library, std::to_string(device)); failed != 0) {
    return std::string(kProbe) + " does not start: " + error_text(failed);
  }
  const auto deadline = SteadyClock::now() + kProbeTime;
  std::string text;
  int status = 0;
  if (!child.read_all(deadline, text) || !child.wait(deadline, status)) {
    return "the GPU did not answer within " + std::to_string(kProbeTime.count()) + " s";
  }
  if (WIFSIGNALED(status)) {
    return "the child that tried the GPU library died of signal " +
           std::to_string(WTERMSIG(status));
  }
  std::string line = last_line(text);
  if (line == "ok") return {};
  if (line.empty()) line = "it ended with code " + std::to_string(WEXITSTATUS(status));
  return line;
}

TierLibrary open_tier(const std::string& path, uint32_t device) {
  TierLibrary found;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    found.reason = "there is no GPU library at '" + path + "'; a build without nvcc makes none";
    return found;
  }
  found.reason = probe(path, device);
  if (!found.reason.empty()) return found;
  const TierApi* api = nullptr;
  found.reason = load_tier(path.c_str(), api);
  if (!found.reason.empty()) return found;
  if (const char* const why = api->describe(device, &found.device); why != nullptr) {
    found.reason = why;
    return found;
  }
  found.api = api;
  return found;
}

struct Opened {
  Mutex mutex;
  std::map<std::pair<std::string, uint32_t>, TierLibrary> by_path HOTROW_GUARDED_BY(mutex);
  const TierApi* replaced HOTROW_GUARDED_BY(mutex) = nullptr;
};

// Never destroyed: threads may run past the end of main.
Opened& opened() {
  static Opened* const instance = new Opened;
  return *instance;
}

}  // namespace

TierLibrary tier_library(uint32_t device) {
  Opened& all = opened();
  const MutexLock lock(all.mutex);
  if (all.replaced != nullptr) {
    TierLibrary found;
    const char* const why = all.replaced->describe(device, &found.device);
    (why == nullptr ? void(found.api = all.replaced) : void(found.reason = why));
    return found;
  }
  const std::pair name(library_path(), device);
  const auto known = all.by_path.find(name);
  if (known != all.by_path.end()) return known->second;
  return all.by_path.emplace(name, open_tier(name.first, device)).first->second;
}

void replace_tier_library(const TierApi* api) {
  Opened& all = opened();
  const MutexLock lock(all.mutex);
  all.replaced = api;
}

}  // namespace hotrow
