# hotrow_nvcc_objects(LIST ARCHITECTURES SOURCE...): objects of CUDA sources, appended to LIST; with
# the flags of HOTROW_NVCC_MORE, where that is set.
#
# nvcc is called as it is: CMake's CUDA language would ask for a device's architecture, and takes
# the flags of the whole project, which nvcc does not know. With 90, code for devices 9.x; with
# 90-virtual, the PTX that newer ones compile for themselves.
find_program(HOTROW_NVCC nvcc HINTS /usr/local/cuda/bin)
if(HOTROW_NVCC)
  get_filename_component(HOTROW_CUDA_BIN ${HOTROW_NVCC} REALPATH)
  get_filename_component(HOTROW_CUDA_BIN ${HOTROW_CUDA_BIN} DIRECTORY)
  find_library(HOTROW_CUDART cudart_static HINTS ${HOTROW_CUDA_BIN}/../lib64
               ${HOTROW_CUDA_BIN}/../targets/x86_64-linux/lib)
endif()

function(hotrow_nvcc_objects list architectures)
  # Fused multiply-add rounds differently; rows must be those that the CPU makes. nvcc takes the
  # assignment of a [[nodiscard]] value for ignoring it.
  set(flags -x cu -std=c++20 -O3 -fmad=false -Werror all-warnings -diag-suppress 2810
      -cudart static -Xcompiler -fPIC,-fvisibility=hidden,-ffp-contract=off -Xptxas -v
      -I${PROJECT_SOURCE_DIR} -I${PROJECT_SOURCE_DIR}/native -I${PROJECT_SOURCE_DIR}/native/include
      -I${PROJECT_SOURCE_DIR}/test/native)
  list(APPEND flags ${HOTROW_NVCC_MORE})
  foreach(architecture ${architectures})
    if(architecture MATCHES "^([0-9]+)-virtual$")
      list(APPEND flags -gencode=arch=compute_${CMAKE_MATCH_1},code=compute_${CMAKE_MATCH_1})
    else()
      list(APPEND flags -gencode=arch=compute_${architecture},code=sm_${architecture})
    endif()
  endforeach()
  foreach(source ${ARGN})
    get_filename_component(name ${source} NAME)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.o)
    # What ptxas says of registers and spills is kept beside the object.
    add_custom_command(
      OUTPUT ${object}
      COMMAND ${HOTROW_NVCC} ${flags} -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
              > ${object}.log 2>&1 || (cat ${object}.log && false)
      DEPENDS ${source} DEPFILE ${object}.d)
    list(APPEND ${list} ${object})
  endforeach()
  set(${list} ${${list}} PARENT_SCOPE)
endfunction()
