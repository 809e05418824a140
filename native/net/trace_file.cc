#include "net/trace_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <new>
#include <system_error>
#include <utility>

#include "base/json-inl.h"

namespace hotrow::net {

namespace {

// Rows begin at multiples of this, so that the lanes of one stand together.
constexpr uint32_t kLanesApart = 1000;
constexpr size_t kMostRows = 2000;
constexpr std::chrono::milliseconds kWritePause{100};

// Microseconds with three decimals, as the format has times.
void append_time(std::string& text, const char* name, int64_t nanoseconds) {
  std::array<char, 64> its;
  const int n = std::snprintf(its.data(), its.size(), "\"%s\":%" PRId64 ".%03" PRId64, name,
                              nanoseconds / 1000, nanoseconds % 1000);
  text.append(its.data(), static_cast<size_t>(n));
}

void append_quoted(std::string& text, std::string_view value) {
  json::append(text, std::string(value));
}

std::string hex_of(uint64_t number) {
  std::array<char, 24> its;
  const int n = std::snprintf(its.data(), its.size(), "0x%" PRIx64, number);
  return {its.data(), static_cast<size_t>(n)};
}

int64_t since_boot(Interval::Point point) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(point.time_since_epoch()).count();
}

// Clocks of processes with the same one are the same; empty: it cannot be known.
std::string boot_id() {
  std::array<char, 64> its{};
  const auto closed = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(closed)> file(
      std::fopen("/proc/sys/kernel/random/boot_id", "re"), closed);
  if (file == nullptr) return {};
  std::string id(its.data(), std::fread(its.data(), 1, its.size(), file.get()));
  std::erase(id, '\n');
  return id;
}

class Line {
 public:
  Line(std::string& text, char phase, uint32_t process, uint32_t lane) : text_(text) {
    text_ += ",\n{\"ph\":\"";
    text_ += phase;
    text_ += "\",\"pid\":" + std::to_string(process) + ",\"tid\":" + std::to_string(lane);
  }
  Line& name(std::string_view value) {
    text_ += ",\"name\":";
    append_quoted(text_, value);
    return *this;
  }
  Line& at(Interval::Point point) {
    text_ += ',';
    append_time(text_, "ts", since_boot(point));
    return *this;
  }
  Line& when(const Interval& its) {
    at(its.begin);
    text_ += ',';
    append_time(text_, "dur", static_cast<int64_t>(its.nanoseconds()));
    return *this;
  }
  Line& raw(std::string_view text) {
    text_ += text;
    return *this;
  }
  ~Line() { text_ += '}'; }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

 private:
  std::string& text_;
};

std::string arguments_of(const TraceEvent& event) {
  std::string text = ",\"args\":{";
  const char* before = "";
  const auto add = [&](const char* name, std::string_view value) {
    text += before;
    before = ",";
    text += '"';
    text += name;
    text += "\":";
    append_quoted(text, value);
  };
  if (!event.table.empty()) add("table", event.table);
  if (event.trace != 0) add("trace", hex_of(event.trace));
  if (event.request != 0) add("request", hex_of(event.request));
  return text + '}';
}

}  // namespace

Result<std::shared_ptr<TraceFile>> TraceFile::open(const std::string& path,
                                                   const std::string& process,
                                                   uint64_t most_bytes) {
  const auto refused = [&](const std::string& why) {
    return Status::invalid_argument("trace: '" + path + "' cannot be written: " + why);
  };
  const auto reason = [] { return std::generic_category().message(errno); };
  // It is emptied only once nobody else writes it. Devices and pipes know neither.
  const int number = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (number < 0) return refused(reason());
  File file(::fdopen(number, "w"));
  if (file == nullptr) {
    Status its = refused(reason());
    ::close(number);
    return its;
  }
  if (::flock(number, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return refused("another trace is being written to it");
  }
  if (::ftruncate(number, 0) != 0 && errno != EINVAL) return refused(reason());
  try {
    return std::shared_ptr<TraceFile>(new TraceFile(std::move(file), process, most_bytes));
  } catch (const std::system_error& error) {
    return Status(StatusCode::kUnavailable,
                  std::string("trace: there is no thread to write it: ") + error.what());
  }
}

TraceFile::TraceFile(File file, const std::string& process, uint64_t most_bytes)
    : file_(std::move(file)), most_bytes_(most_bytes), process_(static_cast<uint32_t>(::getpid())) {
  const auto wall = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const int64_t now = since_boot(std::chrono::steady_clock::now());
  std::string text = "[\n{\"ph\":\"M\",\"pid\":" + std::to_string(process_) +
                     ",\"tid\":0,\"name\":\"process_name\",\"args\":{\"name\":";
  append_quoted(text, process);
  text += "}}";
  Line(text, 'M', process_, 0)
      .name("hotrow_clock")
      .raw(",\"args\":{\"boot\":\"" + boot_id() + "\",\"aheadNs\":\"" +
           std::to_string(wall.count() - now) + "\"}");
  const MutexLock lock(mutex_);
  bytes_ = text.size();
  waiting_ = std::move(text);
  thread_ = std::thread([this] { loop(); });
}

void TraceFile::close() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  const MutexLock lock(closing_);
  if (thread_.joinable()) thread_.join();
}

