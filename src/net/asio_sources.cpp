// Asio's own sources for this reactor, compiled once.
#include <boost/asio/impl/src.hpp>
