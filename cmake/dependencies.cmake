# Every third-party library. The reasons are in docs/decisions.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

# Boost, headers only. WHITEWATER_BOOST_INCLUDE_DIR points at an unpacked copy (tools/fetch_boost on Debian 12).
set(WHITEWATER_BOOST_INCLUDE_DIR "" CACHE PATH "Folder that holds boost/version.hpp of Boost >= 1.86")
find_path(boost_include_dir boost/version.hpp
  HINTS "${WHITEWATER_BOOST_INCLUDE_DIR}" "${CMAKE_SOURCE_DIR}/.deps/boost/usr/include" NO_CACHE)
if(NOT boost_include_dir)
  message(FATAL_ERROR "Boost >= 1.86 not found. Debian 13: apt-get install libboost1.88-dev. Debian 12: tools/fetch_boost .deps/boost")
endif()
file(STRINGS "${boost_include_dir}/boost/version.hpp" boost_version REGEX "#define BOOST_VERSION [0-9]+")
string(REGEX REPLACE ".* ([0-9]+)" "\\1" boost_version "${boost_version}")
if(boost_version LESS 108600)
  message(FATAL_ERROR "Boost ${boost_version} in ${boost_include_dir} is too old: its io_uring backend corrupts data. "
    "Boost >= 1.86 is needed: tools/fetch_boost .deps/boost")
endif()
add_library(ww_boost INTERFACE)
target_include_directories(ww_boost SYSTEM INTERFACE "${boost_include_dir}")
target_compile_definitions(ww_boost INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  )

pkg_check_modules(LIBURING REQUIRED IMPORTED_TARGET liburing>=2.3)
pkg_check_modules(CARES REQUIRED IMPORTED_TARGET libcares>=1.18)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(RocksDB REQUIRED)
if(TARGET RocksDB::rocksdb-shared)
  set(WHITEWATER_ROCKSDB RocksDB::rocksdb-shared)
else()
  set(WHITEWATER_ROCKSDB RocksDB::rocksdb)
endif()
