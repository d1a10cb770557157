#include "log/uring_executor.hpp"

#include <liburing.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/assert.hpp"

namespace whitewater::log {
namespace {

constexpr unsigned ring_entries = 32;  // more than writes, reads and a header can be in flight
constexpr std::uint64_t read_flag = 1ULL << 63;

boost::system::error_code os_error(int error) { return {error, boost::system::system_category()}; }

class UringExecutor final : public LogExecutor {
 public:
  UringExecutor() = default;
  UringExecutor(const UringExecutor&) = delete;
  UringExecutor& operator=(const UringExecutor&) = delete;
  // The kernel still writes from the buffers until the last completion.
  ~UringExecutor() override {
    if (!is_open_) return;
    std::vector<Completion> rest;
    reap(rest);
    while (in_flight_ > 0) {
      io_uring_cqe* cqe = nullptr;
      (void)io_uring_wait_cqe(&ring_, &cqe);
      reap(rest);
    }
    io_uring_queue_exit(&ring_);
  }

  // 0 or an errno.
  int open(const ExecutorSetup& setup) {
    const unsigned modern = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    int error = io_uring_queue_init(ring_entries, &ring_, modern);
    defers_ = error == 0;
    if (error == -EINVAL) error = io_uring_queue_init(ring_entries, &ring_, 0);  // Linux before 6.1
    if (error != 0) return -error;
    is_open_ = true;
    // A filter may let a ring be made and still refuse to use it.
    if (::syscall(__NR_io_uring_enter, ring_.ring_fd, 0U, 0U, 0U, nullptr, 0UL) < 0) return errno;
    (void)io_uring_register_ring_fd(&ring_);
    error = io_uring_register_eventfd(&ring_, setup.completion_fd);
    if (error != 0) return -error;
    completion_fd_ = setup.completion_fd;
    files_ = setup.files;
    register_files(setup.files_max);
    register_buffers(setup.pool);
    return 0;
  }

  void submit(const WriteOp& op) override {
    io_uring_sqe* sqe = next_sqe();
    const auto size = static_cast<unsigned>(op.bytes.size());
    if (op.buffer_slot >= 0 && has_buffers_) {
      io_uring_prep_write_fixed(sqe, target(op.slot), op.bytes.data(), size, op.offset_bytes, op.buffer_slot);
    } else {
      io_uring_prep_write(sqe, target(op.slot), op.bytes.data(), size, op.offset_bytes);
    }
    sqe->rw_flags = RWF_DSYNC;
    enter(sqe, op.id);
  }

  void submit(const ReadOp& op) override {
    io_uring_sqe* sqe = next_sqe();
    io_uring_prep_read(sqe, target(op.slot), op.to, op.size_bytes, op.offset_bytes);
    enter(sqe, op.id | read_flag);
  }

  void reap(std::vector<Completion>& out) override {
    if (defers_ && in_flight_ > 0) (void)io_uring_get_events(&ring_);
    io_uring_cqe* cqe = nullptr;
    unsigned head = 0;
    unsigned count = 0;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      const std::uint64_t data = cqe->user_data;
      out.push_back({data & ~read_flag, (data & read_flag) != 0, cqe->res});
      ++count;
    }
    io_uring_cq_advance(&ring_, count);
    WW_ASSERT(count + refused_.size() <= in_flight_);
    in_flight_ -= count + refused_.size();
    out.insert(out.end(), refused_.begin(), refused_.end());
    refused_.clear();
  }

  void add_file(Slot slot, int fd) override {
    WW_ASSERT(slot == files_.size());
    files_.push_back(fd);
    if (has_files_ && io_uring_register_files_update(&ring_, slot, &files_.back(), 1) != 1) has_files_ = false;
  }
  [[nodiscard]] std::size_t in_flight() const override { return in_flight_; }
  [[nodiscard]] Strategy strategy() const override { return Strategy::uring; }

 private:
  void register_files(std::uint32_t files_max) {
    if (io_uring_register_files_sparse(&ring_, files_max) != 0) return;
    has_files_ = io_uring_register_files_update(&ring_, 0, files_.data(), static_cast<unsigned>(files_.size())) ==
                 static_cast<int>(files_.size());
  }
  // Fails when the memory lock limit is short; plain writes work as well, a little slower.
  void register_buffers(BufferPool* pool) {
    if (pool == nullptr) return;
    std::vector<iovec> parts;
    for (std::size_t i = 0; i < pool->count(); ++i) parts.push_back({pool->at(i), pool->bytes_each()});
    has_buffers_ = io_uring_register_buffers(&ring_, parts.data(), static_cast<unsigned>(parts.size())) == 0;
  }
  [[nodiscard]] int target(Slot slot) const { return has_files_ ? static_cast<int>(slot) : files_.at(slot); }
  io_uring_sqe* next_sqe() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    WW_ASSERT_MSG(sqe != nullptr, "more in flight than the ring holds");
    return sqe;
  }
  void enter(io_uring_sqe* sqe, std::uint64_t data) {
    if (has_files_) io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
    sqe->user_data = data;
    ++in_flight_;
    int submitted = io_uring_submit(&ring_);
    while (submitted == -EINTR) submitted = io_uring_submit(&ring_);
    if (submitted == 1) return;
    // The kernel did not take it. It stays in the ring, which is not used again: the owner ends with this error.
    refused_.push_back({data & ~read_flag, (data & read_flag) != 0, submitted < 0 ? submitted : -EIO});
    (void)::eventfd_write(completion_fd_, 1);
  }

  io_uring ring_{};
  bool is_open_ = false;
  bool defers_ = false;
  bool has_files_ = false;
  bool has_buffers_ = false;
  int completion_fd_ = -1;
  std::vector<int> files_;
  std::size_t in_flight_ = 0;
  std::vector<Completion> refused_;
};

}  // namespace

base::Result<std::unique_ptr<LogExecutor>> make_uring_executor(const ExecutorSetup& setup) {
  auto executor = std::make_unique<UringExecutor>();
  if (const int error = executor->open(setup); error != 0) return os_error(error);
  return std::unique_ptr<LogExecutor>(std::move(executor));
}

std::string describe_uring_refusal(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
      return "io_uring is refused: the container's seccomp profile or the sysctl kernel.io_uring_disabled blocks it";
    case ENOSYS:
      return "io_uring is not there: the kernel has none, or a seccomp profile hides it";
    case ENOMEM:
      return "io_uring got no memory: the memory lock limit (RLIMIT_MEMLOCK) is short";
    default:
      return std::string("io_uring does not start: ") + std::strerror(error);
  }
}

}  // namespace whitewater::log
