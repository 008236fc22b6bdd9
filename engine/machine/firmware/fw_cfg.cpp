#include "engine/machine/firmware/fw_cfg.h"

#include <algorithm>

#include "engine/base/bits.h"

namespace engine {

namespace {
constexpr u16 key_signature = 0x0000, key_id = 0x0001, key_file_directory = 0x0019;
constexpr u16 key_modifiers = 0x4000;    // the write channel; it selects the same item
constexpr u32 id_traditional = 1, id_dma = 2;

constexpr u64 dma_first_port = 4;    // 514, counted from 510
constexpr u32 dma_error = 1, dma_read = 2, dma_skip = 4, dma_select = 8, dma_write = 16;
constexpr std::size_t dma_control_at = 0, dma_length_at = 4, dma_address_at = 8, dma_descriptor_size = 16;
constexpr u64 dma_signature = 0x51454d5520434647;    // "QEMU CFG", most significant byte at the lowest port

constexpr std::size_t directory_entry_size = 64, entry_key_at = 4, entry_name_at = 8;
}

FwCfg::FwCfg(AddressSpace& memory) : memory_(memory)
{
    add_item(key_signature, {'Q', 'E', 'M', 'U'});
    add_value<u32>(key_id, id_traditional | id_dma);
    rebuild_directory();
}

void FwCfg::claim(PortSpace& ports)
{
    ports.claim(first_port, 2, selector_and_data_, 2);
    ports.claim(first_port + dma_first_port, 8, dma_, 4);
}

bool FwCfg::add_file(std::string_view name, std::vector<u8> content)
{
    if (name.empty() || name.size() > name_limit || (files_.size() >= file_limit && !files_.contains(name)))
        return false;
    files_.insert_or_assign(std::string(name), std::move(content));
    rebuild_directory();
    return true;
}

const std::vector<u8>* FwCfg::file(std::string_view name) const
{
    const auto found = files_.find(name);
    return found == files_.end() ? nullptr : &found->second;
}

void FwCfg::rebuild_directory()
{
    std::vector<u8> directory(sizeof(u32) + files_.size() * directory_entry_size);
    store_be<u32>(directory.data(), u32(files_.size()));
    file_order_.clear();
    for (const auto& [file_name, content] : files_) {
        u8* entry = directory.data() + sizeof(u32) + file_order_.size() * directory_entry_size;
        store_be<u32>(entry, u32(content.size()));
        store_be<u16>(entry + entry_key_at, u16(first_file_key + file_order_.size()));
        std::ranges::copy(file_name, entry + entry_name_at);
        file_order_.push_back(&content);
    }
    items_[key_file_directory] = std::move(directory);
}

const std::vector<u8>& FwCfg::selected() const
{
    static const std::vector<u8> nothing;
    const u16 key = s_.key & u16(~key_modifiers);
    if (key >= first_file_key && unsigned(key - first_file_key) < file_order_.size())
        return *file_order_[key - first_file_key];
    const auto found = items_.find(key);
    return found == items_.end() ? nothing : found->second;
}

void FwCfg::select(u16 key)
{
    s_.key = key;
    s_.offset = 0;
}

u8 FwCfg::read_data()
{
    const std::vector<u8>& item = selected();
    const u8 byte = s_.offset < item.size() ? item[s_.offset] : 0;
    advance(1);
    return byte;
}

void FwCfg::advance(u32 length)
{
    s_.offset = u32(std::min<u64>(u64(s_.offset) + length, selected().size()));
}

u64 FwCfg::SelectorAndData::read(u64 offset, unsigned size)
{
    return offset == 1 && size == 1 ? device.read_data() : low_mask(8 * size);
}

void FwCfg::SelectorAndData::write(u64 offset, u64 value, unsigned size)
{
    if (offset == 0 && size == 2)
        device.select(u16(value));
}

u64 FwCfg::Dma::read(u64 offset, unsigned size)
{
    u64 value = 0;
    for (unsigned n = 0; n < size; ++n)
        value |= bits(dma_signature, unsigned(56 - 8 * ((offset + n) & 7)), 8) << (8 * n);
    return value;
}

void FwCfg::Dma::write(u64 offset, u64 value, unsigned size)
{
    if (size != 4)
        return;
    const u32 half = swap_bytes(u32(value));
    if (offset == 0) {
        device.s_.dma_address = u64(half) << 32;
    } else if (offset == 4) {
        device.s_.dma_address |= half;
        device.run_dma();
    }
}

void FwCfg::run_dma()
{
    const u64 at = s_.dma_address;
    s_.dma_address = 0;
    std::array<u8, dma_descriptor_size> descriptor;
    u32 result = dma_error;
    if (memory_.dma_read(at, descriptor)) {
        const u32 control = load_be<u32>(&descriptor[dma_control_at]);
        const u32 length = load_be<u32>(&descriptor[dma_length_at]);
        if (transfer(control, load_be<u64>(&descriptor[dma_address_at]), length))
            result = 0;
    }
    memory_.dma_store(at + dma_control_at, swap_bytes(result));
}

bool FwCfg::transfer(u32 control, u64 address, u32 length)
{
    if (control & dma_select)
        select(u16(control >> 16));
    if (control & dma_read)
        return copy_out(address, length);
    if (control & dma_write)
        return false;
    if (control & dma_skip)
        advance(length);
    return true;
}

bool FwCfg::copy_out(u64 address, u32 length)
{
    const std::span<const u8> item = selected();
    const std::span<const u8> content = item.subspan(std::min<std::size_t>(s_.offset, item.size()));
    const u32 count = u32(std::min<std::size_t>(length, content.size()));
    advance(length);
    if (!memory_.dma_write(address, content.first(count)))
        return false;
    // Past the item's end there are zeroes. Stops where the guest's memory does.
    static constexpr std::array<u8, page_size> zeroes{};
    for (u64 done = count; done < length;) {
        const u64 part = std::min<u64>(length - done, zeroes.size());
        if (!memory_.dma_write(address + done, std::span(zeroes).first(part)))
            return false;
        done += part;
    }
    return true;
}

void FwCfg::visit(StateVisitor& v)
{
    auto& [key, offset, dma_address] = s_;
    v.field("key", key);
    v.field("offset", offset);
    v.field("dma_address", dma_address);
}

}
