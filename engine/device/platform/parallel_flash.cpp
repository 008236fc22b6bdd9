#include "engine/device/platform/parallel_flash.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/base/bits.h"

namespace engine {

namespace {
// 290667, table 4: command set.
constexpr u8 read_array = 0xff, read_identifier = 0x90, read_query = 0x98, read_status = 0x70, clear_status = 0x50,
             write_to_buffer = 0xe8, byte_program = 0x40, byte_program_too = 0x10, block_erase = 0x20, lock_bits = 0x60,
             suspend = 0xb0, confirm = 0xd0;

// Status register
constexpr u8 ready = 0x80, erase_error = 0x20, program_error = 0x10, block_locked = 0x02,
             sequence_error = erase_error | program_error;

constexpr u8 manufacturer_intel = 0x89, device_28f320 = 0x16;
constexpr u32 identifier_manufacturer = 0, identifier_device = 1, identifier_lock = 2;

constexpr u8 erased = 0xff;

// JESD68.01, 3: from 10h on. Voltages in BCD, times and sizes as powers of two.
constexpr u32 query_first = 0x10, query_size = 0x27, query_blocks = 0x2d;
constexpr std::array<u8, 0x30> query_table{
    'Q',
    'R',
    'Y',
    0x01,
    0x00,
    0x31,
    0x00,
    0,
    0,
    0,
    0,    // command set 0001h, its own table at 31h, no other
    0x45,
    0x55,
    0,
    0,    // 4.5 to 5.5 V, no programming voltage
    1,
    1,
    1,
    0,
    1,
    1,
    1,
    0,    // 2 us for a byte and a buffer, 2 ms for a block; at most twice that
    0,
    0,
    0,    // the size, put in below; an eight-bit bus
    std::countr_zero(ParallelFlash::buffer_size),
    0,
    1,    // one kind of blocks
    0,
    0,
    ParallelFlash::block_size >> 8 & 0xff,
    ParallelFlash::block_size >> 16,    // their number less one, put in below
    'P',
    'R',
    'I',
    '1',
    '1',    // version 1.1 of the command set's table
    0,
    0,
    0,
    0,
    0,
    1,
    0,
    0x50,
    0};    // nothing optional but the blocks' lock status; 5 V
}

ParallelFlash::ParallelFlash(std::string name, const Place& place, MemoryBlock& array, Lock lock, std::function<void()> changed)
    : name_(std::move(name)),
      memory_(place.memory),
      array_(array),
      lock_(lock),
      changed_(std::move(changed)),
      region_(memory_.add_rom_device(name_, place.base, array.size(), place.priority, array, *this))
{
}

void ParallelFlash::show()
{
    memory_.show(region_, s_.shows == State::Shows::array ? &array_ : nullptr, 0, nullptr, 0);
}

u64 ParallelFlash::read(u64 offset, unsigned size)
{
    u64 value = 0;
    for (unsigned n = 0; n < size; ++n)
        value |= u64(offset + n < array_.size() ? shown(u32(offset + n)) : erased) << (8 * n);
    return value;
}

u8 ParallelFlash::shown(u32 at) const
{
    switch (s_.shows) {
    case State::Shows::identifier:
        switch (at % block_size) {
        case identifier_manufacturer:
            return manufacturer_intel;
        case identifier_device:
            return device_28f320;
        case identifier_lock:
            return lock_ == Lock::locked;
        default:
            return 0;
        }
    case State::Shows::query:
        return query(at % block_size);
    case State::Shows::status:
        return s_.status;
    case State::Shows::array:
        break;
    }
    return array_.data()[at];
}

u8 ParallelFlash::query(u32 at) const
{
    const u64 last_block = array_.size() / block_size - 1;
    if (at == query_size)
        return u8(std::bit_width(array_.size() - 1));
    if (at == query_blocks || at == query_blocks + 1)
        return u8(last_block >> (8 * (at - query_blocks)));
    return at >= query_first && at - query_first < query_table.size() ? query_table[at - query_first] : 0;
}

void ParallelFlash::write(u64 offset, u64 value, unsigned size)
{
    for (unsigned n = 0; n < size && offset + n < array_.size(); ++n)
        cycle(u32(offset + n), u8(value >> (8 * n)));
    show();
}

void ParallelFlash::cycle(u32 at, u8 value)
{
    using enum State::Awaits;
    switch (std::exchange(s_.awaits, command)) {
    case command:
        return take_command(value);
    case program:
        return program_bytes(at, {&value, 1});
    case erase_confirm:
        return value == confirm ? erase_block(at) : finish(sequence_error);
    case lock_confirm:
        return finish(value == confirm && lock_ == Lock::open ? 0 : sequence_error | block_locked);
    case count:
        return begin_buffer(value);
    case data:
        return fill_buffer(at, value);
    case program_confirm:
        if (value != confirm)
            return finish(sequence_error);
        return program_bytes(s_.buffer_at, std::span(s_.buffer).first(s_.buffer_count));
    }
}

void ParallelFlash::take_command(u8 value)
{
    using enum State::Awaits;
    switch (value) {
    case read_array:
        s_.shows = State::Shows::array;
        break;
    case read_identifier:
        s_.shows = State::Shows::identifier;
        break;
    case read_query:
        s_.shows = State::Shows::query;
        break;
    case read_status:
    case suspend:
    case confirm:
        s_.shows = State::Shows::status;
        break;
    case clear_status:
        s_.status = 0;
        break;
    case byte_program:
    case byte_program_too:
        return begin(program);
    case block_erase:
        return begin(erase_confirm);
    case lock_bits:
        return begin(lock_confirm);
    case write_to_buffer:
        // The status is the buffer's until its count has come: it is free.
        s_.status |= ready;
        return begin(count);
    default:
        break;    // reserved
    }
}

void ParallelFlash::begin(State::Awaits awaits)
{
    s_.awaits = awaits;
    s_.shows = State::Shows::status;
}

void ParallelFlash::begin_buffer(u8 count_less_one)
{
    if (count_less_one >= buffer_size)
        return finish(sequence_error);
    s_.buffer.fill(erased);
    s_.buffer_count = u8(count_less_one + 1);
    s_.buffer_filled = 0;
    s_.awaits = State::Awaits::data;
}

void ParallelFlash::fill_buffer(u32 at, u8 value)
{
    if (s_.buffer_filled == 0)
        s_.buffer_at = at;
    // Below the first address the difference is huge.
    if (at - s_.buffer_at >= s_.buffer_count)
        return finish(sequence_error);
    s_.buffer[at - s_.buffer_at] = value;
    s_.awaits = ++s_.buffer_filled == s_.buffer_count ? State::Awaits::program_confirm : State::Awaits::data;
}

bool ParallelFlash::may_change(u8 error)
{
    if (lock_ == Lock::locked)
        finish(u8(error | block_locked));
    return lock_ == Lock::open;
}

void ParallelFlash::finish(u8 errors)
{
    s_.status |= ready | errors;
}

void ParallelFlash::program_bytes(u32 at, std::span<const u8> bytes)
{
    if (!may_change(program_error))
        return;
    if (bytes.size() > array_.size() - at)
        return finish(sequence_error);
    array_.before_write(at, bytes.size());
    u8* const to = array_.data() + at;
    for (std::size_t n = 0; n < bytes.size(); ++n)
        to[n] &= bytes[n];
    array_.written(at, bytes.size());
    finish(0);
    if (changed_)
        changed_();
}

void ParallelFlash::erase_block(u32 at)
{
    if (!may_change(erase_error))
        return;
    const u64 block = at - at % block_size;
    array_.before_write(block, block_size);
    std::memset(array_.data() + block, erased, block_size);
    array_.written(block, block_size);
    finish(0);
    if (changed_)
        changed_();
}

void ParallelFlash::set_content(std::span<const u8> content)
{
    content = content.first(std::min<u64>(content.size(), array_.size()));
    array_.before_write(0, array_.size());
    std::ranges::copy(content, array_.data());
    std::memset(array_.data() + content.size(), erased, array_.size() - content.size());
    array_.written(0, array_.size());
}

void ParallelFlash::reset()
{
    s_ = {};
    show();
}

void ParallelFlash::visit(StateVisitor& v)
{
    auto& [shows, awaits, status, buffer_at, buffer_count, buffer_filled, buffer] = s_;
    v.field("shows", shows);
    v.field("awaits", awaits);
    v.field("status", status);
    v.field("buffer_at", buffer_at);
    v.field("buffer_count", buffer_count);
    v.field("buffer_filled", buffer_filled);
    v.field("buffer", buffer);
    if (lock_ == Lock::locked)
        return;
    const std::span now = programmed();
    std::vector<u8> content(now.begin(), now.end());
    v.field(content_field, content, array_.size());
    if (!std::ranges::equal(content, now))
        set_content(content);
}

// By words: a snapshot waits for it.
std::span<const u8> ParallelFlash::programmed() const
{
    u64 end = array_.size();
    while (end && load_le<u64>(array_.data() + end - sizeof(u64)) == ~u64(0))
        end -= sizeof(u64);
    return {array_.data(), end};
}

bool ParallelFlash::restored()
{
    const bool in_buffer = s_.awaits == State::Awaits::data || s_.awaits == State::Awaits::program_confirm;
    const bool known = s_.shows <= State::Shows::status && s_.awaits <= State::Awaits::program_confirm;
    const bool fits = s_.buffer_count <= buffer_size && s_.buffer_filled <= s_.buffer_count && s_.buffer_at < array_.size();
    if (!known || !fits || (in_buffer && s_.buffer_count == 0)) {
        reset();
        return false;
    }
    show();
    return true;
}

}
