#include "engine/machine/firmware/boot_rom.h"

namespace engine {

namespace {
constexpr u8 low(unsigned word)
{
    return u8(word & 0xff);
}
constexpr u8 high(unsigned word)
{
    return u8(word >> 8);
}

template <std::size_t N> constexpr u8 negated_sum(const std::array<u8, N>& bytes, std::size_t first, std::size_t count)
{
    unsigned sum = 0;
    for (std::size_t n = first; n < first + count; ++n)
        sum += bytes[n];
    return u8(0u - sum);
}

constexpr std::array<u8, boot_rom_size> build_boot_rom()
{
    constexpr unsigned initialisation = 0x03, pnp_pointer = 0x1a, pnp_header = 0x20, pnp_size = 0x20,
                       pnp_checksum = pnp_header + 9, manufacturer = 0x40, product = 0x50, boot_entry = 0x70;
    constexpr std::string_view manufacturer_text = "Paddock", product_text = "Paddock direct boot";

    std::array<u8, boot_rom_size> rom{0x55, 0xaa, boot_rom_size / 512};
    const auto put = [&](unsigned at, std::initializer_list<u8> bytes) {
        for (const u8 byte : bytes)
            rom[at++] = byte;
    };
    put(initialisation, {0xcb});    // retf
    put(pnp_pointer, {low(pnp_header), high(pnp_header)});

    put(pnp_header, {'$', 'P', 'n', 'P', 0x01, pnp_size / 16});
    put(pnp_header + 0x0e, {low(manufacturer), high(manufacturer), low(product), high(product)});
    put(pnp_header + 0x12, {0x08, 0x80, 0x00});    // device type: other system peripheral
    put(pnp_header + 0x15, {0x04});    // may be an initial program load device
    put(pnp_header + 0x1a, {low(boot_entry), high(boot_entry)});
    rom[pnp_checksum] = negated_sum(rom, pnp_header, pnp_size);

    for (std::size_t n = 0; n < manufacturer_text.size(); ++n)
        rom[manufacturer + n] = u8(manufacturer_text[n]);
    for (std::size_t n = 0; n < product_text.size(); ++n)
        rom[product + n] = u8(product_text[n]);

    // clang-format off
    put(boot_entry,
        {
            0xfa,    // cli
            0xba, low(BootPort::port), high(BootPort::port),    // mov dx, 5f8h
            0xb0, BootPort::start,    // mov al, 1
            0xee,    // out dx, al
            0xf4,    // hlt
            0xeb, 0xfd,    // jmp to the hlt
        });
    // clang-format on
    rom.back() = negated_sum(rom, 0, rom.size());
    return rom;
}
}

constinit const std::array<u8, boot_rom_size> boot_rom = build_boot_rom();

}
