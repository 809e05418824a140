#include "process.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

namespace hotrow::bench {

namespace {

std::vector<int> find_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> found;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return {0};
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) found.push_back(cpu);
  }
  return found;
}

/// As this process and its parents were started, whatever was pinned since.
const std::vector<int>& processors() {
  static const std::vector<int> all = find_processors();
  return all;
}

/// A child that is not left behind.
pid_t fork_bound() {
  (void)processors();
  std::fflush(stdout);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) fail("no process can be started");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
  }
  return pid;
}

}  // namespace

void fail(const char* what) {
  std::fprintf(stderr, "bench:net: %s\n", what);
  std::exit(1);
}

void pin(Side side) {
  cpu_set_t set;
  CPU_ZERO(&set);
  const auto& all = processors();
  CPU_SET(side == Side::kClient ? all.front() : all[1 % all.size()], &set);
  // Where it is refused, the figures are noisier and just as right.
  (void)::sched_setaffinity(0, sizeof set, &set);
}

bool has_two_processors() { return processors().size() > 1; }

Child::Child(const std::function<void(const Ready&)>& serve) {
  int ends[2];
  if (::pipe(ends) != 0) fail("no pipe can be made");
  pid_ = fork_bound();
  if (pid_ == 0) {
    ::close(ends[0]);
    pin(Side::kServer);
    serve([&](uint16_t port) {
      if (::write(ends[1], &port, sizeof port) != sizeof port) ::_exit(1);
      ::close(ends[1]);
    });
    while (true) ::pause();
  }
  ::close(ends[1]);
  const bool told = ::read(ends[0], &port_, sizeof port_) == sizeof port_;
  ::close(ends[0]);
  if (!told) fail("a server could not be started");
}

Child::~Child() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

double Child::cpu_seconds() const {
  clockid_t clock;
  timespec time{};
  if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double own_cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

bool run_apart(const std::function<void()>& work) {
  const pid_t pid = fork_bound();
  if (pid == 0) {
    pin(Side::kClient);
    work();
    std::fflush(stdout);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace hotrow::bench
