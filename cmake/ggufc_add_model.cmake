# ggufc_add_model(TARGET MODEL.gguf [NAME name] [WEIGHTS sidecar|embed] [OUTPUT_DIRECTORY folder] [OPTIONS option...])
#
# A library target that is the model, compiled by `ggufc compile` when the project is built, and again when the file
# or ggufc itself has changed. A program that links it includes "NAME.h" and calls NAME_open:
#
#   find_package(ggufc REQUIRED)
#   ggufc_add_model(gemma embeddinggemma-300M-Q8_0.gguf OPTIONS --target avx2,avx512vnni --dims 256)
#   add_executable(search search.c)
#   target_link_libraries(search PRIVATE gemma)
#
# MODEL.gguf        relative to the source folder that calls; it may be the output of a custom command
# NAME              of the functions and files, a C identifier; default: TARGET
# WEIGHTS sidecar   (default) in NAME.weights, which the program looks for beside itself
#         embed     in the program: larger files to link, one file to ship
# OUTPUT_DIRECTORY  of NAME.weights, NAME.o and NAME.h; default: where this folder's programs go (to be given with
#                   generators that put the programs of each configuration into another folder)
# OPTIONS           the rest of `ggufc compile`'s command line
#
# To install a program with its sidecar: install(FILES $<TARGET_PROPERTY:TARGET,GGUFC_WEIGHTS> DESTINATION bin).
function(ggufc_add_model target model)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "NAME;WEIGHTS;OUTPUT_DIRECTORY" "OPTIONS")
  if(arg_UNPARSED_ARGUMENTS OR arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR
      "ggufc_add_model(${target}): what are '${arg_UNPARSED_ARGUMENTS}${arg_KEYWORDS_MISSING_VALUES}'?")
  endif()
  set(name ${target})
  if(DEFINED arg_NAME)
    set(name ${arg_NAME})
  endif()
  if(NOT name MATCHES "^[A-Za-z_][A-Za-z0-9_]*$")
    message(FATAL_ERROR "ggufc_add_model(${target}): NAME '${name}' is no C identifier")
  endif()
  set(weights sidecar)
  if(DEFINED arg_WEIGHTS)
    set(weights ${arg_WEIGHTS})
  endif()
  if(NOT weights MATCHES "^(sidecar|embed)$")
    message(FATAL_ERROR "ggufc_add_model(${target}): WEIGHTS '${weights}' is neither sidecar nor embed")
  endif()
  set(folder ${CMAKE_CURRENT_BINARY_DIR})
  if(DEFINED arg_OUTPUT_DIRECTORY)
    get_filename_component(folder ${arg_OUTPUT_DIRECTORY} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_BINARY_DIR})
  elseif(CMAKE_RUNTIME_OUTPUT_DIRECTORY)
    get_filename_component(folder ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_BINARY_DIR})
  endif()
  file(MAKE_DIRECTORY ${folder})
  get_filename_component(model ${model} ABSOLUTE)

  set(outputs ${folder}/${name}.o ${folder}/${name}.h)
  if(weights STREQUAL sidecar)
    list(APPEND outputs ${folder}/${name}.weights)
  endif()
  get_target_property(compiler ggufc::compiler IMPORTED_LOCATION)
  add_custom_command(
    OUTPUT ${outputs}
    COMMAND ${compiler} compile ${model} --emit obj --name ${name} --weights ${weights} --output ${folder}/${name}.o
      ${arg_OPTIONS}
    DEPENDS ${model} ${compiler}
    COMMENT "Compiling the model ${model}"
    VERBATIM)
  add_custom_target(${target}_compiled DEPENDS ${outputs})

  # The object goes to the linker itself: with embedded weights it is large, and an archive would be a copy of it.
  add_library(${target} INTERFACE)
  add_dependencies(${target} ${target}_compiled)
  target_include_directories(${target} INTERFACE ${folder})
  target_link_libraries(${target} INTERFACE ${folder}/${name}.o ggufc::runtime)
  if(weights STREQUAL sidecar)
    set_target_properties(${target} PROPERTIES GGUFC_WEIGHTS ${folder}/${name}.weights)
  endif()
endfunction()
