// Recursive descent with one function per rule of the grammar in docs/ir.md. All properties of an op come from ops.def,
// so a new op needs no change here.
#include "ir/text/parser.h"

#include <charconv>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ir/text/lexer.h"

namespace ggufc::ir {
namespace {

// Keeps ids within 32 bits: every value, op and block takes at least two bytes of text.
constexpr size_t kMaxText = size_t{1} << 30;
constexpr int kMaxDepth = 64;
constexpr int64_t kMaxDim = int64_t{1} << 31;

struct WeightForm {
  const char* word;
  Weight::Def def;
  bool has_sources;
};
constexpr WeightForm kWeightForms[] = {
    {"concat", Weight::Def::kConcat, true},
    {"interleave", Weight::Def::kInterleave, true},
    {"scale", Weight::Def::kScale, true},
    {"rope_table", Weight::Def::kRopeTable, false},
};

struct FunctionForm {
  const char* word;
  Function::Kind kind;
};
constexpr FunctionForm kFunctionForms[] = {
    {"func", Function::Kind::kForward},
    {"kernel", Function::Kind::kKernel},
    {"micro", Function::Kind::kMicro},
};

class Parser {
 public:
  Parser(std::string_view text, const std::string& file) : lexer_(text, file) {}

  Result<Module> Run() {
    RETURN_IF_ERROR(Next());
    RETURN_IF_ERROR(ParseHeader());
    while (token_.IsWord("weight")) RETURN_IF_ERROR(ParseWeight());
    while (token_.kind != Token::Kind::kEnd) RETURN_IF_ERROR(ParseFunction());
    RETURN_IF_ERROR(ResolveCalls());
    return std::move(module_);
  }

 private:
  // ---- tokens ----
  Status Next() {
    ASSIGN_OR_RETURN(token_, lexer_.Next());
    return {};
  }
  tl::unexpected<Error> Expected(std::string_view what) const {
    return Err("{}: expected {}, found {}", lexer_.Place(token_), what, Describe(token_));
  }
  Status Take(std::string_view punctuation) {
    if (!token_.Is(punctuation)) return Expected(fmt::format("`{}`", punctuation));
    return Next();
  }
  Status TakeWord(std::string_view word) {
    if (!token_.IsWord(word)) return Expected(fmt::format("`{}`", word));
    return Next();
  }
  Result<std::string> TakeText(Token::Kind kind, std::string_view what) {
    if (token_.kind != kind) return Expected(what);
    std::string text = std::move(token_.text);
    RETURN_IF_ERROR(Next());
    return text;
  }

  Result<int64_t> TakeInt(std::string_view what, int64_t low, int64_t high) {
    int64_t value = 0;
    const std::string& text = token_.text;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (token_.kind != Token::Kind::kNumber || error != std::errc() || end != text.data() + text.size() ||
        value < low || value > high) {
      return Expected(fmt::format("{}, {} to {}", what, low, high));
    }
    RETURN_IF_ERROR(Next());
    return value;
  }

  Result<double> TakeFloat() {
    double value = 0;
    const std::string& text = token_.text;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool number = token_.kind == Token::Kind::kNumber || token_.IsWord("inf");
    if (!number || error != std::errc() || end != text.data() + text.size()) return Expected("a number");
    RETURN_IF_ERROR(Next());
    return value;
  }

  // item (, item)*
  template <typename Item>
  Status List(Item item) {
    RETURN_IF_ERROR(item());
    while (token_.Is(",")) {
      RETURN_IF_ERROR(Next());
      RETURN_IF_ERROR(item());
    }
    return {};
  }
  template <typename Item>
  Status Parenthesised(Item item) {
    RETURN_IF_ERROR(Take("("));
    if (!token_.Is(")")) RETURN_IF_ERROR(List(item));
    return Take(")");
  }

