# Which compiler to take when nobody says (CXX, CC, -DCMAKE_CXX_COMPILER): the newest clang that is known to work, because
# Debian 12's default, GCC 12, does not. Where there is no clang the machine's default is left to cmake/compiler.cmake.
if(NOT DEFINED CMAKE_CXX_COMPILER AND NOT DEFINED ENV{CXX} AND NOT DEFINED ENV{CC})
  foreach(version 19 20 21 18 17 16)
    find_program(WHITEWATER_CLANGXX_${version} clang++-${version} NO_CACHE)
    find_program(WHITEWATER_CLANG_${version} clang-${version} NO_CACHE)
    if(WHITEWATER_CLANGXX_${version} AND WHITEWATER_CLANG_${version})
      set(CMAKE_CXX_COMPILER "${WHITEWATER_CLANGXX_${version}}" CACHE FILEPATH "C++ compiler")
      set(CMAKE_C_COMPILER "${WHITEWATER_CLANG_${version}}" CACHE FILEPATH "C compiler")
      break()
    endif()
  endforeach()
endif()
