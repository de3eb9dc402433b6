#include "runtime/store/program_format.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "runtime/store/byte_io.h"
#include "support/check.h"

namespace ggufc::runtime {
namespace {

constexpr std::array<char, 8> kMagic = {'G', 'G', 'U', 'F', 'C', 'P', 'R', 'G'};
constexpr size_t kStepBytes = 4 * sizeof(uint32_t) + 4 * sizeof(int64_t);
constexpr size_t kArgBytes = 2 * sizeof(uint32_t) + 3 * sizeof(int64_t);

bool IsSymbolCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '$';
}

// The numbers of a program, in the order of the format.
template <typename P, typename F>
void ForEachNumber(P& program, F&& visit) {
  visit("arena_bytes", program.arena_bytes);
  visit("arena_bytes_t", program.arena_bytes_t);
  visit("arena_bytes_b", program.arena_bytes_b);
  visit("scratch_bytes", program.scratch_bytes);
  visit("weights_bytes", program.weights_bytes);
  visit("file_bytes", program.file_bytes);
  visit("dims", program.dims);
  visit("vocab", program.vocab);
  visit("context_length", program.context_length);
}

class ProgramReader {
 public:
  explicit ProgramReader(std::span<const uint8_t> bytes) : reader_(bytes) {}

  Result<Program> Read() {
    std::array<char, 8> magic = {};
    uint32_t version = 0, kernels = 0, steps = 0, args = 0;
    RETURN_IF_ERROR(reader_.GetAll("magic", magic));
    if (magic != kMagic) return Err("magic: not a serialised program");
    RETURN_IF_ERROR(reader_.Get("version", version));
    if (version != kProgramVersion)
      return Err("version: {} (this program reads {})", version, kProgramVersion);
    RETURN_IF_ERROR(ReadCount("kernels", kMaxKernels, kernels));
    RETURN_IF_ERROR(ReadCount("steps", kMaxSteps, steps));
    RETURN_IF_ERROR(ReadCount("args", kMaxArgs, args));
    Status numbers;
    ForEachNumber(program_, [&](const char* field, int64_t& value) {
      if (numbers) numbers = reader_.Get(field, value);
    });
    RETURN_IF_ERROR(numbers);
    for (uint32_t i = 0; i < kernels; ++i) {
      if (Status status = ReadKernel(); !status) return InItem("kernel", i, status);
    }
    // Steps and arguments have fixed sizes, so the counts are checked against the remaining input before allocating.
    const uint64_t rest = uint64_t{steps} * kStepBytes + uint64_t{args} * kArgBytes;
    if (reader_.left() != rest) {
      return Err("{} bytes of steps and arguments, expected {} for {} steps and {} arguments", reader_.left(),
                 rest, steps, args);
    }
    program_.steps.reserve(steps);
    program_.args.reserve(args);
    for (uint32_t i = 0; i < steps; ++i) {
      if (Status status = ReadStep(); !status) return InItem("step", i, status);
    }
    for (uint32_t i = 0; i < args; ++i) {
      if (Status status = ReadArg(); !status) return InItem("argument", i, status);
    }
    return std::move(program_);
  }

 private:
  static tl::unexpected<Error> InItem(const char* what, uint32_t i, const Status& status) {
    return Err(status.error().kind, "{} {}: {}", what, i, status.error().message);
  }

  Status ReadCount(const char* field, uint32_t limit, uint32_t& count) {
    RETURN_IF_ERROR(reader_.Get(field, count));
    if (count > limit) return Err("{}: {} (at most {})", field, count, limit);
    return {};
  }

  Status ReadKernel() {
    uint32_t length = 0;
    RETURN_IF_ERROR(reader_.Get("length", length));
    if (length < 1 || length > kMaxKernelNameBytes) {
      return Err("length: {} (1 to {} are allowed)", length, kMaxKernelNameBytes);
    }
    std::string name(length, '\0');
    RETURN_IF_ERROR(reader_.GetAll("name", name));
    if (!std::ranges::all_of(name, IsSymbolCharacter))
      return Err("name: has a character other than letters, digits, '_', '.' and '$'");
    program_.kernels.push_back(std::move(name));
    return {};
  }

