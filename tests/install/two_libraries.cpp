// A C++ program has its own C++ library, and libggufc_runtime.a contains another copy. Exceptions are thrown and caught
// in both at the same time, in many threads. Neither copy may affect the other.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "model.h"

namespace {

void Expect(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "%s; last error: %s\n", what, ggufc_last_error());
  std::_Exit(1);
}

// Calls the library while an exception of the program is in flight.
struct CallsInDestructor {
  ggufc_model* model;
  ~CallsInDestructor() {
    size_t count = 0;
    Expect(ggufc_tokenize(model, "cat", 3, nullptr, nullptr, 0, &count) == GGUFC_OK && count > 0,
           "tokenize while unwinding");
    std::vector<float> out(MODEL_DIMS);
    const char* text = "cat";
    Expect(ggufc_embed(model, &text, nullptr, 1, nullptr, out.data(), 1) == GGUFC_INVALID_ARGUMENT,
           "a stride of 1");
  }
};

void Unwind(ggufc_model* model, int i) {
  try {
    const CallsInDestructor calls{model};
    std::ostringstream text;  // streams and locales: the library's copy does not contain these
    text << "number " << i;
    throw std::runtime_error(text.str());
  } catch (const std::runtime_error& error) {
    Expect(error.what() == "number " + std::to_string(i), "the exception of the program has another text");
  }
}

}  // namespace

int main() {
  ggufc_model* model = nullptr;
  Expect(model_open(nullptr, nullptr, &model) == GGUFC_OK, "open");
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) Unwind(model, t * 50 + i);
    });
  }
  for (std::thread& thread : threads) thread.join();

  // std::bad_alloc in the library becomes a status. In the program it remains an exception.
  const std::string text(size_t{64} << 20, 'a');
  rlimit before{};
  Expect(getrlimit(RLIMIT_AS, &before) == 0, "getrlimit");
  rlimit little = before;
  little.rlim_cur = rlim_t{1} << 20;  // below the memory in use, so that every new allocation fails
  size_t count = 0;
  Expect(setrlimit(RLIMIT_AS, &little) == 0, "setrlimit");
  const ggufc_status status = ggufc_tokenize(model, text.data(), text.size(), nullptr, nullptr, 0, &count);
  bool thrown = false;
  try {
    std::vector<char> big(text.size());
    thrown = big.empty();
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  Expect(setrlimit(RLIMIT_AS, &before) == 0, "setrlimit");
  Expect(status == GGUFC_OUT_OF_MEMORY, "no memory for 64 MB of text");
  Expect(thrown, "std::bad_alloc here");
  Unwind(model, -1);
  ggufc_close(model);
  std::cout << "good\n";
  return 0;
}
