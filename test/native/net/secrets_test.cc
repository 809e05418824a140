// Files with secrets: what they may be, and that no message tells anything of them.
#include "net/secrets.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "support/certificates.h"
#include "support/folder.h"
#include "support/status.h"

namespace hotrow::test {
namespace {

const std::string kDigits = "0123456789abcdef0123456789ABCDEF";

TEST(Secrets, KeysAndTokensAreReadByIdentity) {
  const Folder folder;
  const auto path =
      write_file(folder / "f", "# a comment\n\n  a:" + kDigits + " \r\nurn:b:" + kDigits + "ff");
  const auto keys = must(net::read_psk_file("pskFile", path));
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(
      keys.at("a").view(),
      std::string_view("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef", 16));
  EXPECT_EQ(keys.at("urn:b").size(), 17U);
  const auto tokens = must(net::read_token_file("tokenFile", path));
  EXPECT_EQ(tokens.at("a").view(), kDigits);
}

TEST(Secrets, WhatIsWrongIsNamedByItsLineAndNeverQuoted) {
  const Folder folder;
  const struct {
    std::string text;
    const char* what;
  } cases[] = {{"", "no line"},
               {"# only this\n", "no line"},
               {"a:" + kDigits + "\nsecretsecretsecret\n", "line 2: expected IDENTITY:SECRET"},
               {":" + kDigits, "line 1: the identity"},
               {"a b:" + kDigits, "line 1: the identity"},
               {"a:deadbeef", "line 1: the secret is not 16 to 64 bytes"},
               {"a:" + kDigits + "0", "line 1: the secret is not 16 to 64 bytes"},
               {"a:" + kDigits + "zz", "line 1: the secret is not 16 to 64 bytes"},
               {"a:" + std::string(130, 'a'), "line 1: the secret is not 16 to 64 bytes"},
               {"a:" + kDigits + "\na:" + kDigits, "line 2: the identity 'a' appears twice"}};
  for (const auto& [text, what] : cases) {
    const auto read = net::read_psk_file("pskFile", write_file(folder / "f", text));
    EXPECT_TRUE(fails(read, kInvalid, what)) << text;
    EXPECT_TRUE(fails(read, kInvalid, "pskFile: '" + (folder / "f"))) << text;
    for (const char* part : {"secretsecret", "deadbeef", "0123", "zz", "aaaa"}) {
      EXPECT_EQ(read.status().message().find(part), std::string::npos) << read.status().message();
    }
  }
  EXPECT_TRUE(fails(net::read_token_file("tokenFile", write_file(folder / "f", "a:too short")),
                    kInvalid, "line 1: the secret is not 16 to 512"));
}

TEST(Secrets, FilesThatOthersMayReadAreRefused) {
  const Folder folder;
  const auto refused = [&](const std::string& path, const char* what) {
    EXPECT_TRUE(fails(net::read_secret_file("keyFile", path), kInvalid, what));
  };
  refused(write_file(folder / "f", "x", true), "may be read by others than its owner: chmod 600");
  refused(folder / "nothing", "cannot be read: No such file");
  refused(folder.path(), "is not a plain file");
  refused(write_file(folder / "long", std::string((1 << 20) + 1, 'x')), "longer than 1 MiB");
  EXPECT_TRUE(ok(net::read_secret_file("keyFile", write_file(folder / "f", "x"))));
  // What is no secret may be read, but not written.
  const auto access = write_file(folder / "f", "x", true);
  EXPECT_TRUE(ok(net::read_trusted_file("accessFile", access)));
  std::filesystem::permissions(access, std::filesystem::perms::group_write,
                               std::filesystem::perm_options::add);
  EXPECT_TRUE(fails(net::read_trusted_file("accessFile", access), kInvalid, "chmod go-w"));
}

TEST(Secrets, ATokenIsThatOfItsIdentityOnly) {
  const Folder folder;
  const auto tokens = must(net::read_token_file(
      "tokenFile", write_file(folder / "f", "a:" + kDigits + "\nb:fedcba9876543210")));
  EXPECT_TRUE(net::is_token_of(tokens, "a", kDigits));
  EXPECT_TRUE(net::is_token_of(tokens, "b", "fedcba9876543210"));
  EXPECT_FALSE(net::is_token_of(tokens, "b", kDigits));
  EXPECT_FALSE(net::is_token_of(tokens, "a", kDigits + "0"));
  EXPECT_FALSE(net::is_token_of(tokens, "", ""));
  EXPECT_FALSE(net::is_token_of({}, "", ""));
}

}  // namespace
}  // namespace hotrow::test