  Status ReadStep() {
    Step step;
    uint32_t rows = 0;
    RETURN_IF_ERROR(reader_.Get("kernel", step.kernel));
    RETURN_IF_ERROR(reader_.Get("first_arg", step.first_arg));
    RETURN_IF_ERROR(reader_.Get("arg_count", step.arg_count));
    RETURN_IF_ERROR(reader_.Get("rows", rows));
    // Checked before the conversion to an enum of one byte.
    if (rows >= static_cast<uint32_t>(Rows::kCount)) return Err("rows: unknown kind {}", rows);
    step.rows = static_cast<Rows>(rows);
    RETURN_IF_ERROR(reader_.Get("row_grain", step.row_grain));
    RETURN_IF_ERROR(reader_.Get("cols", step.cols));
    RETURN_IF_ERROR(reader_.Get("col_grain", step.col_grain));
    RETURN_IF_ERROR(reader_.Get("work_per_row", step.work_per_row));
    program_.steps.push_back(step);
    return {};
  }

  Status ReadArg() {
    Arg arg;
    uint32_t kind = 0, zero = 0;
    RETURN_IF_ERROR(reader_.Get("kind", kind));
    if (kind > static_cast<uint32_t>(ArgKind::kFile)) return Err("kind: unknown kind {}", kind);
    arg.kind = static_cast<ArgKind>(kind);
    RETURN_IF_ERROR(reader_.Get("zero", zero));
    if (zero != 0) return Err("zero: {}, expected 0", zero);
    RETURN_IF_ERROR(reader_.Get("offset", arg.offset));
    RETURN_IF_ERROR(reader_.Get("offset_t", arg.offset_t));
    RETURN_IF_ERROR(reader_.Get("offset_b", arg.offset_b));
    program_.args.push_back(arg);
    return {};
  }

  ByteReader reader_;
  Program program_;
};

// The checks that need neither the weights nor the model file.
Status ValidateAlone(const Program& program) {
  return ValidateProgram(program, program.weights_bytes, std::numeric_limits<int64_t>::max(),
                         program.context_length);
}

}  // namespace

std::vector<uint8_t> SerializeProgram(const Program& program) {
  const Status status = ValidateAlone(program);
  CHECK(status, "{}", status.error().message);
  CHECK(program.kernels.size() <= kMaxKernels && program.steps.size() <= kMaxSteps &&
            program.args.size() <= kMaxArgs,
        "{} kernels, {} steps, {} arguments", program.kernels.size(), program.steps.size(),
        program.args.size());
  ByteWriter writer;
  writer.PutAll(kMagic);
  writer.Put(kProgramVersion);
  writer.Put(static_cast<uint32_t>(program.kernels.size()));
  writer.Put(static_cast<uint32_t>(program.steps.size()));
  writer.Put(static_cast<uint32_t>(program.args.size()));
  ForEachNumber(program, [&](const char*, int64_t value) { writer.Put(value); });
  for (const std::string& kernel : program.kernels) {
    CHECK(!kernel.empty() && kernel.size() <= kMaxKernelNameBytes &&
              std::ranges::all_of(kernel, IsSymbolCharacter),
          "kernel `{}`", kernel);
    writer.Put(static_cast<uint32_t>(kernel.size()));
    writer.PutAll(kernel);
  }
  for (const Step& step : program.steps) {
    for (const uint32_t value :
         {step.kernel, step.first_arg, step.arg_count, static_cast<uint32_t>(step.rows)}) {
      writer.Put(value);
    }
    for (const int64_t value : {step.row_grain, step.cols, step.col_grain, step.work_per_row})
      writer.Put(value);
  }
  for (const Arg& arg : program.args) {
    writer.Put(static_cast<uint32_t>(arg.kind));
    writer.Put(uint32_t{0});
    for (const int64_t value : {arg.offset, arg.offset_t, arg.offset_b}) writer.Put(value);
  }
  return writer.Take();
}

Result<Program> ParseProgram(std::span<const uint8_t> bytes) {
  Result<Program> program = ProgramReader(bytes).Read();
  if (!program) return WithContext("program", WithKind(ErrorKind::kBadFile, std::move(program)));
  RETURN_IF_ERROR(WithKind(ErrorKind::kBadFile, ValidateAlone(*program)));
  return program;
}

}  // namespace ggufc::runtime
