#pragma once
// The firmware configuration device: how firmware learns what machine it is in. QEMU's public interface
// (docs/specs/fw_cfg), ports 510-51b.
//
// Items are read-only to the guest. Not modelled: file write-back, the memory-mapped variant.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/device/device.h"
#include "engine/memory/address_space.h"
#include "engine/memory/port_space.h"

namespace engine {

class FwCfg final : public Device {
public:
    static constexpr u16 first_port = 0x510, first_file_key = 0x20, file_limit = 0x1000;
    static constexpr std::size_t name_limit = 55;

    explicit FwCfg(AddressSpace& memory);

    void claim(PortSpace& ports);

    // Before the machine runs, or while it is stopped. An item or a file of the same name is replaced.
    void add_item(u16 key, std::vector<u8> content) { items_[key] = std::move(content); }
    template <std::unsigned_integral T> void add_value(u16 key, T value);
    // Files get their keys in order of name. False where the name is too long or there are too many files.
    bool add_file(std::string_view name, std::vector<u8> content);
    bool add_file(std::string_view name, std::string_view content)
    {
        return add_file(name, std::vector<u8>(content.begin(), content.end()));
    }
    const std::vector<u8>* file(std::string_view name) const;

    struct State {
        u16 key = 0;
        u32 offset = 0;    // of the next byte of the item
        u64 dma_address = 0;
    };

    std::string_view name() const override { return "fw_cfg"; }
    void reset() override { s_ = {}; }
    void visit(StateVisitor& visitor) override;
    bool restored() override { return true; }

private:
    struct SelectorAndData final : IoHandler {
        explicit SelectorAndData(FwCfg& owner) : device(owner) { }
        u64 read(u64 offset, unsigned size) override;
        void write(u64 offset, u64 value, unsigned size) override;
        FwCfg& device;
    };
    struct Dma final : IoHandler {
        explicit Dma(FwCfg& owner) : device(owner) { }
        u64 read(u64 offset, unsigned size) override;
        void write(u64 offset, u64 value, unsigned size) override;
        FwCfg& device;
    };

    void select(u16 key);
    u8 read_data();
    const std::vector<u8>& selected() const;
    void run_dma();
    bool transfer(u32 control, u64 address, u32 length);
    bool copy_out(u64 address, u32 length);
    void advance(u32 length);
    void rebuild_directory();

    State s_;
    AddressSpace& memory_;
    std::map<u16, std::vector<u8>> items_;
    std::map<std::string, std::vector<u8>, std::less<>> files_;
    std::vector<const std::vector<u8>*> file_order_;    // by key - first_file_key
    SelectorAndData selector_and_data_{*this};
    Dma dma_{*this};
};

template <std::unsigned_integral T> void FwCfg::add_value(u16 key, T value)
{
    const u8* bytes = reinterpret_cast<const u8*>(&value);
    add_item(key, {bytes, bytes + sizeof value});
}

}