  // ---- types ----
  static bool FindScalar(std::string_view word, Scalar* scalar) {
    static constexpr Scalar kAll[] = {
#define SCALAR(enumerator, spelling, bits) Scalar::enumerator,
        GGUFC_SCALARS(SCALAR)
#undef SCALAR
    };
    for (const Scalar s : kAll) {
      if (word == ir::Name(s)) {
        *scalar = s;
        return true;
      }
    }
    return false;
  }

  Result<Dim> ParseDim() {
    for (const Symbol symbol : {Symbol::kT, Symbol::kB, Symbol::kQ}) {
      if (!token_.IsWord(ir::Name(symbol))) continue;
      RETURN_IF_ERROR(Next());
      return Dim(symbol);
    }
    ASSIGN_OR_RETURN(const int64_t size, TakeInt("T, B, Q or a size", 1, kMaxDim));
    return Dim(size);
  }

  Result<Type> ParseType() {
    if (token_.kind != Token::Kind::kWord) return Expected("a type");
    const std::string_view word = token_.text;
    Scalar scalar;
    if (!FindScalar(word, &scalar)) {
      const size_t x = word.rfind('x');
      int lanes = 0;
      if (x == std::string_view::npos || !FindScalar(word.substr(0, x), &scalar)) return Expected("a type");
      const auto [end, error] = std::from_chars(word.data() + x + 1, word.data() + word.size(), lanes);
      if (error != std::errc() || end != word.data() + word.size() || lanes < 2 || lanes > 64) {
        return Expected("a vector type of 2 to 64 lanes");
      }
      RETURN_IF_ERROR(Next());
      return Type::Vector(scalar, lanes);
    }
    RETURN_IF_ERROR(Next());
    if (!token_.Is("[")) return Type::MakeScalar(scalar);
    RETURN_IF_ERROR(Next());
    ASSIGN_OR_RETURN(const Dim first, ParseDim());
    Type type = Type::Tensor(scalar, first);
    if (token_.Is(",")) {
      RETURN_IF_ERROR(Next());
      ASSIGN_OR_RETURN(const Dim second, ParseDim());
      type = Type::Tensor(scalar, first, second);
    }
    RETURN_IF_ERROR(Take("]"));
    return type;
  }

  // ---- module and weights ----
  Status ParseHeader() {
    RETURN_IF_ERROR(TakeWord("module"));
    ASSIGN_OR_RETURN(module_.name, TakeText(Token::Kind::kSymbol, "the module's @name"));
    RETURN_IF_ERROR(TakeWord("stage"));
    for (const Stage stage : {Stage::kGraph, Stage::kKernel, Stage::kLoop}) {
      if (!token_.IsWord(ir::Name(stage))) continue;
      module_.stage = stage;
      return Next();
    }
    return Expected("graph, kernel or loop");
  }

  Result<WeightId> TakeWeight() {
    const auto found = token_.kind == Token::Kind::kSymbol ? weights_.find(token_.text) : weights_.end();
    if (found == weights_.end()) return Expected("the @name of a weight above");
    RETURN_IF_ERROR(Next());
    return found->second;
  }

  Status ParseWeightAttr(Weight& weight) {
    const Token name = token_;
    RETURN_IF_ERROR(TakeText(Token::Kind::kWord, "an attribute"));
    RETURN_IF_ERROR(Take("="));
    if (name.text == "factor") {
      ASSIGN_OR_RETURN(weight.factor, TakeFloat());
      return {};
    }
    int64_t* const field = name.text == "granule" ? &weight.granule
                           : name.text == "pack"  ? &weight.pack
                           : name.text == "unit"  ? &weight.unit
                                                  : nullptr;
    if (field == nullptr) {
      return Err("{}: expected granule, factor, pack or unit, found {}", lexer_.Place(name), Describe(name));
    }
    ASSIGN_OR_RETURN(*field, TakeInt(name.text, 1, kMaxDim));
    return {};
  }

