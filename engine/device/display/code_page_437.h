#pragma once
#include <span>
#include <string>

#include "engine/base/types.h"

namespace engine {

// The Unicode character that code page 437 shows for a byte, control characters as their pictures, 0 and ff as blanks.
char32_t unicode_of(u8 character);
// UTF-8 without trailing blanks.
std::string text_of(std::span<const u8> row);

}
