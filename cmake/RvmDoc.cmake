# The target doc: the API reference in DIR/doc/html of the build folder, without a warning.
find_program(RVM_DOXYGEN doxygen)
if(RVM_DOXYGEN)
  set(rvm_doc_dir ${PROJECT_BINARY_DIR}/doc)
  file(MAKE_DIRECTORY ${rvm_doc_dir})
  configure_file(cmake/Doxyfile.in Doxyfile @ONLY)
  add_custom_target(doc COMMAND ${RVM_DOXYGEN} ${CMAKE_CURRENT_BINARY_DIR}/Doxyfile
    COMMENT "API reference: ${rvm_doc_dir}/html/index.html" VERBATIM)
else()
  message(STATUS "Doxygen not found: no target doc. On Debian or Ubuntu: sudo apt install doxygen")
endif()
