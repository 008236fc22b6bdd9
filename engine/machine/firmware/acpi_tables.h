#pragma once
// The ACPI tables of the board and the script by which firmware places them. ACPI 1.0b layouts where a table has several
// (the oldest guests read those too), 6.4 for MADT, HPET specification 1.0a, Microsoft's WAET.
//
// The power button is the fixed feature of the FADT. Sleep states other than S5 are not offered.

#include "engine/machine/firmware/board_description.h"

namespace engine {

struct AcpiTables {
    static constexpr std::string_view rsdp_file = "etc/acpi/rsdp", tables_file = "etc/acpi/tables";

    std::vector<u8> rsdp;
    std::vector<u8> tables;    // FACS first, 64-byte aligned
    std::vector<u8> loader;    // linker-loader commands of 128 bytes
};

// Pointers inside hold offsets and checksums are zero until firmware has run the loader's commands.
AcpiTables build_acpi_tables(const BoardDescription& board);

}
