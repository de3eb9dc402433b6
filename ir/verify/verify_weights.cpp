#include "ir/verify/verify_weights.h"

#include <cmath>

namespace ggufc::ir {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 40;

Status CheckType(const Type& type) {
  const bool known = type.scalar == Scalar::kF32 || type.scalar == Scalar::kF16 ||
                     type.scalar == Scalar::kBF16 || type.scalar == Scalar::kQ8_0;
  if (!type.IsTensor() || !known)
    return Err("type {}, expected a tensor of f32, f16, bf16 or q8_0", ToString(type));
  int64_t elements = 1;
  for (int i = 0; i < type.rank; ++i) {
    const Dim& dim = type.dims[i];
    if (dim.symbol != Symbol::kNone || dim.size < 1 || dim.size > kMaxDim) {
      return Err("type {}, expected constant sizes from 1 to {}", ToString(type), kMaxDim);
    }
    elements *= dim.size;  // two factors of at most 2^31
  }
  if (elements > kMaxElements)
    return Err("type {}: {} elements (at most {})", ToString(type), elements, kMaxElements);
  if (type.rank == 1 && type.scalar != Scalar::kF32)
    return Err("type {}, expected f32 vectors", ToString(type));
  if (type.scalar == Scalar::kQ8_0 && type.columns() % kQuantBlock != 0) {
    return Err("type {}, expected a multiple of {} columns", ToString(type), kQuantBlock);
  }
  return {};
}

Status CheckSourceCount(const Weight& weight, size_t least, size_t most) {
  if (weight.sources.size() < least || weight.sources.size() > most) {
    return Err("{} sources, expected {}", weight.sources.size(),
               most == SIZE_MAX ? "1 or more" : fmt::format("{}", least));
  }
  return {};
}

// Sources are matrices of one element type and one row length.
Status CheckMatrixSources(const Module& module, const Weight& weight) {
  for (const WeightId id : weight.sources) {
    const Type& source = module.weight(id).type;
    if (weight.type.rank != 2 || source.rank != 2 || source.scalar != weight.type.scalar ||
        source.columns() != weight.type.columns()) {
      return Err("source @{} has type {}, expected a matrix with the element type and row length of {}",
                 module.weight(id).name, ToString(source), ToString(weight.type));
    }
  }
  return {};
}

Status CheckRows(const Weight& weight, int64_t rows) {
  if (weight.type.rows() != Dim(rows))
    return Err("type {}, but its sources have {} rows in all", ToString(weight.type), rows);
  return {};
}

Status CheckDefinition(const Module& module, const Weight& weight) {
  const bool has_granule = weight.def == Weight::Def::kInterleave;
  const bool has_factor = weight.def == Weight::Def::kScale || weight.def == Weight::Def::kRopeTable;
  if (has_granule ? weight.granule < 1 || weight.granule > kMaxDim : weight.granule != 0) {
    return Err("granule is {}, expected {}", weight.granule,
               has_granule ? "1 to 2147483648" : "none for this definition");
  }
  if (has_factor ? !std::isfinite(weight.factor) || weight.factor == 0 : weight.factor != 0) {
    return Err("factor is {}, expected {}", weight.factor,
               has_factor ? "a finite number other than 0" : "none for this definition");
  }
  switch (weight.def) {
    case Weight::Def::kTensor:
      return CheckSourceCount(weight, 0, 0);
    case Weight::Def::kConcat: {
      RETURN_IF_ERROR(CheckSourceCount(weight, 1, SIZE_MAX));
      RETURN_IF_ERROR(CheckMatrixSources(module, weight));
      int64_t rows = 0;
      for (const WeightId id : weight.sources) rows += module.weight(id).type.rows().size;
      return CheckRows(weight, rows);
    }
    case Weight::Def::kInterleave: {
      RETURN_IF_ERROR(CheckSourceCount(weight, 1, SIZE_MAX));
      RETURN_IF_ERROR(CheckMatrixSources(module, weight));
      const int64_t source_rows = module.weight(weight.sources[0]).type.rows().size;
      for (const WeightId id : weight.sources) {
        if (module.weight(id).type.rows() != Dim(source_rows))
          return Err("sources have different numbers of rows");
      }
      const int64_t padded = (source_rows + weight.granule - 1) / weight.granule * weight.granule;
      return CheckRows(weight, padded * static_cast<int64_t>(weight.sources.size()));
    }
    case Weight::Def::kScale:
      RETURN_IF_ERROR(CheckSourceCount(weight, 1, 1));
      if (weight.type.rank != 1 || module.weight(weight.sources[0]).type != weight.type) {
        return Err("type {}, expected that of its source, an f32 vector", ToString(weight.type));
      }
      return {};
    case Weight::Def::kRopeTable:
      RETURN_IF_ERROR(CheckSourceCount(weight, 0, 0));
      if (weight.type.rank != 2 || weight.type.scalar != Scalar::kF32 || weight.type.columns() % 2 != 0) {
        return Err("type {}, expected f32[positions, an even head_dim]", ToString(weight.type));
      }
      if (weight.factor < 0) return Err("factor is {}, expected a theta above 0", weight.factor);
      return {};
  }
  return {};
}

Status CheckLayout(const Weight& weight) {
  if (weight.pack == 0 && weight.unit == 0) return {};
  const bool quantised = weight.type.scalar == Scalar::kQ8_0;
  const bool pack_fits = quantised ? weight.pack == 2 || weight.pack == 4 : weight.pack == 1;
  if (weight.type.rank != 2 || !pack_fits || weight.unit < 1 || weight.unit > kMaxDim) {
    return Err("pack {} and unit {} are not valid for {}", weight.pack, weight.unit, ToString(weight.type));
  }
  return {};
}

}  // namespace

Status VerifyWeight(const Module& module, WeightId id) {
  const Weight& weight = module.weight(id);
  const auto check = [&]() -> Status {
    for (const WeightId source : weight.sources) {
      if (source.index >= id.index) return Err("a source is not declared above it");
    }
    RETURN_IF_ERROR(CheckType(weight.type));
    RETURN_IF_ERROR(CheckDefinition(module, weight));
    return CheckLayout(weight);
  };
  return WithContext(fmt::format("weight @{}", weight.name), check());
}

}  // namespace ggufc::ir
