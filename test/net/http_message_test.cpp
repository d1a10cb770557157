// HTTP values and the text of a response's head.
#include "net/http_message.hpp"

#include "catch.hpp"
#include "net/read_buffer.hpp"

using namespace whitewater::net;

TEST_CASE("header fields are found whatever their case, the first of a name wins") {
  HttpHeaders headers;
  headers.add("Content-Type", "text/plain");
  headers.add("X-Empty", "");
  headers.add("content-type", "other");
  CHECK(headers.get("CONTENT-TYPE") == "text/plain");
  CHECK(headers.contains("x-empty"));
  CHECK(headers.get("x-empty").empty());
  CHECK(!headers.contains("content"));
  CHECK(headers.count() == 3);
  CHECK(headers.at(2).second == "other");
  headers.clear();
  CHECK(headers.count() == 0);
  CHECK(headers.get("Content-Type").empty());
}

TEST_CASE("a target splits into path and query") {
  HttpRequest request;
  request.target = "/health?serializable=true&exclude=NOSPACE";
  CHECK(request.path() == "/health");
  CHECK(request.query() == "serializable=true&exclude=NOSPACE");
  request.target = "/health";
  CHECK(request.path() == "/health");
  CHECK(request.query().empty());
}

TEST_CASE("a response's head is complete and says whether the connection stays") {
  std::string out;
  append_head({.status = 200, .body = "abc", .headers = {{"X-A", "1"}}},
              {.version = 11, .keep_alive = true, .date = "now"}, out);
  CHECK(out == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: now\r\nX-A: 1\r\nContent-Length: 3\r\n\r\n");
  out.clear();
  append_head({.status = 404, .content_type = ""}, {.version = 10, .keep_alive = true, .date = ""}, out);
  CHECK(out == "HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
  out.clear();
  append_head({.status = 204, .content_type = ""}, {.version = 11, .keep_alive = false, .date = ""}, out);
  CHECK(out == "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
}

TEST_CASE("a field that would break the framing is left out") {
  std::string out;
  append_head({.content_type = "a\r\nEvil: 1", .headers = {{"X", "a\nb"}, {"Bad Name", "v"}, {"", "v"}, {"Good", "v"}}},
              {.version = 11, .keep_alive = true, .date = ""}, out);
  CHECK(out == "HTTP/1.1 200 OK\r\nGood: v\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("dates have HTTP's form") {
  CHECK(format_http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(format_http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(format_http_date(1709164800) == "Thu, 29 Feb 2024 00:00:00 GMT");
}

TEST_CASE("a read buffer grows to its bound and no further, and keeps the bytes' order") {
  ReadBuffer buffer(8, 64);
  std::string expected;
  std::string seen;
  char next = 'a';
  for (int round = 0; round < 500; ++round) {
    while (!buffer.is_full() && round % 7 != 0) {
      const auto room = buffer.prepare();
      REQUIRE(!room.empty());
      const auto size = std::min<std::size_t>(room.size(), static_cast<std::size_t>(round % 5 + 1));
      for (std::size_t i = 0; i < size; ++i) {
        room[i] = next;
        expected.push_back(next);
        next = next == 'z' ? 'a' : static_cast<char>(next + 1);
      }
      buffer.commit(size);
      if (round % 3 == 0) break;
    }
    CHECK(buffer.view().size() <= 64);
    const auto take = std::min<std::size_t>(buffer.view().size(), static_cast<std::size_t>(round % 11));
    seen.append(buffer.view().substr(0, take));
    buffer.consume(take);
  }
  seen.append(buffer.view());
  CHECK(seen == expected);
}
