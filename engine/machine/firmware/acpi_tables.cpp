#include "engine/machine/firmware/acpi_tables.h"

#include <algorithm>

#include "engine/base/bits.h"
#include "engine/device/pci/piix4_pm.h"
#include "engine/machine/firmware/dsdt.h"

namespace engine {

namespace {
constexpr std::size_t header_size = 36, header_length_at = 4, header_checksum_at = 9;
constexpr std::string_view oem_id = "PADDCK", oem_table_id = "PADDOCK ", creator_id = "PDDK";
constexpr u32 local_apic_base = 0xfee00000, io_apic_base = 0xfec00000, hpet_base = 0xfed00000;

constexpr u16 pm_base = Piix4Pm::pm_base, gpe0_base = Piix4Pm::gpe0_base, smi_command = Piix4Pm::apm_control;
constexpr u8 sci_interrupt = Piix4Pm::sci_irq, acpi_enable = Piix4Pm::acpi_enable, acpi_disable = Piix4Pm::acpi_disable;
constexpr u8 century_register = 0x32;

// A growing little-endian record.
struct Record {
    std::vector<u8> bytes;

    Record& number(u64 value, unsigned width)
    {
        for (unsigned n = 0; n < width; ++n)
            bytes.push_back(u8(value >> (8 * n)));
        return *this;
    }
    Record& text(std::string_view characters, std::size_t width)
    {
        for (std::size_t n = 0; n < width; ++n)
            bytes.push_back(n < characters.size() ? u8(characters[n]) : 0);
        return *this;
    }
    Record& pad_to(std::size_t size)
    {
        bytes.resize(std::max(bytes.size(), size));
        return *this;
    }
};

Record table(std::string_view signature, u8 revision)
{
    Record r;
    r.text(signature, 4).number(0, 4).number(revision, 1).number(0, 1);
    r.text(oem_id, 6).text(oem_table_id, 8).number(1, 4).text(creator_id, 4).number(1, 4);
    return r;
}

std::vector<u8> facs()
{
    constexpr std::size_t size = 64;
    return Record{}.text("FACS", 4).number(size, 4).pad_to(size).bytes;
}

constexpr std::size_t fadt_facs_at = 36, fadt_dsdt_at = 40;

std::vector<u8> fadt()
{
    enum Flags : u32 { wbinvd = 1 << 0, processor_c1 = 1 << 2, no_sleep_button = 1 << 5, rtc_wakes_from_s4 = 1 << 7 };
    constexpr u16 no_c2 = 0xfff, no_c3 = 0xfff;
    constexpr std::size_t size_1_0 = 116;
    Record r = table("FACP", 1);
    r.number(0, 4).number(0, 4);    // FACS, DSDT: by the loader
    r.number(1, 1).number(0, 1);    // INT_MODEL: multiple APIC
    r.number(sci_interrupt, 2).number(smi_command, 4).number(acpi_enable, 1).number(acpi_disable, 1).number(0, 2);
    r.number(pm_base, 4).number(0, 4);    // PM1a, PM1b event blocks
    r.number(pm_base + 4, 4).number(0, 4).number(0, 4);    // PM1a, PM1b, PM2 control blocks
    r.number(pm_base + 8, 4).number(gpe0_base, 4).number(0, 4);
    r.number(4, 1).number(2, 1).number(0, 1).number(4, 1).number(4, 1).number(0, 1).number(0, 2);
    r.number(no_c2, 2).number(no_c3, 2).number(0, 2).number(0, 2);
    r.number(0, 4).number(century_register, 1).number(0, 3);    // DUTY and alarm fields: none
    r.number(wbinvd | processor_c1 | no_sleep_button | rtc_wakes_from_s4, 4);
    return r.pad_to(size_1_0).bytes;
}

std::vector<u8> dsdt(const BoardDescription& board)
{
    Record r = table("DSDT", 1);
    const std::vector<u8> body = build_dsdt_body(board);
    r.bytes.insert(r.bytes.end(), body.begin(), body.end());
    return r.bytes;
}

// ACPI 6.4, 5.2.12
std::vector<u8> madt(const BoardDescription& board)
{
    constexpr u32 pc_at_compatible = 1;
    constexpr u16 as_the_bus_says = 0, level_active_high = 0x000d;
    Record r = table("APIC", 1);
    r.number(local_apic_base, 4).number(pc_at_compatible, 4);
    for (unsigned n = 0; n < board.cpus; ++n)
        r.number(0, 1).number(8, 1).number(n, 1).number(n, 1).number(1, 4);
    r.number(1, 1).number(12, 1).number(0, 1).number(0, 1).number(io_apic_base, 4).number(0, 4);
    const auto source_override = [&](u8 irq, u32 gsi, u16 flags) {
        r.number(2, 1).number(10, 1).number(0, 1).number(irq, 1).number(gsi, 4).number(flags, 2);
    };
    source_override(0, 2, as_the_bus_says);
    for (const u8 irq : {u8(5), sci_interrupt, u8(10), u8(11)})    // the SCI and what PIRQs are routed to
        source_override(irq, irq, level_active_high);
    r.number(4, 1).number(6, 1).number(0xff, 1).number(as_the_bus_says, 2).number(1, 1);    // NMI: LINT1 of all
    return r.bytes;
}

std::vector<u8> hpet()
{
    constexpr u32 event_timer_block_id = 0x8086a201;
    constexpr u16 minimum_tick = 0;
    Record r = table("HPET", 1);
    r.number(event_timer_block_id, 4).number(0, 1).number(0, 1).number(0, 2).number(hpet_base, 8);
    r.number(0, 1).number(minimum_tick, 2).number(0, 1);
    return r.bytes;
}

std::vector<u8> waet()
{
    constexpr u32 pm_timer_needs_one_read = 2;
    return table("WAET", 1).number(pm_timer_needs_one_read, 4).bytes;
}

// The linker-loader's script (QEMU's public interface): commands of 128 bytes.
class LoaderScript {
public:
    enum class Zone : u8 { high = 1, f_segment = 2 };