  Status ParseWeight() {
    RETURN_IF_ERROR(Next());
    Weight weight;
    const Token name = token_;
    ASSIGN_OR_RETURN(weight.name, TakeText(Token::Kind::kSymbol, "the weight's @name"));
    if (token_.Is("=")) {
      RETURN_IF_ERROR(Next());
      const WeightForm* form = nullptr;
      for (const WeightForm& candidate : kWeightForms) {
        if (token_.IsWord(candidate.word)) form = &candidate;
      }
      if (form == nullptr) return Expected("concat, interleave, scale or rope_table");
      RETURN_IF_ERROR(Next());
      weight.def = form->def;
      if (form->has_sources) {
        RETURN_IF_ERROR(Parenthesised([&]() -> Status {
          ASSIGN_OR_RETURN(const WeightId source, TakeWeight());
          weight.sources.push_back(source);
          return {};
        }));
      }
    }
    RETURN_IF_ERROR(Take(":"));
    ASSIGN_OR_RETURN(weight.type, ParseType());
    if (token_.Is("{")) {
      RETURN_IF_ERROR(Next());
      RETURN_IF_ERROR(List([&] { return ParseWeightAttr(weight); }));
      RETURN_IF_ERROR(Take("}"));
    }
    const WeightId id{static_cast<uint32_t>(module_.weights.size())};
    if (!weights_.emplace(weight.name, id).second) {
      return Err("{}: weight {} is defined twice", lexer_.Place(name), Describe(name));
    }
    module_.AddWeight(std::move(weight));
    return {};
  }

  // ---- functions ----
  Result<ValueId> Define(const Token& name, const Type& type, Value::Def def) {
    const size_t last = name.text.find_last_not_of("0123456789");
    const std::string hint = last == std::string::npos ? "" : name.text.substr(0, last + 1);
    const ValueId id = function_.AddValue(type, def, hint);
    if (!values_.emplace(name.text, id).second) {
      return Err("{}: value {} is defined twice", lexer_.Place(name), Describe(name));
    }
    return id;
  }

  Status ParseParam(Value::Def def, std::vector<ValueId>& params) {
    const Token name = token_;
    RETURN_IF_ERROR(TakeText(Token::Kind::kValue, "a %value"));
    RETURN_IF_ERROR(Take(":"));
    ASSIGN_OR_RETURN(const Type type, ParseType());
    ASSIGN_OR_RETURN(const ValueId id, Define(name, type, def));
    params.push_back(id);
    return {};
  }

  Status ParseGrain(int64_t& grain) {
    if (!token_.IsWord("by")) return {};
    RETURN_IF_ERROR(Next());
    ASSIGN_OR_RETURN(grain, TakeInt("a grain", 1, kMaxDim));
    return {};
  }

  Status ParseDomain() {
    Domain& domain = function_.domain;
    if (token_.IsWord("rows")) {
      RETURN_IF_ERROR(Next());
      RETURN_IF_ERROR(Take("("));
      if (token_.kind != Token::Kind::kWord) return Expected("T, B or Q");
      ASSIGN_OR_RETURN(const Dim rows, ParseDim());
      domain.rows = rows.symbol;
      RETURN_IF_ERROR(ParseGrain(domain.row_grain));
      RETURN_IF_ERROR(Take(")"));
    }
    if (token_.IsWord("cols")) {
      RETURN_IF_ERROR(Next());
      RETURN_IF_ERROR(Take("("));
      ASSIGN_OR_RETURN(domain.cols, TakeInt("column units", 1, kMaxDim));
      RETURN_IF_ERROR(ParseGrain(domain.col_grain));
      RETURN_IF_ERROR(Take(")"));
    }
    if (token_.IsWord("scratch")) {
      RETURN_IF_ERROR(Next());
      RETURN_IF_ERROR(Take("("));
      ASSIGN_OR_RETURN(domain.scratch_bytes, TakeInt("bytes", 1, int64_t{1} << 40));
      RETURN_IF_ERROR(Take(")"));
    }
    return {};
  }

