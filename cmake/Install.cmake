# The installed package: bin/einc, libein, libein-compiler and libein-generic, headers, find_package(ein) and pkg-config.
include(CMakePackageConfigHelpers)
set(EIN_INSTALL_CMAKEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/ein)

install(TARGETS ein EXPORT eintargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ein DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

# Loaded by libein from its own folder; nothing links them.
install(TARGETS ein-generic LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} NAMELINK_SKIP)
if(TARGET ein-compiler)
  set_target_properties(ein-compiler PROPERTIES INSTALL_RPATH "$ORIGIN;${EIN_LLVM_ROOT}/lib")
  install(TARGETS ein-compiler LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} NAMELINK_SKIP)
endif()
if(TARGET einc)
  file(RELATIVE_PATH EIN_BIN_TO_LIB ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(einc PROPERTIES INSTALL_RPATH "$ORIGIN/${EIN_BIN_TO_LIB}")
  install(TARGETS einc RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

install(EXPORT eintargets NAMESPACE ein:: DESTINATION ${EIN_INSTALL_CMAKEDIR})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/einConfig.cmake.in ${PROJECT_BINARY_DIR}/einConfig.cmake
  INSTALL_DESTINATION ${EIN_INSTALL_CMAKEDIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/einConfigVersion.cmake COMPATIBILITY SameMinorVersion)
configure_file(${CMAKE_CURRENT_LIST_DIR}/ein.pc.in ${PROJECT_BINARY_DIR}/ein.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/einConfig.cmake ${PROJECT_BINARY_DIR}/einConfigVersion.cmake
  DESTINATION ${EIN_INSTALL_CMAKEDIR})
install(FILES ${PROJECT_BINARY_DIR}/ein.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
