#include "engine/machine/firmware/aml.h"

#include <algorithm>

namespace engine::aml {

namespace {
// 20.2 and 20.3: encodings
enum Opcode : u8 {
    zero_op = 0x00,
    one_op = 0x01,
    name_op = 0x08,
    byte_prefix = 0x0a,
    word_prefix = 0x0b,
    dword_prefix = 0x0c,
    string_prefix = 0x0d,
    qword_prefix = 0x0e,
    scope_op = 0x10,
    buffer_op = 0x11,
    package_op = 0x12,
    method_op = 0x14,
    dual_name_prefix = 0x2e,
    multi_name_prefix = 0x2f,
    extended_prefix = 0x5b,
    local0_op = 0x60,
    arg0_op = 0x68,
    store_op = 0x70,
    and_op = 0x7b,
    or_op = 0x7d,
    notify_op = 0x86,
    create_dword_field_op = 0x8a,
    if_op = 0xa0,
    return_op = 0xa4,
};
enum ExtendedOpcode : u8 { region_op = 0x80, field_op = 0x81, device_op = 0x82, processor_op = 0x83 };
constexpr u8 byte_access = 1;
constexpr u8 serialized = 8;    // method flag: its names exist once

// 6.4: descriptor tags
constexpr u8 irq_tag = 0x22, dma_tag = 0x2a, io_tag = 0x47, end_tag = 0x79, memory32_fixed_tag = 0x86, dword_space_tag = 0x87,
             word_space_tag = 0x88, extended_interrupt_tag = 0x89, qword_space_tag = 0x8a;
constexpr u8 space_memory = 0, space_io = 1, space_bus = 2;
constexpr u8 fixed_range = 0x0c;    // minimum and maximum are fixed, positive decode
constexpr u8 memory_cacheable = 0x03, memory_uncached = 0x01;    // read-write in bit 0
constexpr u8 io_entire_range = 0x03;

void append(Bytes& out, const Bytes& more)
{
    out.insert(out.end(), more.begin(), more.end());
}

void append_little_endian(Bytes& out, u64 value, unsigned bytes)
{
    for (unsigned n = 0; n < bytes; ++n)
        out.push_back(u8(value >> (8 * n)));
}

Bytes name_segment(std::string_view text)
{
    Bytes segment(4, '_');
    std::copy_n(text.begin(), std::min<std::size_t>(text.size(), 4), segment.begin());
    return segment;
}

Bytes name_string(std::string_view path)
{
    Bytes out;
    while (!path.empty() && (path.front() == '\\' || path.front() == '^')) {
        out.push_back(u8(path.front()));
        path.remove_prefix(1);
    }
    Bytes segments;
    unsigned count = 0;
    while (!path.empty()) {
        const std::size_t dot = std::min(path.find('.'), path.size());
        append(segments, name_segment(path.substr(0, dot)));
        path.remove_prefix(std::min(dot + 1, path.size()));
        ++count;
    }
    if (count == 0)
        out.push_back(zero_op);
    else if (count == 2)
        out.push_back(dual_name_prefix);
    else if (count > 2) {
        out.push_back(multi_name_prefix);
        out.push_back(u8(count));
    }
    append(out, segments);
    return out;
}

// PkgLength counts its own bytes too: 6 bits in one byte, or 4 bits and up to three bytes more.
Bytes package_length(std::size_t content)
{
    if (content + 1 < 0x40)
        return {u8(content + 1)};
    unsigned more = 1;
    while (content + 1 + more >= std::size_t(1) << (4 + 8 * more))
        ++more;
    const std::size_t length = content + 1 + more;
    Bytes out{u8(more << 6 | (length & 0x0f))};
    append_little_endian(out, length >> 4, more);
    return out;
}

Bytes with_length(Terms opcode, const Bytes& content)
{
    Bytes out = concatenate(opcode);
    append(out, package_length(content.size()));
    append(out, content);
    return out;
}

Bytes address_space(u8 tag, unsigned width, u8 type, u8 type_flags, u64 first, u64 last)
{
    Bytes body{type, fixed_range, type_flags};
    for (const u64 value : {u64(0), first, last, u64(0), last - first + 1})    // granularity, range, translation, length
        append_little_endian(body, value, width);
    Bytes out{tag};
    append_little_endian(out, body.size(), 2);
    append(out, body);
    return out;
}
}

Bytes concatenate(Terms terms)
{
    Bytes out;
    for (const Bytes& term : terms)
        append(out, term);
    return out;
}

Bytes integer(u64 value)
{
    if (value <= 1)
        return {value ? one_op : zero_op};
    const unsigned bytes = value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= 0xffffffff ? 4 : 8;
    Bytes out{bytes == 1 ? byte_prefix : bytes == 2 ? word_prefix : bytes == 4 ? dword_prefix : qword_prefix};
    append_little_endian(out, value, bytes);
    return out;
}

Bytes string(std::string_view text)
{
    Bytes out{string_prefix};
    std::ranges::copy(text, std::back_inserter(out));
    out.push_back(0);
    return out;
}

Bytes buffer(const Bytes& content)
{
    return with_length({{buffer_op}}, concatenate({integer(content.size()), content}));
}

Bytes package(const std::vector<Bytes>& elements)
{
    Bytes content{u8(elements.size())};
    for (const Bytes& element : elements)
        append(content, element);
    return with_length({{package_op}}, content);
}

Bytes eisa_id(std::string_view id)
{
    // 19.6.36: three letters of five bits, then four hexadecimal digits, most significant byte first in memory.
    const auto letter = [&](unsigned n) { return u32(id[n] - 0x40) & 0x1f; };
    u32 value = letter(0) << 26 | letter(1) << 21 | letter(2) << 16;
    for (unsigned n = 3; n < 7; ++n)
        value |= u32(id[n] <= '9' ? id[n] - '0' : id[n] - 'A' + 10) << (4 * (6 - n));
    Bytes out{dword_prefix};
    for (unsigned n = 4; n-- > 0;)
        out.push_back(u8(value >> (8 * n)));
    return out;
}

Bytes reference(std::string_view path)
{
    return name_string(path);
}

Bytes name(std::string_view path, const Bytes& value)
{
    return concatenate({{name_op}, name_string(path), value});
}

Bytes scope(std::string_view path, const Bytes& body)
{
    return with_length({{scope_op}}, concatenate({name_string(path), body}));
}

Bytes device(std::string_view path, const Bytes& body)
{
    return with_length({{extended_prefix, device_op}}, concatenate({name_string(path), body}));
}

Bytes method(std::string_view path, unsigned arguments, const Bytes& body)
{
    return with_length({{method_op}}, concatenate({name_string(path), {u8((arguments & 7) | serialized)}, body}));
}

Bytes processor(std::string_view path, u8 id)
{
    const Bytes no_register_block(5, 0);
    return with_length({{extended_prefix, processor_op}}, concatenate({name_string(path), {id}, no_register_block}));
}

Bytes operation_region(std::string_view path, Space space, u64 offset, u64 length)
{
    return concatenate({{extended_prefix, region_op}, name_string(path), {u8(space)}, integer(offset), integer(length)});
}

Bytes byte_fields(std::string_view region, std::initializer_list<std::string_view> names)
{
    Bytes content = name_string(region);
    content.push_back(byte_access);
    for (const std::string_view field : names) {
        append(content, name_segment(field));
        content.push_back(8);
    }
    return with_length({{extended_prefix, field_op}}, content);
}

Bytes argument(unsigned n)
{
    return {u8(arg0_op + n)};
}

Bytes local(unsigned n)
{
    return {u8(local0_op + n)};
}

Bytes return_value(const Bytes& value)
{
    return concatenate({{return_op}, value});
}

Bytes store(const Bytes& value, const Bytes& target)
{
    return concatenate({{store_op}, value, target});
}

Bytes bit_and(const Bytes& left, const Bytes& right)
{
    return concatenate({{and_op}, left, right, {zero_op}});
}

Bytes bit_or(const Bytes& left, const Bytes& right, const Bytes& target)
{
    return concatenate({{or_op}, left, right, target});
}

Bytes if_true(const Bytes& condition, const Bytes& body)
{
    return with_length({{if_op}}, concatenate({condition, body}));
}

Bytes notify(std::string_view path, u64 value)
{
    return concatenate({{notify_op}, name_string(path), integer(value)});
}

Bytes create_dword_field(const Bytes& source, u64 byte_offset, std::string_view field)
{
    return concatenate({{create_dword_field_op}, source, integer(byte_offset), name_string(field)});
}

Bytes resources(Terms descriptors)
{
    Bytes content = concatenate(descriptors);
    append(content, {end_tag, 0});    // a checksum of zero says that there is none
    return buffer(content);
}

Bytes io_ports(u16 first, u8 count)
{
    Bytes out{io_tag, 1};    // decodes 16 bits
    append_little_endian(out, first, 2);
    append_little_endian(out, first, 2);
    append(out, {1, count});
    return out;
}

Bytes irq(u8 number)
{
    Bytes out{irq_tag};
    append_little_endian(out, 1u << (number & 15), 2);
    return out;
}

Bytes dma_channel(u8 number)
{
    return {dma_tag, u8(1u << (number & 7)), 0};
}

Bytes interrupts(std::initializer_list<u32> numbers)
{
    constexpr u8 consumer = 0x01, level_active_high = 0x00, shared = 0x08;
    Bytes out{extended_interrupt_tag};
    append_little_endian(out, 2 + 4 * numbers.size(), 2);
    append(out, {u8(consumer | level_active_high | shared), u8(numbers.size())});
    for (const u32 number : numbers)
        append_little_endian(out, number, 4);
    return out;
}

Bytes memory32_fixed(u32 first, u32 length, bool writable)
{
    Bytes out{memory32_fixed_tag, 9, 0, u8(writable)};
    append_little_endian(out, first, 4);
    append_little_endian(out, length, 4);
    return out;
}

Bytes bus_numbers(u16 first, u16 last)
{
    return address_space(word_space_tag, 2, space_bus, 0, first, last);
}

Bytes port_window(u16 first, u16 last)
{
    return address_space(word_space_tag, 2, space_io, io_entire_range, first, last);
}

Bytes memory_window(u32 first, u32 last, bool cacheable)
{
    return address_space(dword_space_tag, 4, space_memory, cacheable ? memory_cacheable : memory_uncached, first, last);
}

Bytes memory_window64(u64 first, u64 last)
{
    return address_space(qword_space_tag, 8, space_memory, memory_cacheable, first, last);
}

}
