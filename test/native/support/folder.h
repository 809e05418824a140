// A folder of a test's own, gone with it.
#ifndef HOTROW_TEST_SUPPORT_FOLDER_H_
#define HOTROW_TEST_SUPPORT_FOLDER_H_

#include <cstdlib>
#include <filesystem>
#include <string>

namespace hotrow::test {

class Folder {
 public:
  Folder() : Folder(std::filesystem::temp_directory_path()) {}
  explicit Folder(const std::filesystem::path& parent) {
    std::string name = (parent / "hotrow-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_FOLDER_H_
