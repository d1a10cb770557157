set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR
    "GCC ${CMAKE_CXX_COMPILER_VERSION} miscompiles temporaries in co_await expressions, most of them without a warning.\n"
    "Compilers that work: clang-19 (Debian 12: apt-get install clang-19), clang >= 16, GCC >= 13.\n"
    "Where clang++-19 is installed it is taken by itself; to name another one: CXX=clang++-18 CC=clang-18 cmake --preset release")
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 16)
  message(FATAL_ERROR "clang ${CMAKE_CXX_COMPILER_VERSION} is too old for the coroutines here: clang >= 16 or GCC >= 13.")
endif()

# Assertions of the product (WW_ASSERT) do not depend on NDEBUG and stay on.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # What ccache must not mind, so that sources with a precompiled header are found again.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime;${CCACHE_PROGRAM}")
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
endif()
include(CheckLinkerFlag)
check_linker_flag(CXX "-fuse-ld=lld" WHITEWATER_HAS_LLD)
if(WHITEWATER_HAS_LLD)
  add_link_options(-fuse-ld=lld)
endif()

option(WHITEWATER_WERROR "Treat warnings as errors" OFF)
set(WHITEWATER_SANITIZER "" CACHE STRING "asan (with UBSan), tsan, or empty")
option(WHITEWATER_COVERAGE "Instrument for llvm-cov" OFF)
add_compile_options(-Wall -Wextra -Wpedantic -Wnon-virtual-dtor -Woverloaded-virtual)
# Files that are compiled together shadow each other's names.
if(NOT CMAKE_UNITY_BUILD)
  add_compile_options(-Wshadow)
endif()
if(WHITEWATER_WERROR)
  add_compile_options(-Werror)
endif()
if(WHITEWATER_SANITIZER STREQUAL "asan")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(WHITEWATER_SANITIZER STREQUAL "tsan")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
endif()
if(WHITEWATER_COVERAGE)
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()
