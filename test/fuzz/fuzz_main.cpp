// libFuzzer's two entry points. `--write-seeds=FOLDER` writes the target's seeds there and ends.
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "fuzz/fuzz.hpp"

namespace {

constexpr std::string_view seeds_option = "--write-seeds=";

int write_seeds(const std::string& folder) {
  int number = 0;
  for (const std::string& seed : whitewater::fuzz::fuzz_seeds()) {
    std::ofstream out(folder + "/seed-" + std::to_string(number++), std::ios::binary);
    out << seed;
    if (!out.flush()) {
      std::fprintf(stderr, "fuzz: %s cannot be written\n", folder.c_str());
      return 1;
    }
  }
  return 0;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (argument.starts_with(seeds_option)) std::exit(write_seeds(std::string(argument.substr(seeds_option.size()))));
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  whitewater::fuzz::fuzz_one({reinterpret_cast<const char*>(data), size_bytes});
  return 0;
}
