# ggufc_self_contained(NAME OBJECTS object library... [SYMBOLS name...]): lib/libggufc_NAME.a and the target
# ggufc_NAME_archive, an archive that a C program links with nothing beside it but -lm and -lpthread. Visible in it are the
# functions of runtime/api/ggufc.h and those of SYMBOLS, which all must be there.
#
# The work is done by self_contained.sh. Not where sanitizers are on: instrumented code needs their libraries and the C++
# library anyway, so it is a plain archive there.
if(GGUFC_SANITIZE OR GGUFC_FUZZ)
  set(ggufc_plain_archives ON)
else()
  set(ggufc_plain_archives OFF)
  find_program(GGUFC_GNU_LD NAMES ld.bfd ld REQUIRED)
  find_program(GGUFC_GNU_OBJCOPY NAMES objcopy REQUIRED)
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libstdc++.a
    OUTPUT_VARIABLE ggufc_libstdcxx OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT IS_ABSOLUTE "${ggufc_libstdcxx}")
    message(FATAL_ERROR "libggufc_runtime.a needs the static C++ library: ${CMAKE_CXX_COMPILER} has no libstdc++.a")
  endif()
endif()

function(ggufc_self_contained name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "OBJECTS;SYMBOLS")
  set(library ggufc_${name})
  set(objects)
  foreach(target ${arg_OBJECTS})
    list(APPEND objects $<TARGET_OBJECTS:${target}>)
  endforeach()
  if(ggufc_plain_archives)
    add_library(${library}_archive STATIC ${objects})
    set_target_properties(${library}_archive PROPERTIES
      OUTPUT_NAME ${library} ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib LINKER_LANGUAGE CXX)
    return()
  endif()
  set(archive ${CMAKE_BINARY_DIR}/lib/lib${library}.a)
  set(header ${CMAKE_SOURCE_DIR}/runtime/api/ggufc.h)
  set(symbols ${CMAKE_CURRENT_BINARY_DIR}/${library}.symbols)
  set(scripts ${CMAKE_SOURCE_DIR}/cmake)
  add_custom_command(
    OUTPUT ${symbols}
    COMMAND ${CMAKE_COMMAND} -E env CC=${CMAKE_C_COMPILER}
      ${scripts}/public_symbols.sh ${header} ${symbols} ${arg_SYMBOLS}
    DEPENDS ${scripts}/public_symbols.sh ${header}
    VERBATIM)
  add_custom_command(
    OUTPUT ${archive}
    COMMAND ${CMAKE_COMMAND} -E env LD=${GGUFC_GNU_LD} OBJCOPY=${GGUFC_GNU_OBJCOPY} AR=${CMAKE_AR}
      ${scripts}/self_contained.sh ${archive} ${CMAKE_CURRENT_BINARY_DIR}/${library} ${ggufc_libstdcxx} ${symbols}
      ${objects}
    DEPENDS ${scripts}/self_contained.sh ${scripts}/merge_sections.ld ${symbols} ${ggufc_libstdcxx} ${arg_OBJECTS} ${objects}
    COMMENT "Linking ${archive}"
    COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(${library}_archive ALL DEPENDS ${archive})
endfunction()
