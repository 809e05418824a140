// Another process of the test program, which runs one of its tests that are disabled otherwise.
#ifndef HOTROW_TEST_SUPPORT_CHILD_H_
#define HOTROW_TEST_SUPPORT_CHILD_H_

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <stdexcept>
#include <string>
#include <vector>

namespace hotrow::test {

/// Starts the test `name` ("Suite.DISABLED_Name") with `variables` ("NAME=value") in its
/// environment; it says nothing but its errors.
class Child {
 public:
  Child(const std::string& name, const std::vector<std::string>& variables) {
    std::vector<std::string> arguments = {"/proc/self/exe", "--gtest_filter=" + name,
                                          "--gtest_also_run_disabled_tests", "--gtest_brief=1"};
    std::vector<std::string> environment = variables;
    for (char** each = ::environ; *each != nullptr; ++each) environment.emplace_back(*each);
    // Test totals of a shared run are not for the child.
    std::erase_if(environment, [](const std::string& each) { return each.starts_with("GTEST_"); });
    const auto pointers = [](std::vector<std::string>& texts) {
      std::vector<char*> all;
      for (std::string& text : texts) all.push_back(text.data());
      all.push_back(nullptr);
      return all;
    };
    std::vector<char*> argv = pointers(arguments);
    std::vector<char*> envp = pointers(environment);
    // Between fork and exec only what is safe in a process of many threads.
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("no process to run " + name);
    if (pid_ == 0) {
      ::execve("/proc/self/exe", argv.data(), envp.data());
      ::_exit(127);
    }
  }
  ~Child() {
    if (pid_ > 0) kill();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void kill() {
    ::kill(pid_, SIGKILL);
    wait();
  }
  void stop() const {
    int status = 0;
    ::kill(pid_, SIGSTOP);
    ::waitpid(pid_, &status, WUNTRACED);
  }
  void go_on() const { ::kill(pid_, SIGCONT); }
  /// Its status as waitpid() gives it.
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return status;
  }
  /// Has it ended?
  bool ended(int& status) {
    if (pid_ == 0 || ::waitpid(pid_, &status, WNOHANG) == 0) return pid_ == 0;
    pid_ = 0;
    return true;
  }

 private:
  pid_t pid_ = 0;
};

/// What processes share through the file `path`; it survives the death of any of them.
template <class T>
T* map_shared(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  void* memory = MAP_FAILED;
  if (file >= 0 && ::ftruncate(file, sizeof(T)) == 0) {
    memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
  }
  if (memory == MAP_FAILED) throw std::runtime_error("no shared memory at " + path);
  return static_cast<T*>(memory);
}

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_CHILD_H_
