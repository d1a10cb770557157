// Answers in one piece and byte by byte must come out alike; what is no answer must not pass for one.
#include "load/http_answer.hpp"

#include "catch.hpp"

using namespace whitewater::bench;
using State = HttpAnswer::State;

namespace {

State feed(HttpAnswer& answer, const std::string& text, std::size_t step) {
  State state = State::incomplete;
  for (std::size_t i = 0; i < text.size(); i += step) {
    state = answer.append(std::string_view(text).substr(i, step));
    if (state != State::incomplete && i + step < text.size()) return State::malformed;
  }
  return state;
}

}  // namespace

TEST_CASE("an answer is read in whatever pieces it comes") {
  const std::string sized =
      "HTTP/1.1 200 OK\r\nServer-Timing: a;dur=1\r\ncontent-length: 5\r\nConnection: Close\r\n\r\nhello";
  const std::string chunked =
      "HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
  for (const std::size_t step : {1UL, 2UL, 7UL, 1000UL}) {
    HttpAnswer answer(1000);
    REQUIRE(feed(answer, sized, step) == State::complete);
    CHECK(answer.status() == 200);
    CHECK(answer.body() == "hello");
    CHECK(answer.field("server-timing") == "a;dur=1");
    CHECK(answer.field("absent").empty());
    CHECK(answer.is_last());
    answer.clear();
    REQUIRE(feed(answer, chunked, step) == State::complete);
    CHECK(answer.status() == 503);
    CHECK(answer.body() == "hello");
    CHECK_FALSE(answer.is_last());
  }
}

TEST_CASE("what is no answer, too long, or longer than it says is malformed") {
  const std::vector<std::string> texts{
      "SMTP ready\r\n\r\n",
      "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
      std::string(HttpAnswer::head_bytes_max + 1, 'x'),
  };
  for (const auto& text : texts) {
    INFO(text.substr(0, 80));
    HttpAnswer answer(10);
    CHECK(answer.append(text) == State::malformed);
  }
}
