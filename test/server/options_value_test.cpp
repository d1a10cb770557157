#include "server/options_value.hpp"

#include "catch.hpp"

using namespace whitewater::server;

TEST_CASE("sizes are read with binary and decimal units") {
  CHECK(parse_bytes("0") == 0U);
  CHECK(parse_bytes("1572864") == 1572864U);
  CHECK(parse_bytes("64MiB") == 64U << 20);
  CHECK(parse_bytes(" 64 mi ") == 64U << 20);
  CHECK(parse_bytes("2G") == 2ULL << 30);
  CHECK(parse_bytes("3KB") == 3000U);
  CHECK(parse_bytes("1TiB") == 1ULL << 40);
  CHECK(parse_bytes("1TB") == 1'000'000'000'000ULL);
  for (const char* bad :
       {"", "MiB", "-1", "1.5MiB", "64XB", "64MiB64", "99999999999999999999", "18446744073709551615K"}) {
    INFO(bad);
    CHECK_FALSE(parse_bytes(bad));
  }
  for (const std::uint64_t bytes : {0ULL, 1ULL, 1024ULL, 1536ULL, 64ULL << 20, 1ULL << 50}) {
    CHECK(parse_bytes(format_bytes(bytes)) == bytes);
  }
  CHECK(format_bytes(64U << 20) == "64MiB");
}

TEST_CASE("times are read with units") {
  CHECK(parse_milliseconds("100") == 100U);
  CHECK(parse_milliseconds("100ms") == 100U);
  CHECK(parse_milliseconds("2s") == 2000U);
  CHECK(parse_milliseconds("3 m") == 180'000U);
  CHECK(parse_milliseconds("1h") == 3'600'000U);
  for (const char* bad : {"", "s", "1.5s", "1d", "-1s", "18446744073709551615s"}) CHECK_FALSE(parse_milliseconds(bad));
}

TEST_CASE("truths have several spellings") {
  for (const char* yes : {"true", "Yes", "on", "1"}) CHECK(parse_bool(yes) == true);
  for (const char* no : {"false", "NO", "off", "0"}) CHECK(parse_bool(no) == false);
  for (const char* bad : {"", "2", "maybe"}) CHECK_FALSE(parse_bool(bad));
}

TEST_CASE("addresses are host and port, IPv6 in brackets") {
  CHECK(parse_host_port("10.0.0.1:8090") == HostPort{"10.0.0.1", 8090});
  CHECK(parse_host_port("[fd00::1]:8090") == HostPort{"fd00::1", 8090});
  CHECK(parse_host_port("whitewater-0.whitewater-headless", 8090) ==
        HostPort{"whitewater-0.whitewater-headless", 8090});
  CHECK(parse_host_port("[::1]", 53) == HostPort{"::1", 53});
  for (const char* bad : {"", ":8090", "host", "host:", "host:0", "host:65536", "host:80x", "[::1", "[host]:1",
                          "fd00::1:8090", "a b:1", "http://a:1", "a,b:1", "user@a:1"}) {
    INFO(bad);
    CHECK_FALSE(parse_host_port(bad));
  }
  CHECK_FALSE(parse_host_port(std::string(254, 'a') + ":1"));
  CHECK(describe(HostPort{"::1", 53}) == "[::1]:53");
  CHECK(describe(HostPort{"a", 1}) == "a:1");
}

TEST_CASE("lists drop blanks and empty parts") {
  CHECK(split_list("") == std::vector<std::string>{});
  CHECK(split_list(" a ,, b,") == std::vector<std::string>{"a", "b"});
}

TEST_CASE("the nearest name is offered only when it is near") {
  const std::vector<std::string> names{"--data-dir", "--listen", "--listen-client", "--name"};
  CHECK(nearest_name("--data_dir", names) == "--data-dir");
  CHECK(nearest_name("--datadir", names) == "--data-dir");
  CHECK(nearest_name("--lisen", names) == "--listen");
  CHECK(nearest_name("--nmae", names) == "--name");
  CHECK_FALSE(nearest_name("--zzzzzzzz", names));
  CHECK_FALSE(nearest_name("--completely-different", names));
  CHECK_FALSE(nearest_name(std::string(1000, 'x'), names));
  CHECK_FALSE(nearest_name("x", {}));
}
