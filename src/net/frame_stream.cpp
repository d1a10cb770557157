#include "net/frame_stream.hpp"

#include <boost/asio/write.hpp>
#include <utility>

#include "base/assert.hpp"
#include "net/socket_util.hpp"

namespace whitewater::net {
namespace {

// A buffer sequence that does not own its list; async_write copies its sequence.
struct BufferList {
  using value_type = asio::const_buffer;
  using const_iterator = const asio::const_buffer*;
  const asio::const_buffer* first;
  const asio::const_buffer* last;
  [[nodiscard]] const_iterator begin() const { return first; }
  [[nodiscard]] const_iterator end() const { return last; }
};

}  // namespace

FrameStream::FrameStream(TcpSocket socket, std::string_view head, std::size_t payload_bytes_max)
    : socket_(std::move(socket)), decoder_(payload_bytes_max) {
  set_stream_options(socket_);
  if (!head.empty()) decoder_.feed(head);
}

Awaitable<base::Result<Frame>> FrameStream::read_frame() {
  for (;;) {
    auto frame = decoder_.next();
    if (frame.has_error()) co_return frame.error();
    if (frame->has_value()) co_return std::move(**frame);
    const auto room = decoder_.prepare();
    const auto [error, size] = co_await socket_.async_read_some(asio::buffer(room.data(), room.size()), as_result);
    if (error == asio::error::eof) co_return base::Errc::connection_lost;
    if (error) co_return error;
    decoder_.commit(size);
    counters_.received_bytes += size;
    ++counters_.reads;
  }
}

Awaitable<base::Result<void>> FrameStream::write(std::string bytes) {
  const auto [error, size] = co_await asio::async_write(socket_, asio::buffer(bytes), as_result);
  counters_.sent_bytes += size;
  ++counters_.writes;
  if (error) co_return error;
  co_return base::Result<void>();
}

Awaitable<base::Result<void>> FrameStream::write(const FrameBatch* batch) {
  WW_ASSERT(!batch->empty());
  buffers_.clear();
  for (const auto piece : batch->buffers()) buffers_.emplace_back(piece.data(), piece.size());
  const BufferList list{buffers_.data(), buffers_.data() + buffers_.size()};
  const auto [error, size] = co_await asio::async_write(socket_, list, as_result);
  counters_.sent_bytes += size;
  ++counters_.writes;
  if (error) co_return error;
  co_return base::Result<void>();
}

}  // namespace whitewater::net