uint32_t TraceFile::lane(const TraceEvent& event, std::string& text) {
  auto found = rows_.find(event.row);
  if (found == rows_.end()) {
    if (rows_.size() >= kMostRows) return 0;
    const auto first = static_cast<uint32_t>(rows_.size() + 1) * kLanesApart;
    found = rows_.emplace(std::string(event.row), Row{.first = first, .ends = {}}).first;
  }
  Row& row = found->second;
  const auto free = std::find_if(row.ends.begin(), row.ends.end(),
                                 [&](Interval::Point end) { return end <= event.when.begin; });
  const auto number = row.first + static_cast<uint32_t>(free - row.ends.begin());
  if (free != row.ends.end()) {
    *free = event.when.end;
    return number;
  }
  if (row.ends.size() >= kMostLanes) return 0;
  row.ends.push_back(event.when.end);
  std::string named = ",\"args\":{\"name\":";
  append_quoted(named, event.row);
  Line(text, 'M', process_, number).name("thread_name").raw(named + '}');
  return number;
}

void TraceFile::add(const TraceEvent& event) noexcept {
  const MutexLock lock(mutex_);
  const bool room = !broken_ && !stopping_ && !full_ && waiting_.size() < kMostWaiting;
  try {
    if (room && append(event)) return;
  } catch (const std::bad_alloc&) {
    // A picture is not worth what is pictured.
  }
  ++left_out_;
}

bool TraceFile::append(const TraceEvent& event) {
  std::string text;
  const uint32_t number = lane(event, text);
  if (number == 0) return false;
  Line(text, 'X', process_, number)
      .name(event.name)
      .when(event.when)
      .raw(",\"cat\":\"hotrow\"" + arguments_of(event));
  for (const TracePart& part : event.parts) {
    if (part.when.none()) continue;
    // Those of another thread's clock may reach over by the moment between two looks at it.
    const Interval within{std::clamp(part.when.begin, event.when.begin, event.when.end),
                          std::clamp(part.when.end, event.when.begin, event.when.end)};
    Line(text, 'X', process_, number)
        .name(part.name)
        .when(within)
        .raw(",\"cat\":\"hotrow\",\"args\":{}");
  }
  if (event.request != 0) {
    // An arrow from who asks to who answers.
    const char phase = event.asks ? 's' : 'f';
    Line(text, phase, process_, number)
        .name("request")
        .at(event.when.begin)
        .raw(",\"cat\":\"hotrow\",\"id\":\"" + hex_of(event.request) +
             (event.asks ? "\"" : "\",\"bp\":\"e\""));
  }
  // The name of its lane may go with it: nothing comes after it.
  full_ = bytes_ + text.size() + kEndBytes > most_bytes_;
  if (full_) return false;
  waiting_ += text;
  bytes_ += text.size();
  return true;
}

uint64_t TraceFile::left_out() const {
  const MutexLock lock(mutex_);
  return left_out_;
}

void TraceFile::loop() {
  bool failed = false;
  while (true) {
    std::string text;
    bool last = false;
    {
      const MutexLock lock(mutex_);
      if (!stopping_) wake_.wait_for(mutex_, kWritePause);
      last = stopping_;
      text = std::move(waiting_);
      waiting_.clear();
      if (last) {
        Line(text, 'M', process_, 0)
            .name("hotrow_end")
            .raw(",\"args\":{\"leftOut\":" + std::to_string(left_out_) + "}");
        text += "\n]\n";
      }
    }
    // What comes after half a line would be read as its other half.
    if (failed) {
      if (last) return;
      continue;
    }
    bool written = std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size();
    written = std::fflush(file_.get()) == 0 && written;
    if (!written) {
      failed = true;
      const MutexLock lock(mutex_);
      broken_ = true;
    }
    if (last) return;
  }
}

}  // namespace hotrow::net
