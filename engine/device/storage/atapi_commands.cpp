// The packet commands: MMC-3 (T10 1363D), chapter 6; SPC-2 for the first ones.

#include <algorithm>
#include <iterator>

#include "engine/base/bits.h"
#include "engine/device/storage/atapi_drive.h"

namespace engine {

namespace {

constexpr u8 needs_disc = 1;    // NOT READY without one
constexpr u8 despite_attention = 2;    // carried out while UNIT ATTENTION waits

// MMC-3, 4.1.3.5: sense keys.
constexpr u8 key_not_ready = 2, key_illegal_request = 5, key_unit_attention = 6;
constexpr u8 asc_invalid_opcode = 0x20, asc_invalid_field = 0x24, asc_parameter_list_length = 0x1a, asc_medium_changed = 0x28,
             asc_incompatible_medium = 0x30, asc_no_medium = 0x3a, asc_removal_prevented = 0x53, asc_illegal_mode = 0x64;

constexpr u8 data_track = 0x14;    // ADR 1, data, no copying
constexpr u8 lead_out_track = 0xaa;
constexpr u32 pregap = 150;    // frames before LBA 0
constexpr u32 largest_parameter_list = 512;
constexpr u16 profile_cd_rom = 0x0008, profile_dvd_rom = 0x0010;

void put16(std::vector<u8>& out, u64 value)
{
    out.insert(out.end(), {u8(value >> 8), u8(value)});
}
void put32(std::vector<u8>& out, u64 value)
{
    put16(out, value >> 16);
    put16(out, value);
}

// An address as MMC's commands return it: an LBA, or 0, minute, second, frame.
void put_address(std::vector<u8>& out, u32 lba, bool msf)
{
    if (!msf)
        return put32(out, lba);
    const u32 frame = lba + pregap;
    out.insert(out.end(), {0, u8(frame / 75 / 60), u8(frame / 75 % 60), u8(frame % 75)});
}

void put_padded(std::vector<u8>& out, std::string_view text, std::size_t width)
{
    for (std::size_t n = 0; n < width; ++n)
        out.push_back(n < text.size() ? u8(text[n]) : u8(' '));
}

// Fills in a length field of `width` bytes at the start: what follows it.
std::vector<u8> with_length(std::vector<u8> bytes, unsigned width)
{
    const u64 length = bytes.size() - width;
    for (unsigned n = 0; n < width; ++n)
        bytes[n] = u8(length >> (8 * (width - 1 - n)));
    return bytes;
}

}

const std::array<AtapiDrive::Packet, 256> AtapiDrive::packets = [] {
    std::array<Packet, 256> table{};
    // clang-format off
    table[0x00] = {&AtapiDrive::test_unit_ready, needs_disc};
    table[0x03] = {&AtapiDrive::request_sense, despite_attention};
    table[0x12] = {&AtapiDrive::inquiry, despite_attention};
    table[0x1b] = {&AtapiDrive::start_stop_unit};
    table[0x1e] = {&AtapiDrive::prevent_allow_medium_removal};
    table[0x25] = {&AtapiDrive::read_capacity, needs_disc};
    table[0x28] = {&AtapiDrive::read_10, needs_disc};
    table[0x2b] = {&AtapiDrive::seek, needs_disc};
    table[0x2f] = {&AtapiDrive::seek, needs_disc};                                        // VERIFY(10)
    table[0x42] = {&AtapiDrive::read_subchannel, needs_disc};
    table[0x43] = {&AtapiDrive::read_toc, needs_disc};
    table[0x44] = {&AtapiDrive::read_header, needs_disc};
    table[0x45] = {&AtapiDrive::no_audio, needs_disc};                                    // PLAY AUDIO(10)
    table[0x46] = {&AtapiDrive::get_configuration, despite_attention};
    table[0x47] = {&AtapiDrive::no_audio, needs_disc};                                    // PLAY AUDIO MSF
    table[0x4a] = {&AtapiDrive::get_event_status, despite_attention};
    table[0x4b] = {&AtapiDrive::no_audio, needs_disc};                                    // PAUSE/RESUME
    table[0x4e] = {&AtapiDrive::nothing_to_do, needs_disc};                               // STOP PLAY/SCAN
    table[0x51] = {&AtapiDrive::read_disc_information, needs_disc};
    table[0x52] = {&AtapiDrive::read_track_information, needs_disc};
    table[0x55] = {&AtapiDrive::mode_select};
    table[0x5a] = {&AtapiDrive::mode_sense};
    table[0xa5] = {&AtapiDrive::no_audio, needs_disc};                                    // PLAY AUDIO(12)
    table[0xa8] = {&AtapiDrive::read_12, needs_disc};
    table[0xac] = {&AtapiDrive::get_performance};
    table[0xad] = {&AtapiDrive::read_dvd_structure, needs_disc};
    table[0xb6] = {&AtapiDrive::nothing_to_do};                                           // SET STREAMING
    table[0xb9] = {&AtapiDrive::read_cd_msf, needs_disc};
    table[0xbb] = {&AtapiDrive::nothing_to_do};                                           // SET CD SPEED
    table[0xbd] = {&AtapiDrive::mechanism_status};
    table[0xbe] = {&AtapiDrive::read_cd, needs_disc};
    // clang-format on
    return table;
}();

u16 AtapiDrive::packet16(unsigned at) const
{
    return load_be<u16>(&s_.packet[at]);
}
u32 AtapiDrive::packet24(unsigned at) const
{
    return u32(s_.packet[at] << 16 | s_.packet[at + 1] << 8 | s_.packet[at + 2]);
}
u32 AtapiDrive::packet32(unsigned at) const
{
    return load_be<u32>(&s_.packet[at]);
}

void AtapiDrive::run_packet()
{
    const Packet& command = packets[s_.packet[0]];
    if (s_.attention_asc && !(command.traits & despite_attention)) {
        const u8 asc = std::exchange(s_.attention_asc, 0);
        return check_condition(key_unit_attention, asc, s_.attention_ascq);
    }
    if (!command.run)
        return check_condition(key_illegal_request, asc_invalid_opcode);
    if (command.traits & needs_disc && !ready())
        return check_condition(key_not_ready, asc_no_medium, s_.tray_open ? 2 : 1);
    (this->*command.run)();
}

// A swapped disc is missed once before it is there, as a guest would see it happen.
bool AtapiDrive::ready()
{
    if (!disc_ || s_.tray_open)
        return false;
    if (!std::exchange(s_.absent_once, false))
        return true;
    s_.attention_asc = asc_medium_changed;
    s_.attention_ascq = 0;
    return false;
}

bool AtapiDrive::is_dvd() const
{
    return blocks() > 90 * 60 * 75;
}

void AtapiDrive::test_unit_ready()
{
    good();
}
void AtapiDrive::nothing_to_do()
{
    good();
}
void AtapiDrive::no_audio()
{
    check_condition(key_illegal_request, asc_illegal_mode);
}

void AtapiDrive::request_sense()
{
    if (s_.sense_key == 0 && s_.attention_asc) {
        s_.sense_key = key_unit_attention;
        s_.asc = std::exchange(s_.attention_asc, 0);
        s_.ascq = s_.attention_ascq;
    }
    std::vector<u8> sense(18);
    sense[0] = 0x70;
    sense[2] = std::exchange(s_.sense_key, 0);
    sense[7] = 10;
    sense[12] = std::exchange(s_.asc, 0);
    sense[13] = std::exchange(s_.ascq, 0);
    reply(std::move(sense), s_.packet[4]);
}

void AtapiDrive::inquiry()
{
    if (s_.packet[1] & 1 || s_.packet[2])
        return invalid_field();
    std::vector<u8> data{0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0};
    put_padded(data, "PADDOCK", 8);
    put_padded(data, "DVD-ROM", 16);
    put_padded(data, "1.0", 4);
    reply(std::move(data), packet16(3));
}

void AtapiDrive::start_stop_unit()
{
    const bool start = s_.packet[4] & 1, load_or_eject = s_.packet[4] & 2, power = s_.packet[4] & 0xf0;
    if (power || !load_or_eject)
        return good();
    if (!start && s_.locked)
        return check_condition(key_illegal_request, asc_removal_prevented, 2);
    set_tray(!start);
    good();
}

void AtapiDrive::prevent_allow_medium_removal()
{
    s_.locked = s_.packet[4] & 1;
    good();
}

void AtapiDrive::read_capacity()
{
    std::vector<u8> data;
    put32(data, blocks() - 1);
    put32(data, 2048);
    reply(std::move(data), 8);
}

void AtapiDrive::read_10()
{
    start_reading(packet32(2), packet16(7), 0x10);
}
void AtapiDrive::read_12()
{
    start_reading(packet32(2), packet32(6), 0x10);
}

// 6.1.15: what is asked of a sector must be a stretch of it without gaps.
void AtapiDrive::read_cd()
{
    const u8 type = s_.packet[1] >> 2 & 7;
    // Mode 1 sectors have no subheader: asking for it asks for nothing.
    const u8 fields = s_.packet[9] & 0xb8;
    const u8 stretch = u8((fields & 0x80) >> 4 | (fields & 0x38) >> 3);
    const u8 lowest = u8(stretch & -stretch);
    if (s_.packet[10] & 7 || s_.packet[9] & 6 || ((stretch + lowest) & stretch) != 0)
        return invalid_field();
    if (type > 2 || type == 1)
        return check_condition(key_illegal_request, asc_illegal_mode);
    start_reading(packet32(2), packet24(6), fields);
}

void AtapiDrive::read_cd_msf()
{
    const auto frame = [this](unsigned at) { return (s_.packet[at] * 60u + s_.packet[at + 1]) * 75u + s_.packet[at + 2]; };
    const u32 first = frame(3), end = frame(6);
    if (first < pregap || end < first || s_.packet[10] & 7)
        return invalid_field();
    const u8 fields = s_.packet[9] & 0xb8;
    start_reading(first - pregap, end - first, fields == 0xb8 ? 0xb8 : 0x10);
}

void AtapiDrive::seek()
{
    if (packet32(2) >= blocks())
        return check_condition(key_illegal_request, 0x21);
    good();
}

void AtapiDrive::read_subchannel()
{
    constexpr u8 no_audio_status = 0x15;
    const bool msf = s_.packet[1] & 2, with_data = s_.packet[2] & 0x40;
    const u8 format = s_.packet[3];
    std::vector<u8> data{0, no_audio_status, 0, 0};
    if (with_data && format == 1) {
        data.insert(data.end(), {1, data_track, 1, 1});
        put_address(data, 0, msf);
        put_address(data, 0, msf);
    } else if (with_data && (format == 2 || format == 3)) {
        data.push_back(format);
        data.resize(24);    // no catalogue number, no ISRC
    } else if (with_data) {
        return invalid_field();
    }
    store_be<u16>(&data[2], u16(data.size() - 4));
    reply(std::move(data), packet16(7));
}

void AtapiDrive::read_toc()
{
    const bool msf = s_.packet[1] & 2;
    // SFF-8020i has the format in the control byte.
    const u8 format = s_.packet[2] & 15 ? s_.packet[2] & 15 : s_.packet[9] >> 6;
    const u8 first_track = s_.packet[6];
    std::vector<u8> toc{0, 0, 1, 1};
    switch (format) {
    case 0:
        if (first_track > 1 && first_track != lead_out_track)
            return invalid_field();
        if (first_track <= 1) {
            toc.insert(toc.end(), {0, data_track, 1, 0});
            put_address(toc, 0, msf);
        }
        toc.insert(toc.end(), {0, data_track, lead_out_track, 0});
        put_address(toc, blocks(), msf);
        break;
    case 1:
        toc.insert(toc.end(), {0, data_track, 1, 0});
        put_address(toc, 0, msf);
        break;
    case 2:
        toc = toc_full(blocks());
        break;
    default:
        return invalid_field();
    }
    reply(with_length(std::move(toc), 2), packet16(7));
}

// 6.1.20.4: first and last track, lead-out, then the track, each as the lead-in's Q channel has it.
std::vector<u8> AtapiDrive::toc_full(u32 lead_out) const
{
    std::vector<u8> toc{0, 0, 1, 1};
    const auto entry = [&toc](u8 point, u8 minute, u8 second, u8 frame) {
        toc.insert(toc.end(), {1, data_track, 0, point, 0, 0, 0, 0, minute, second, frame});
    };
    const u32 end = lead_out + pregap;
    entry(0xa0, 1, 0, 0);
    entry(0xa1, 1, 0, 0);
    entry(0xa2, u8(end / 75 / 60), u8(end / 75 % 60), u8(end % 75));
    entry(1, 0, 2, 0);
    return toc;
}

void AtapiDrive::read_header()
{
    const u32 lba = packet32(2);
    if (lba >= blocks())
        return check_condition(key_illegal_request, 0x21);
    std::vector<u8> data{1, 0, 0, 0};
    put_address(data, lba, s_.packet[1] & 2);
    reply(std::move(data), packet16(7));
}

// 5.3: features; a feature is current while the disc in the drive lets it be used.
void AtapiDrive::get_configuration()
{
    const u8 which = s_.packet[1] & 3;
    const u16 first = packet16(2);
    const bool present = disc_ && !s_.tray_open, dvd = present && is_dvd(), cd = present && !dvd;
    std::vector<u8> data(6);
    put16(data, dvd ? profile_dvd_rom : cd ? profile_cd_rom : 0);
    const auto feature = [&](u16 code, u8 version, bool current, std::vector<u8> content) {
        if (which == 2 ? code != first : code < first || (which == 1 && !current))
            return;
        put16(data, code);
        data.insert(
            data.end(), {u8(version << 2 | (code <= 0x0003 || code >= 0x0100 ? 2 : 0) | (current ? 1 : 0)), u8(content.size())});
        data.insert(data.end(), content.begin(), content.end());
    };
    feature(0x0000, 0, true, {0, 0x10, dvd, 0, 0, 0x08, cd, 0});    // profile list
    feature(0x0001, 0, true, {0, 0, 0, 2});    // core: ATAPI
    feature(0x0002, 0, true, {0, 0, 0, 0});    // morphing
    feature(0x0003, 0, true, {0x29, 0, 0, 0});    // tray, eject, lock
    feature(0x0010, 0, present, {0, 0, 8, 0, 0, 1, 0, 0});    // random readable
    feature(0x001d, 0, present, {});    // multi-read
    feature(0x001e, 0, cd, {0, 0, 0, 0});    // CD read
    feature(0x001f, 0, dvd, {});    // DVD read
    feature(0x0100, 0, true, {});    // power management
    feature(0x0105, 0, true, {});    // time-out
    reply(with_length(std::move(data), 4), packet16(7));
}

void AtapiDrive::get_event_status()
{
    constexpr u8 class_media = 4, no_event = 0x80;
    if (!(s_.packet[1] & 1))
        return invalid_field();
    if (!(s_.packet[4] & 1 << class_media))
        return reply({0, 2, no_event, 1 << class_media}, packet16(7));
    u8 event = 0;
    if (std::exchange(s_.event_eject, false))
        event = 1;
    else if (std::exchange(s_.event_removed, false))
        event = 3;
    else if (std::exchange(s_.event_new, false))
        event = 2;
    const bool present = disc_ && !s_.tray_open;
    reply({0, 6, class_media, 1 << class_media, event, u8((present ? 2 : 0) | (s_.tray_open ? 1 : 0)), 0, 0}, packet16(7));
}

void AtapiDrive::read_disc_information()
{
    std::vector<u8> data(34);
    store_be<u16>(&data[0], 32);
    data[2] = 0x0e;    // disc and session are complete
    data[3] = data[4] = data[5] = data[6] = 1;
    data[7] = 0x20;
    std::fill(data.begin() + 16, data.begin() + 24, u8(0xff));
    reply(std::move(data), packet16(7));
}

void AtapiDrive::read_track_information()
{
    const u8 kind = s_.packet[1] & 3;
    const u32 address = packet32(2);
    if (kind == 0 ? address >= blocks() : address != 1)
        return invalid_field();
    std::vector<u8> data(36);
    store_be<u16>(&data[0], 34);
    data[2] = data[3] = 1;
    data[5] = 4;
    data[6] = 1;
    store_be<u32>(&data[24], blocks());
    reply(std::move(data), packet16(7));
}

void AtapiDrive::mode_select()
{
    const u32 length = packet16(7);
    if (length > largest_parameter_list)
        return check_condition(key_illegal_request, asc_parameter_list_length);
    if (length == 0)
        return good();
    s_.stage = Stage::data_out;
    if (s_.dma)
        begin_dma_out(length);
    else
        begin_data_out(length, drq_block(2), true);
}

// What a guest may set is taken; what it may not stays as it is.
void AtapiDrive::mode_parameters()
{
    const std::vector<u8> list = r_.buffer;
    std::size_t at = list.size() < 8 ? list.size() : 8u + load_be<u16>(&list[6]);
    while (at + 2 <= list.size()) {
        const u8 code = list[at] & 0x3f;
        const std::size_t size = 2u + list[at + 1];
        if (at + size > list.size())
            return check_condition(key_illegal_request, asc_parameter_list_length);
        const auto changeable = mode_page(code, 1), current = mode_page(code, 0);
        if (current.empty() || current.size() != size)
            return check_condition(key_illegal_request, 0x26);
        const auto take = [&](auto& page) {
            for (std::size_t n = 2; n < page.size() && n < size; ++n)
                page[n] = u8((page[n] & ~changeable[n]) | (list[at + n] & changeable[n]));
        };
        if (code == 0x01)
            take(s_.error_recovery);
        if (code == 0x0e)
            take(s_.audio_control);
        at += size;
    }
    good();
}

// `control` as in MODE SENSE: 0 current, 1 changeable, 2 default values. Empty where there is no such page.
std::vector<u8> AtapiDrive::mode_page(u8 code, u8 control) const
{
    const State fresh;
    const State& from = control == 2 ? fresh : s_;
    const auto only_changeable = [control](std::vector<u8> page, std::vector<u8> changeable) {
        if (control == 1)
            std::copy(changeable.begin(), changeable.end(), page.begin() + 2);
        return page;
    };
    switch (code) {
    case 0x01:
        return only_changeable({from.error_recovery.begin(), from.error_recovery.end()}, {0xff, 0xff, 0, 0, 0, 0});
    case 0x0d:
        return only_changeable({0x0d, 6, 0, 0x0d, 0, 60, 0, 75}, {0, 0, 0, 0, 0, 0});
    case 0x0e:
        return only_changeable(
            {from.audio_control.begin(), from.audio_control.end()},
            {0x06, 0, 0, 0, 0, 0, 0x0f, 0xff, 0x0f, 0xff, 0x0f, 0xff, 0x0f, 0xff});
    case 0x1a:
        return only_changeable({0x1a, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, std::vector<u8>(10));
    case 0x2a: {
        // Reads CD-R, CD-RW and DVD-ROM; mode 2, multi-session; tray, eject, lock; 48x; 128 KiB.
        const u8 lock = u8(0x29 | (from.locked ? 2 : 0));
        return only_changeable(
            {0x2a, 18, 0x0b, 0, 0x70, 0, lock, 0, 0x21, 0x13, 0, 0, 0, 128, 0x21, 0x13, 0, 0, 0, 0}, std::vector<u8>(18));
    }
    default:
        return {};
    }
}

void AtapiDrive::mode_sense()
{
    constexpr u8 all_pages = 0x3f;
    const u8 code = s_.packet[2] & 0x3f, control = s_.packet[2] >> 6;
    if (control == 3)
        return check_condition(key_illegal_request, 0x39);    // no saved values
    // SFF-8020i, table 78: medium type.
    const u8 medium_type = s_.tray_open ? 0x71 : disc_ ? 0x01 : 0x70;
    std::vector<u8> data{0, 0, medium_type, 0, 0, 0, 0, 0};
    for (const u8 page : {0x01, 0x0d, 0x0e, 0x1a, 0x2a})
        if (code == all_pages || code == page) {
            const auto bytes = mode_page(page, control);
            data.insert(data.end(), bytes.begin(), bytes.end());
        }
    if (data.size() == 8)
        return invalid_field();
    reply(with_length(std::move(data), 2), packet16(7));
}

void AtapiDrive::mechanism_status()
{
    reply({0, 0, 0, 0, 0, 1, 0, 0}, packet16(8));
}

void AtapiDrive::read_dvd_structure()
{
    if (!is_dvd())
        return check_condition(key_illegal_request, asc_incompatible_medium, 2);
    constexpr u32 first_sector = 0x30000;
    std::vector<u8> data(4);
    switch (s_.packet[7]) {
    case 0x00:    // physical: DVD-ROM, 120 mm, one layer
        data.insert(data.end(), {0x01, 0x0f, 0x01, 0x00});
        put32(data, first_sector);
        put32(data, first_sector + blocks() - 1);
        data.resize(4 + 2048);
        break;
    case 0x01:    // copyright: none
        data.resize(4 + 4);
        break;
    case 0x04:    // manufacturer
        data.resize(4 + 2048);
        break;
    default:
        return invalid_field();
    }
    reply(with_length(std::move(data), 2), packet16(8));
}

// 6.1.8: nominal performance, the same from the first sector to the last.
void AtapiDrive::get_performance()
{
    constexpr u32 kilobytes_a_second = 8467;
    if (s_.packet[10] != 0 || s_.packet[1] & 3)
        return invalid_field();
    std::vector<u8> data(8);
    if (packet16(8) > 0) {
        put32(data, 0);
        put32(data, kilobytes_a_second);
        put32(data, blocks() ? blocks() - 1 : 0);
        put32(data, kilobytes_a_second);
    }
    const u32 length = u32(data.size());
    reply(with_length(std::move(data), 4), length);
}

}
