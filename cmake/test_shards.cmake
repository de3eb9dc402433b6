# ggufc_gtest(NAME [SHARDS count] [COST cost] [ENVIRONMENT name=value...]): the cases of the binary NAME_test in `count`
# processes, the tests NAME.1, NAME.2, ... with the label NAME. A process per case would start 1,300 of them, most of which
# load LLVM for a test of a millisecond. Each shard leaves its results in test_results/, for the sums of scripts/test.sh.
# COST: seconds per shard, roughly; the longest are started first.
function(ggufc_gtest name)
  cmake_parse_arguments(ARG "" "SHARDS;COST" "ENVIRONMENT" ${ARGN})
  if(NOT ARG_SHARDS)
    set(ARG_SHARDS 1)
  endif()
  if(NOT ARG_COST)
    set(ARG_COST 1)
  endif()
  foreach(shard RANGE 1 ${ARG_SHARDS})
    math(EXPR index "${shard} - 1")
    add_test(NAME ${name}.${shard} COMMAND ${name}_test)
    set_tests_properties(${name}.${shard} PROPERTIES TIMEOUT 900 LABELS ${name} COST ${ARG_COST}
      ENVIRONMENT "GTEST_BRIEF=1;GTEST_TOTAL_SHARDS=${ARG_SHARDS};GTEST_SHARD_INDEX=${index};GTEST_OUTPUT=json:${CMAKE_BINARY_DIR}/test_results/${name}.${shard}.json")
    if(ARG_ENVIRONMENT)
      set_property(TEST ${name}.${shard} APPEND PROPERTY ENVIRONMENT ${ARG_ENVIRONMENT})
    endif()
  endforeach()
endfunction()
