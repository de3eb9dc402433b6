// Loads and stores access exactly their bytes; scratch, pointers and prefetch.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <numeric>

#include "ir/core/builder.h"
#include "run_kernel.h"
#include "support/check.h"

namespace ggufc::testing {
namespace {

using ir::Builder;
using ir::Scalar;
using ir::Type;
using ir::ValueId;

// One page between two pages that must not be accessed.
class GuardedPage {
 public:
  GuardedPage() : size_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    void* mapping = mmap(nullptr, 3 * size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mapping != MAP_FAILED);
    base_ = static_cast<uint8_t*>(mapping);
    CHECK(mprotect(base_ + size_, size_, PROT_READ | PROT_WRITE) == 0);
  }
  ~GuardedPage() { munmap(base_, 3 * size_); }
  GuardedPage(const GuardedPage&) = delete;
  GuardedPage& operator=(const GuardedPage&) = delete;
  uint8_t* begin() const { return base_ + size_; }
  uint8_t* end() const { return base_ + 2 * size_; }

 private:
  size_t size_;
  uint8_t* base_;
};

class MemoryTest : public ::testing::TestWithParam<Variant> {};

// Loads `load_lanes` lanes from `in` and stores `store_lanes` lanes to `out` (0: all).
ir::Module CopyModule(const Type& type, int64_t load_lanes, int64_t store_lanes) {
  return KernelModule([&](Builder& b, const KernelParams& p) {
    b.Store(b.Load(type, p.in, b.Index(0), load_lanes), p.out, b.Index(0), store_lanes);
  });
}

TEST_P(MemoryTest, PartialAccessAtTheEndOfAPage) {
  const GuardedPage page;
  struct Case {
    Scalar scalar;
    int lanes;
  };
  for (const auto& [scalar, lanes] : {Case{Scalar::kF32, 16},
                                      {Scalar::kI32, 16},
                                      {Scalar::kI8, 16},
                                      {Scalar::kI8, 64},
                                      {Scalar::kI16, 32},
                                      {Scalar::kF16, 16},
                                      {Scalar::kF32, 8}}) {
    const int64_t size = ir::Bits(scalar) / 8;
    for (int n = 1; n <= lanes; n += n < 16 ? 1 : 7) {
      const std::string what = fmt::format("{}x{}, {} lanes", ir::Name(scalar), lanes, n);
      const size_t bytes = static_cast<size_t>(n * size), all = static_cast<size_t>(lanes * size);
      std::vector<uint8_t> data(all), out(all, 0xee);
      std::iota(data.begin(), data.end(), uint8_t{1});
      // Load from the last bytes of the page; the other lanes are zero.
      std::memcpy(page.end() - bytes, data.data(), bytes);
      Code(CopyModule(Type::Vector(scalar, lanes), n, 0), GetParam())
          .RunKernel("k", {page.end() - bytes, out.data()}, 1);
      for (size_t i = 0; i < all; ++i) ASSERT_EQ(out[i], i < bytes ? data[i] : 0) << what << ", byte " << i;
      // Store to the last bytes of the page; the byte before them is unchanged.
      std::memset(page.begin(), 0xee, static_cast<size_t>(page.end() - page.begin()));
      Code(CopyModule(Type::Vector(scalar, lanes), 0, n), GetParam())
          .RunKernel("k", {data.data(), page.end() - bytes}, 1);
      ASSERT_EQ(std::memcmp(page.end() - bytes, data.data(), bytes), 0) << what;
      ASSERT_EQ(*(page.end() - bytes - 1), 0xee) << what;
    }
  }
}

TEST_P(MemoryTest, AccessAtAnyAlignment) {
  std::vector<uint8_t> in(256), out(256);
  std::iota(in.begin(), in.end(), uint8_t{0});
  for (const Type& type :
       {ir::F32x16(), ir::I32Type(), ir::F32Type(), Type::Vector(Scalar::kI8, 64), ir::IndexType()}) {
    const Code code(CopyModule(type, 0, 0), GetParam());
    for (size_t at = 0; at < 64; ++at) {
      std::fill(out.begin(), out.end(), uint8_t{0xee});
      code.RunKernel("k", {in.data() + at, out.data() + 63 - at}, 1);
      const auto bytes = static_cast<size_t>(type.Bytes());
      ASSERT_EQ(std::memcmp(out.data() + 63 - at, in.data() + at, bytes), 0)
          << ir::ToString(type) << " at " << at;
      ASSERT_EQ(out[63 - at + bytes], 0xee) << ir::ToString(type) << " at " << at;
    }
  }
}

TEST_P(MemoryTest, ScratchPointersAndPrefetch) {
  const ir::Module module = KernelModule([&](Builder& b, const KernelParams& p) {
    const ValueId first = b.Scratch(64, "first"), second = b.Scratch(64, "second");
    ir::Function& f = b.function();
    f.op(f.value(first).op).Set(ir::AttrValue::Int(ir::Attr::kOffset, 128));
    f.op(f.value(second).op).Set(ir::AttrValue::Int(ir::Attr::kOffset, 4096));
    b.Emit(ir::OpKind::kPrefetch, {p.in, b.Index(1 << 20)});  // far outside: a prefetch never faults
    b.Store(b.Load(ir::F32x16(), p.in, b.Index(0)), first, b.Index(0));
    b.Store(b.Load(ir::F32x16(), p.in, b.Index(64)), second, b.Index(0));
    // `moved`, the kernel's scratch parameter plus 5000 - 904 = 4096, is the same address as `second`.
    const ValueId moved = b.PtrAdd(b.PtrAdd(p.scratch, b.Index(5000)), b.Index(-904));
    const ValueId sum =
        b.Add(b.Load(ir::F32x16(), first, b.Index(0)), b.Load(ir::F32x16(), moved, b.Index(0)));
    b.Store(sum, p.out, b.Index(0));
  });
  std::vector<float> in(32), out(16);
  std::iota(in.begin(), in.end(), 1.0f);
  Code(module, GetParam()).RunKernel("k", {in.data(), out.data()}, 1);
  for (size_t i = 0; i < 16; ++i) EXPECT_EQ(out[i], in[i] + in[i + 16]);
}

INSTANTIATE_TEST_SUITE_P(Targets, MemoryTest, ::testing::ValuesIn(Variants()),
                         [](const auto& info) { return info.param.Name(); });

}  // namespace
}  // namespace ggufc::testing
