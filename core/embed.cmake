# Writes OUTPUT, a C++ file that defines `NAME`: the files of INPUTS as (name, text) pairs, so that
# presets ship inside the binary. Called at build time by core/CMakeLists.txt.
set(body "")
foreach(path ${INPUTS})
  get_filename_component(stem ${path} NAME_WE)
  get_filename_component(file ${path} NAME)
  string(REGEX REPLACE "\\.json$" "" stem ${file})
  file(READ ${path} text)
  string(APPEND body "    {\"${stem}\", R\"preset(${text})preset\"},\n")
endforeach()
file(WRITE ${OUTPUT}
"#include \"core/base/embedded.h\"\n\nnamespace tilewright {\n\nstd::span<const EmbeddedFile> ${NAME}() {\n\
  static constexpr EmbeddedFile kFiles[] = {\n${body}  };\n  return kFiles;\n}\n\n}  // namespace tilewright\n")