  Status ParseFunction() {
    const FunctionForm* form = nullptr;
    for (const FunctionForm& candidate : kFunctionForms) {
      if (token_.IsWord(candidate.word)) form = &candidate;
    }
    if (form == nullptr) return Expected("func, kernel or micro");
    function_ = Function();
    function_.kind = form->kind;
    values_.clear();
    weight_values_.clear();
    RETURN_IF_ERROR(Next());
    const Token name = token_;
    ASSIGN_OR_RETURN(function_.name, TakeText(Token::Kind::kSymbol, "the function's @name"));
    const FunctionId id{static_cast<uint32_t>(module_.functions.size())};
    if (!functions_.emplace(function_.name, id).second) {
      return Err("{}: function {} is defined twice", lexer_.Place(name), Describe(name));
    }
    RETURN_IF_ERROR(Parenthesised([&] { return ParseParam(Value::Def::kParam, function_.params); }));
    if (token_.Is("->")) {
      RETURN_IF_ERROR(Next());
      RETURN_IF_ERROR(Parenthesised([&]() -> Status {
        ASSIGN_OR_RETURN(const Type type, ParseType());
        function_.result_types.push_back(type);
        return {};
      }));
    }
    RETURN_IF_ERROR(ParseDomain());
    function_.body = function_.AddBlock();
    RETURN_IF_ERROR(ParseBlock(function_.body, 1));
    module_.AddFunction(std::move(function_));
    return {};
  }

  // ---- ops ----
  Status ParseBlock(BlockId block, int depth) {
    if (depth > kMaxDepth)
      return Err("{}: regions nest deeper than {} levels", lexer_.Place(token_), kMaxDepth);
    RETURN_IF_ERROR(Take("{"));
    while (!token_.Is("}")) RETURN_IF_ERROR(ParseOp(block, depth));
    return Next();
  }

  Status ParseOperand(Op& op) {
    if (token_.kind == Token::Kind::kSymbol) {
      ASSIGN_OR_RETURN(const WeightId weight, TakeWeight());
      const auto [found, added] = weight_values_.emplace(weight.index, ValueId());
      if (added) {
        found->second = function_.AddValue(module_.weight(weight).type, Value::Def::kWeight);
        function_.value(found->second).weight = weight;
      }
      op.operands.push_back(found->second);
      return {};
    }
    if (token_.kind != Token::Kind::kValue) return Expected("an operand");
    const auto found = values_.find(token_.text);
    if (found == values_.end()) return Expected("a value that is defined above");
    op.operands.push_back(found->second);
    return Next();
  }

  Status ParseAttr(Op& op) {
    if (token_.kind != Token::Kind::kWord) return Expected("an attribute");
    const std::optional<Attr> attr = FindAttr(token_.text);
    if (!attr) return Expected("the name of an attribute");
    if (op.Has(*attr)) return Expected("an attribute that this op does not have yet");
    RETURN_IF_ERROR(Next());
    RETURN_IF_ERROR(Take("="));
    if (Info(*attr).is_float) {
      ASSIGN_OR_RETURN(const double value, TakeFloat());
      op.Set(AttrValue::Float(*attr, value));
    } else {
      ASSIGN_OR_RETURN(const int64_t value, TakeInt(Info(*attr).name, INT64_MIN, INT64_MAX));
      op.Set(AttrValue::Int(*attr, value));
    }
    return {};
  }

