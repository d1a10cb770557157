// Base64 as etcd's gateway takes it. The accepted and refused texts were measured on etcd 3.7.3.
#include "api/base64.hpp"

#include "base/rng.hpp"
#include "catch.hpp"

using namespace whitewater;
using api::decode_base64;

namespace {
std::string encode(std::string_view bytes) {
  std::string out;
  api::append_base64(out, bytes);
  return out;
}
}  // namespace

TEST_CASE("base64 output is the standard alphabet with padding (RFC 4648 §10)") {
  CHECK(encode("").empty());
  CHECK(encode("f") == "Zg==");
  CHECK(encode("fo") == "Zm8=");
  CHECK(encode("foo") == "Zm9v");
  CHECK(encode("foob") == "Zm9vYg==");
  CHECK(encode("fooba") == "Zm9vYmE=");
  CHECK(encode("foobar") == "Zm9vYmFy");
  CHECK(encode("\xfb\xff") == "+/8=");
}

TEST_CASE("base64 input may be standard or URL-safe, padded or not") {
  const std::pair<std::string_view, std::string_view> accepted[] = {
      {"", ""},          {"Zm9v", "foo"},      {"Zm8=", "fo"},       {"Zm8", "fo"},       {"Zg==", "f"},
      {"Zg", "f"},       {"+/8=", "\xfb\xff"}, {"_-8=", "\xff\xef"}, {"_-8", "\xff\xef"}, {"Zm9vYmE", "fooba"},
      {"Zm9=", "fo"},    {"Zm==", "f"},  // unused bits of the last character are ignored
      {"Zm9v\n", "foo"}, {"Zm\n9v", "foo"},    {"\n", ""},
  };
  for (const auto& [text, bytes] : accepted) {
    INFO(text);
    std::string out = "left over";
    CHECK(decode_base64(text, out));
    CHECK(out == bytes);
  }
}

TEST_CASE("base64 input that Go's decoder refuses is refused") {
  for (const std::string_view text : {"Z",     "Z===",       "=",     "====", "Zm8=Zm8=",     " Zm9v",  "Zm9v ",
                                      "Zm8==", "Zm9v=",      "_/8=",  "-+8=", "Zm9v\xc3\xa9", "Zm8=\n", "Zm9vAAA\n",
                                      "Zm8\n", "Zm9vYm\r\n", "Zm9v.", "Zm*v", "Z=8=",         "Zm9v\t"}) {
    INFO(text);
    std::string out;
    CHECK_FALSE(decode_base64(text, out));
  }
}

TEST_CASE("base64 survives a round trip at every length and in both alphabets") {
  base::Rng rng(1);
  for (std::size_t size = 0; size < 200; ++size) {
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i) bytes.push_back(static_cast<char>(rng.next()));
    std::string text = encode(bytes);
    CHECK(text.size() == api::base64_size_bytes(size));
    std::string out;
    REQUIRE(decode_base64(text, out));
    REQUIRE(out == bytes);
    for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
    REQUIRE(decode_base64(text, out));
    REQUIRE(out == bytes);
    while (text.ends_with('=')) text.pop_back();
    REQUIRE(decode_base64(text, out));
    REQUIRE(out == bytes);
  }
}
