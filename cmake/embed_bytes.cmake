# Writes a file into a .cc as an array of bytes; run by the build (cmake -P) when the file is made.
#
# INPUT, OUTPUT, NAME: `const unsigned char NAME[]`, `const size_t NAMEBytes`.
file(READ ${INPUT} bytes HEX)
string(LENGTH "${bytes}" digits)
math(EXPR count "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT}
"// Written by cmake/embed_bytes.cmake: a file of the build.
#include <cstddef>

extern const unsigned char ${NAME}[];
extern const size_t ${NAME}Bytes;
const unsigned char ${NAME}[] = {
${bytes}
};
const size_t ${NAME}Bytes = ${count};
")
