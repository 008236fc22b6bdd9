#include "engine/snapshot/page_table.h"

#include "engine/base/bits.h"
#include "engine/snapshot/container.h"

namespace engine {

namespace {
constexpr std::size_t id_size = 16, run_size = 12;

template <class T> void append(std::vector<u8>& to, T value)
{
    to.resize(to.size() + sizeof value);
    store_le<T>(to.data() + to.size() - sizeof value, value);
}

PageRef following(PageRef ref)
{
    return ref ? ref + 1 : 0;
}
}

std::vector<u8> SegmentList::pack() const
{
    std::vector<u8> out;
    append<u32>(out, u32(numbers_.size()));
    for (const u32 number : numbers_) {
        std::string id = store_.segment_id(number);
        id.resize(id_size, '0');
        out.insert(out.end(), id.begin(), id.end());
    }
    return out;
}

Result<SegmentList> SegmentList::unpack(std::span<const u8> bytes, PageStore& store, const std::string& name)
{
    SegmentList list(store);
    if (bytes.size() < 4 || bytes.size() != 4 + u64(load_le<u32>(bytes.data())) * id_size)
        return damaged(name, "Its list of memory files has the wrong length");
    for (std::size_t at = 4; at < bytes.size(); at += id_size) {
        const std::string id(bytes.begin() + at, bytes.begin() + at + id_size);
        if (id.find_first_not_of("0123456789abcdef") != std::string::npos)
            return damaged(name, "Its list of memory files names none that can be");
        auto number = store.segment_number(id);
        if (!number)
            return number.error();
        list.listed_.emplace(number.value(), u32(list.numbers_.size()));
        list.numbers_.push_back(number.value());
    }
    return list;
}

PageRef SegmentList::to_file(PageRef ref)
{
    if (!ref)
        return 0;
    const auto [place, fresh] = listed_.emplace(segment_of(ref), u32(numbers_.size()));
    if (fresh)
        numbers_.push_back(segment_of(ref));
    return make_ref(place->second, offset_of(ref), slot_of(ref));
}

bool SegmentList::from_file(PageRef& ref) const
{
    if (!ref)
        return true;
    if (segment_of(ref) >= numbers_.size())
        return false;
    ref = make_ref(numbers_[segment_of(ref)], offset_of(ref), slot_of(ref));
    return true;
}

std::vector<u8> pack_pages(const PageTable& table, SegmentList& segments)
{
    std::vector<u8> out;
    append<u64>(out, table.size());
    for (u64 first = 0; first < table.size();) {
        u64 end = first + 1;
        while (end < table.size() && table[end] == following(table[end - 1]))
            ++end;
        append<u32>(out, u32(end - first));
        append<u64>(out, segments.to_file(table[first]));
        first = end;
    }
    return out;
}

Result<PageTable> unpack_pages(std::span<const u8> bytes, const SegmentList& segments, u64 most, const std::string& name)
{
    if (bytes.size() < 8 || (bytes.size() - 8) % run_size != 0 || load_le<u64>(bytes.data()) > most)
        return damaged(name, "Its table of memory has the wrong length");
    const u64 pages = load_le<u64>(bytes.data());
    PageTable table(pages);
    u64 filled = 0;
    for (std::size_t at = 8; at < bytes.size(); at += run_size) {
        const u32 count = load_le<u32>(&bytes[at]);
        PageRef ref = load_le<u64>(&bytes[at + 4]);
        const bool in_chunk = !ref || slot_of(ref) + u64(count) <= pages_in_chunk;
        if (!count || count > pages - filled || !in_chunk || !segments.from_file(ref))
            return damaged(name, "Its table of memory contradicts itself");
        for (u32 n = 0; ref && n < count; ++n, ref = following(ref))
            table[filled + n] = ref;
        auto& stretches = table.stretches;
        const bool is_zero = load_le<u64>(&bytes[at + 4]) == 0;
        if (!is_zero && !stretches.empty() && stretches.back().second == filled)
            stretches.back().second += count;
        else if (!is_zero)
            stretches.push_back({filled, filled + count});
        filled += count;
    }
    if (filled != pages)
        return damaged(name, "Its table of memory is incomplete");
    return table;
}

}