  Status ParseOp(BlockId block, int depth) {
    std::vector<Token> names;
    if (token_.kind == Token::Kind::kValue) {
      RETURN_IF_ERROR(List([&]() -> Status {
        if (token_.kind != Token::Kind::kValue) return Expected("a %value");
        names.push_back(token_);
        return Next();
      }));
      RETURN_IF_ERROR(Take("="));
    }
    if (token_.kind != Token::Kind::kWord) return Expected("an op or `}`");
    const std::optional<OpKind> kind = FindOp(token_.text);
    if (!kind) return Expected("the name of an op");
    Op op{*kind, {}, {}, {}, {}, {}};
    RETURN_IF_ERROR(Next());
    Token callee;
    if (*kind == OpKind::kCall) {
      callee = token_;
      RETURN_IF_ERROR(TakeText(Token::Kind::kSymbol, "the @name of a function"));
      RETURN_IF_ERROR(Parenthesised([&] { return ParseOperand(op); }));
    } else if (token_.kind == Token::Kind::kValue || token_.kind == Token::Kind::kSymbol) {
      RETURN_IF_ERROR(List([&] { return ParseOperand(op); }));
    }
    if (token_.Is("{")) {
      RETURN_IF_ERROR(Next());
      RETURN_IF_ERROR(List([&] { return ParseAttr(op); }));
      RETURN_IF_ERROR(Take("}"));
    }
    if (!names.empty()) RETURN_IF_ERROR(ParseResults(names, op));
    const OpId id = function_.AddOp(std::move(op));
    function_.block(block).ops.push_back(id);
    if (*kind == OpKind::kCall) calls_.push_back({FunctionId{CurrentFunction()}, id, std::move(callee)});
    if (Info(*kind).regions != 0) {
      while (token_.Is("(")) RETURN_IF_ERROR(ParseRegion(id, depth));
    }
    return {};
  }

  Status ParseResults(const std::vector<Token>& names, Op& op) {
    std::vector<Type> types;
    RETURN_IF_ERROR(Take(":"));
    RETURN_IF_ERROR(List([&]() -> Status {
      ASSIGN_OR_RETURN(types.emplace_back(), ParseType());
      return {};
    }));
    if (types.size() != names.size()) {
      return Err("{}: expected {} result types, one per result, found {}", lexer_.Place(names[0]),
                 names.size(), types.size());
    }
    for (size_t i = 0; i < names.size(); ++i) {
      ASSIGN_OR_RETURN(const ValueId id, Define(names[i], types[i], Value::Def::kResult));
      op.results.push_back(id);
    }
    return {};
  }

  Status ParseRegion(OpId op, int depth) {
    const BlockId region = function_.AddBlock();
    function_.op(op).regions.push_back(region);
    std::vector<ValueId> args;
    RETURN_IF_ERROR(Parenthesised([&] { return ParseParam(Value::Def::kBlockArg, args); }));
    function_.block(region).args = std::move(args);
    return ParseBlock(region, depth + 1);
  }

  // The index of the function that is being read.
  uint32_t CurrentFunction() const { return static_cast<uint32_t>(module_.functions.size()); }
  // Runs after all functions are read: `forward` calls kernels that are defined below it.
  Status ResolveCalls() {
    for (const Call& call : calls_) {
      const auto found = functions_.find(call.callee.text);
      if (found == functions_.end()) {
        return Err("{}: expected the name of a function, found {}", lexer_.Place(call.callee),
                   Describe(call.callee));
      }
      module_.function(call.caller).op(call.op).callee = found->second;
    }
    return {};
  }

  struct Call {
    FunctionId caller;
    OpId op;
    Token callee;
  };

  Lexer lexer_;
  Token token_;
  Module module_;
  std::unordered_map<std::string, WeightId> weights_;
  std::unordered_map<std::string, FunctionId> functions_;
  std::vector<Call> calls_;
  // The function that is being read.
  Function function_;
  std::unordered_map<std::string, ValueId> values_;
  std::unordered_map<uint32_t, ValueId> weight_values_;
};

}  // namespace

Result<Module> Parse(std::string_view text, const std::string& file) {
  if (text.size() > kMaxText) return Err("{}: {} bytes of text (at most {})", file, text.size(), kMaxText);
  return Parser(text, file).Run();
}

}  // namespace ggufc::ir
