#include "engine/base/result.h"

#include <cctype>
#include <system_error>

namespace engine {

std::string Error::text() const
{
    std::string all = what;
    if (!why.empty())
        all += (std::isupper(static_cast<unsigned char>(why.front())) ? ". " : ": ") + why;
    if (!all.empty())
        all += ". ";
    if (!what_to_do.empty())
        all += what_to_do + ".";
    return all;
}

std::string system_error_text(int error_number)
{
    return std::generic_category().message(error_number);
}

}
