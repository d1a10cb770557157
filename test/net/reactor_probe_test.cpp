// Why io_uring is refused, told apart.
#include "net/reactor_probe.hpp"

#include <cerrno>

#include "catch.hpp"

using namespace whitewater::net;

TEST_CASE("each refusal of io_uring is named by its cause") {
  CHECK(classify_uring_setup_error(EPERM, "0", 2).cause == UringCause::seccomp);
  CHECK(classify_uring_setup_error(EPERM, "", 2).cause == UringCause::seccomp);
  CHECK(classify_uring_setup_error(EPERM, "1", 0).cause == UringCause::sysctl);
  CHECK(classify_uring_setup_error(EPERM, "2\n", 2).cause == UringCause::sysctl);
  CHECK(classify_uring_setup_error(ENOSYS, "", 0).cause == UringCause::kernel);
  CHECK(classify_uring_setup_error(ENOSYS, "", 2).cause == UringCause::kernel);
  CHECK(classify_uring_setup_error(ENOSYS, "0", 2).cause == UringCause::seccomp);
  CHECK(classify_uring_setup_error(ENOMEM, "0", 0).cause == UringCause::memlock);
  CHECK(classify_uring_setup_error(EMFILE, "0", 0).cause == UringCause::other);
}

TEST_CASE("every refusal says what is used instead") {
  for (const int error : {EPERM, ENOSYS, ENOMEM, EMFILE}) {
    for (const char* sysctl_value : {"", "0", "1", "2"}) {
      const auto probe = classify_uring_setup_error(error, sysctl_value, 2);
      CHECK(!probe.ok());
      CHECK(probe.text.find("using epoll") != std::string::npos);
      CHECK(to_string(probe.cause) != "ok");
    }
  }
}

TEST_CASE("the probe answers on this machine, with a text either way") {
  const auto probe = probe_uring();
  CHECK(!probe.text.empty());
  CHECK(probe.ok() == (to_string(probe.cause) == "ok"));
}
