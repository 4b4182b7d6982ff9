# Writes OUTPUT, a header with one char array for each NAME=FILE in TEXTS, in the namespace longhand::ROOM. Run by the
# build with cmake -P.
set(header "// Made by cmake/embed_texts.cmake; do not edit.\n#pragma once\n\nnamespace longhand::${ROOM} {\n")
foreach(pair IN LISTS TEXTS)
  string(REGEX MATCH "^([^=]+)=(.+)$" _ "${pair}")
  set(name "${CMAKE_MATCH_1}")
  file(READ "${CMAKE_MATCH_2}" bytes HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND header "inline constexpr char ${name}[] = {${bytes}};\n")
endforeach()
string(APPEND header "}  // namespace longhand::${ROOM}\n")
file(WRITE "${OUTPUT}" "${header}")
