#pragma once
// A small writer of ACPI Machine Language. ACPI specification 6.4, chapters 20 (AML) and 6.4 (resource data types).
//
// Each function returns the bytes of one term; terms nest by being passed on:
//   device("HPET", {name("_HID", eisa_id("PNP0103")), name("_UID", integer(0))})
// Names are what ASL writes: "_STA", "\\_SB", "^LNKA", "PCI0.ISA". They are ours, never a guest's.

#include <initializer_list>
#include <string_view>
#include <vector>

#include "engine/base/types.h"

namespace engine::aml {

using Bytes = std::vector<u8>;
using Terms = std::initializer_list<Bytes>;

Bytes concatenate(Terms terms);

// Data
Bytes integer(u64 value);
Bytes string(std::string_view text);
Bytes buffer(const Bytes& content);
Bytes package(const std::vector<Bytes>& elements);
Bytes eisa_id(std::string_view id);    // "PNP0A03"
Bytes reference(std::string_view path);    // a name used as a term

// Named objects
Bytes name(std::string_view path, const Bytes& value);
Bytes scope(std::string_view path, const Bytes& body);
Bytes device(std::string_view path, const Bytes& body);
Bytes method(std::string_view path, unsigned arguments, const Bytes& body);
Bytes processor(std::string_view path, u8 id);
enum class Space : u8 { memory = 0, io = 1, pci_config = 2 };
Bytes operation_region(std::string_view path, Space space, u64 offset, u64 length);
// Byte-access fields of eight bits each, one after the other.
Bytes byte_fields(std::string_view region, std::initializer_list<std::string_view> names);

// Statements and expressions
Bytes argument(unsigned n);
Bytes local(unsigned n);
Bytes return_value(const Bytes& value);
Bytes store(const Bytes& value, const Bytes& target);
Bytes bit_and(const Bytes& left, const Bytes& right);    // without a target
Bytes bit_or(const Bytes& left, const Bytes& right, const Bytes& target);
Bytes if_true(const Bytes& condition, const Bytes& body);
Bytes notify(std::string_view path, u64 value);
Bytes create_dword_field(const Bytes& source, u64 byte_offset, std::string_view field);

// Resource descriptors, gathered by resources() into a template with its end tag.
Bytes resources(Terms descriptors);
Bytes io_ports(u16 first, u8 count);
Bytes irq(u8 number);    // edge, active high, exclusive
Bytes dma_channel(u8 number);    // compatibility, 8 bit
Bytes interrupts(std::initializer_list<u32> numbers);    // level, active high, shared; the first is at byte 5
Bytes memory32_fixed(u32 first, u32 length, bool writable);
Bytes bus_numbers(u16 first, u16 last);
Bytes port_window(u16 first, u16 last);
Bytes memory_window(u32 first, u32 last, bool cacheable);
Bytes memory_window64(u64 first, u64 last);

}
