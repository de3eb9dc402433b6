# ggufc_unity(NAME SOURCES_VARIABLE): replaces the C++ sources in the list by files that include up to GGUFC_UNITY of them each,
# of one folder. Most of the time of a source goes to the headers of libraries; sources that are compiled together pay for
# them once. The sources are included by their path from the source root, so that the files are equal in every checkout and
# ccache hits: CMake's own UNITY_BUILD includes absolute paths.
#
# 0 compiles each source by itself, which is better while one file is edited again and again.
set(GGUFC_UNITY 6 CACHE STRING "sources that are compiled together; 0 or 1: each by itself")

function(ggufc_unity name variable)
  if(GGUFC_UNITY LESS 2)
    return()
  endif()
  set(result)
  set(folders)
  foreach(source ${${variable}})
    if(source MATCHES "\\.cpp$")
      get_filename_component(source ${source} ABSOLUTE)
      file(RELATIVE_PATH path ${CMAKE_SOURCE_DIR} ${source})
      get_filename_component(folder ${path} DIRECTORY)
      string(MAKE_C_IDENTIFIER ${folder} id)
      list(APPEND folders ${id})
      list(APPEND sources_${id} ${path})
    else()
      list(APPEND result ${source})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES folders)
  foreach(id ${folders})
    # Batches of equal size: 7 sources are 4 and 3, not 6 and 1.
    list(LENGTH sources_${id} count)
    math(EXPR batches "(${count} + ${GGUFC_UNITY} - 1) / ${GGUFC_UNITY}")
    math(EXPR size "(${count} + ${batches} - 1) / ${batches}")
    foreach(batch RANGE 1 ${batches})
      math(EXPR first "(${batch} - 1) * ${size}")
      list(SUBLIST sources_${id} ${first} ${size} part)
      list(TRANSFORM part REPLACE "(.+)" "#include \"\\1\"")
      list(JOIN part "\n" text)
      set(file ${CMAKE_BINARY_DIR}/unity/${name}/${id}_${batch}.cpp)
      file(CONFIGURE OUTPUT ${file} CONTENT "${text}\n" @ONLY)
      list(APPEND result ${file})
    endforeach()
  endforeach()
  set(${variable} ${result} PARENT_SCOPE)
endfunction()