    void allocate(std::string_view file, u32 alignment, Zone zone)
    {
        add(Record{}.number(1, 4).text(file, name_size).number(alignment, 4).number(u8(zone), 1));
    }
    // The pointer at `offset` of `file` becomes an address: it is relative to the start of `target`.
    void add_pointer(std::string_view file, std::string_view target, std::size_t offset)
    {
        add(Record{}.number(2, 4).text(file, name_size).text(target, name_size).number(offset, 4).number(4, 1));
    }
    void add_checksum(std::string_view file, std::size_t offset, std::size_t start, std::size_t length)
    {
        add(Record{}.number(3, 4).text(file, name_size).number(offset, 4).number(start, 4).number(length, 4));
    }
    std::vector<u8> bytes;

private:
    static constexpr std::size_t name_size = 56, command_size = 128;
    void add(Record& command)
    {
        command.pad_to(command_size);
        bytes.insert(bytes.end(), command.bytes.begin(), command.bytes.end());
    }
};

// Puts tables one after the other and remembers where.
class TableFile {
public:
    explicit TableFile(LoaderScript& script) : script_(script) { }

    std::size_t add(std::vector<u8> content)
    {
        constexpr std::size_t alignment = 64;
        const std::size_t at = round_up(bytes.size(), alignment);
        store_le<u32>(&content[header_length_at], u32(content.size()));
        bytes.resize(at);
        bytes.insert(bytes.end(), content.begin(), content.end());
        return at;
    }
    void point(std::size_t at, std::size_t target)
    {
        store_le<u32>(&bytes[at], u32(target));
        script_.add_pointer(AcpiTables::tables_file, AcpiTables::tables_file, at);
    }
    void finish(std::size_t at)
    {
        script_.add_checksum(AcpiTables::tables_file, at + header_checksum_at, at, load_le<u32>(&bytes[at + header_length_at]));
    }
    std::vector<u8> bytes;

private:
    LoaderScript& script_;
};
}

AcpiTables build_acpi_tables(const BoardDescription& board)
{
    constexpr std::size_t rsdp_size = 20, rsdp_checksum_at = 8, rsdp_rsdt_at = 16;
    LoaderScript script;
    script.allocate(AcpiTables::rsdp_file, 16, LoaderScript::Zone::f_segment);
    script.allocate(AcpiTables::tables_file, 64, LoaderScript::Zone::high);

    TableFile file(script);
    const std::size_t facs_at = file.add(facs());
    const std::size_t dsdt_at = file.add(dsdt(board));
    const std::size_t fadt_at = file.add(fadt());
    file.point(fadt_at + fadt_facs_at, facs_at);
    file.point(fadt_at + fadt_dsdt_at, dsdt_at);
    std::vector<std::size_t> listed{fadt_at, file.add(madt(board))};
    if (board.hpet)
        listed.push_back(file.add(hpet()));
    listed.push_back(file.add(waet()));

    const std::size_t rsdt_at = file.add(table("RSDT", 1).pad_to(header_size + 4 * listed.size()).bytes);
    for (std::size_t n = 0; n < listed.size(); ++n)
        file.point(rsdt_at + header_size + 4 * n, listed[n]);
    for (const std::size_t at : listed)
        file.finish(at);
    file.finish(dsdt_at);
    file.finish(rsdt_at);

    AcpiTables acpi;
    acpi.rsdp = Record{}.text("RSD PTR ", 8).number(0, 1).text(oem_id, 6).number(0, 1).number(rsdt_at, 4).bytes;
    script.add_pointer(AcpiTables::rsdp_file, AcpiTables::tables_file, rsdp_rsdt_at);
    script.add_checksum(AcpiTables::rsdp_file, rsdp_checksum_at, 0, rsdp_size);
    acpi.tables = std::move(file.bytes);
    acpi.loader = std::move(script.bytes);
    return acpi;
}

}
