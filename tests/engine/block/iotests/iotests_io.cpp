// Takes the place of `qemu-io` in QEMU's iotests, on Paddock's block layer: the same commands, the same words. What it can't do
// by design of the block layer or of this adapter it names as not applicable, in the file that PADDOCK_IOTESTS_REASONS names,
// and ends. Its commands: read(v), write(v), aio_read, aio_write, aio_flush, flush, discard, alloc, map, length, truncate, open,
// close, reopen, sigraise, quit.

#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <list>
#include <map>
#include <mutex>

#include "engine/block/disk_tool.h"
#include "tests/engine/block/iotests/io_command.h"
#include "tests/engine/block/iotests/io_image.h"

using namespace engine;

namespace {

[[noreturn]] void not_applicable(const std::string& why)
{
    if (const char* path = std::getenv("PADDOCK_IOTESTS_REASONS"))
        std::ofstream(path, std::ios::app) << why << '\n';
    std::printf("qemu-io: not applicable: %s\n", why.c_str());
    std::fflush(stdout);
    std::_Exit(1);
}

std::string fault_text(const BlockResult& result)
{
    switch (result.fault) {
    case BlockFault::no_space:
        return "No space left on device";
    case BlockFault::read_only:
        return "Operation not permitted";
    case BlockFault::cancelled:
        return "Operation canceled";
    default:
        return "Input/output error";
    }
}

class Session {
public:
    ~Session() { finish_aio(); }

    bool open(const ImageChoice& choice);
    // False where the session ends.
    bool run(const std::string& line);
    bool failed() const { return failed_; }

private:
    struct Aio {
        IoCommand command;
        bool reads = false;
        u64 offset = 0;
        std::vector<u8> bytes;
        std::optional<BlockResult> result;
    };

    using Handler = void (Session::*)(const IoCommand&);
    static const std::map<std::string, std::pair<const char*, Handler>>& handlers();

    void read(const IoCommand& command);
    void write(const IoCommand& command);
    void aio(const IoCommand& command);
    void aio_flush(const IoCommand&) { finish_aio(); }
    void flush(const IoCommand&);
    void discard(const IoCommand& command);
    void alloc(const IoCommand& command);
    void map(const IoCommand&);
    void length(const IoCommand&) { std::printf("%s\n", size_text(image_->size()).c_str()); }
    void truncate(const IoCommand& command);
    void close(const IoCommand&);
    void open_again(const IoCommand& command);
    void reopen(const IoCommand& command);
    void raise_signal(const IoCommand& command);

    bool range(const IoCommand& command, u64& offset, u64& length);
    bool writable();
    void finish_aio();
    void done(const IoCommand& command, const char* what, u64 offset, u64 length);
    void fault(const std::string& what, const BlockResult& result);
    void show(const IoCommand& command, u64 offset, std::span<const u8> bytes);
    void verify(const IoCommand& command, u64 offset, std::span<const u8> bytes);
    static void fill(const IoCommand& command, std::span<u8> bytes);

    std::unique_ptr<IoImage> image_;
    bool failed_ = false;
    std::mutex mutex_;
    std::condition_variable there_;
    std::list<Aio> under_way_;
};

const std::map<std::string, std::pair<const char*, Session::Handler>>& Session::handlers()
{
    // Name, the options that have a value, and what does it.
    static const std::map<std::string, std::pair<const char*, Handler>> table = {
        {"read", {"lPs", &Session::read}},
        {"readv", {"P", &Session::read}},
        {"write", {"Ps", &Session::write}},
        {"writev", {"P", &Session::write}},
        {"aio_read", {"P", &Session::aio}},
        {"aio_write", {"P", &Session::aio}},
        {"aio_flush", {"", &Session::aio_flush}},
        {"flush", {"", &Session::flush}},
        {"discard", {"", &Session::discard}},
        {"alloc", {"", &Session::alloc}},
        {"map", {"", &Session::map}},
        {"length", {"", &Session::length}},
        {"truncate", {"m", &Session::truncate}},
        {"close", {"", &Session::close}},
        {"open", {"o", &Session::open_again}},
        {"reopen", {"oc", &Session::reopen}},
        {"sigraise", {"", &Session::raise_signal}},
    };
    return table;
}

bool Session::open(const ImageChoice& choice)
{
    if (choice.format != "qcow2" && choice.format != "raw" && !choice.format.empty())
        not_applicable("it asks for the format " + choice.format);
    auto image = IoImage::open(choice);
    if (!image) {
        if (const auto info = disk_info({choice.path, choice.format}); info && info.value().below.find(':') != std::string::npos)
            not_applicable("the image below is named “" + info.value().below + "”, which is refused");
        std::fprintf(stderr, "qemu-io: can't open device %s: %s\n", choice.path.c_str(), image.error().text().c_str());
        failed_ = true;
        return false;
    }
    image_ = std::move(*image);
    return true;
}

bool Session::run(const std::string& line)
{
    static const std::map<std::string, std::string> short_names
        = {{"r", "read"}, {"w", "write"}, {"f", "flush"}, {"d", "discard"}, {"q", "quit"}, {"c", "close"}, {"o", "open"}};
    std::string name = line.substr(0, line.find(' '));
    const auto longer = short_names.find(name);
    name = longer == short_names.end() ? name : longer->second;
    if (name.empty())
        return true;
    if (name == "quit")
        return false;
    const auto found = handlers().find(name);
    if (found == handlers().end())
        not_applicable("it uses the command " + name);
    const auto command = take_apart(line, found->second.first);
    if (!image_ && name != "open") {
        std::printf("no file open, try 'help open'\n");
        failed_ = true;
        return true;
    }
    (this->*found->second.second)(*command);
    std::fflush(stdout);
    return true;
}

bool Session::range(const IoCommand& command, u64& offset, u64& length)
{
    for (const std::string& operand : command.operands)
        if (!bytes_of(operand)) {
            std::printf("Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- %s\n", operand.c_str());
            return failed_ = true, false;
        }
    if (command.operands.size() < 2)
        not_applicable("it leaves out the operands of " + command.name);
    if (command.has('b'))
        not_applicable("it reads or writes the machine state of an internal snapshot");
    const auto pattern = command.options.find('P');
    if (pattern != command.options.end() && bytes_of(pattern->second).value_or(256) > 255) {
        std::printf("%s is not a valid pattern byte\n", pattern->second.c_str());
        return failed_ = true, false;
    }
    offset = *bytes_of(command.operands[0]);
    length = 0;
    for (std::size_t at = 1; at < command.operands.size(); ++at)
        length += *bytes_of(command.operands[at]);
    return true;
}

bool Session::writable()
{
    if (!image_->read_only())
        return true;
    std::fprintf(stderr, "qemu-io: Block node is read-only\n");
    failed_ = true;
    return false;
}

void Session::done(const IoCommand& command, const char* what, u64 offset, u64 length)
{
    if (command.has('C'))
        not_applicable("it wants its report for a machine");
    if (command.has('q'))
        return;
    std::printf(
        "%s %llu/%llu bytes at offset %llu\n", what, (unsigned long long)length, (unsigned long long)length,
        (unsigned long long)offset);
    // The time doesn't matter: iotests leave it out.
    std::printf("%s, 1 ops; 00.00 sec (inf EiB/sec and inf ops/sec)\n", size_text(length).c_str());
}

void Session::fault(const std::string& what, const BlockResult& result)
{
    std::printf("%s failed: %s\n", what.c_str(), fault_text(result).c_str());
    std::fprintf(stderr, "paddock: %s\n", result.error.text().c_str());
    failed_ = true;
}

void Session::show(const IoCommand& command, u64 offset, std::span<const u8> bytes)
{
    constexpr std::size_t per_line = 16;
    for (std::size_t at = 0; command.has('v') && at < bytes.size(); at += per_line) {
        std::printf("%08llx:  ", (unsigned long long)(offset + at));
        const auto part = bytes.subspan(at, std::min(per_line, bytes.size() - at));
        for (const u8 byte : part)
            std::printf("%02x ", byte);
        std::printf(" ");
        for (const u8 byte : part)
            std::printf("%c", std::isalnum(byte) ? byte : '.');
        std::printf("\n");
    }
}

void Session::verify(const IoCommand& command, u64 offset, std::span<const u8> bytes)
{
    if (!command.has('P'))
        return;
    const u64 from = std::min<u64>(command.number('s', 0), bytes.size());
    const u64 length = std::min<u64>(command.number('l', bytes.size() - from), bytes.size() - from);
    const auto part = bytes.subspan(from, length);
    const u8 pattern = u8(command.number('P', 0));
    if (std::all_of(part.begin(), part.end(), [&](u8 byte) { return byte == pattern; }))
        return;
    std::printf(
        "Pattern verification failed at offset %llu, %llu bytes\n", (unsigned long long)(offset + from),
        (unsigned long long)length);
    failed_ = true;
}

void Session::fill(const IoCommand& command, std::span<u8> bytes)
{
    constexpr u64 usual_pattern = 0xcd;
    std::fill(bytes.begin(), bytes.end(), u8(command.number('P', usual_pattern)));
    if (!command.has('s') || bytes.empty())
        return;
    std::ifstream file(command.options.at('s'), std::ios::binary);
    const std::vector<char> from{std::istreambuf_iterator<char>(file), {}};
    if (from.empty())
        not_applicable("it writes from a file that can't be read");
    for (std::size_t at = 0; at < bytes.size(); ++at)
        bytes[at] = u8(from[at % from.size()]);
}

void Session::read(const IoCommand& command)
{
    u64 offset = 0, length = 0;
    if (!range(command, offset, length))
        return;
    constexpr u8 unread = 0xab;
    BlockResult result{BlockFault::out_of_range, {"A request lies beyond the end", "", ""}};
    std::vector<u8> bytes;
    if (image_->within(offset, length)) {
        bytes.assign(length, unread);
        result = image_->read(offset, bytes);
    }
    if (!result.ok())
        return fault(command.name == "readv" ? "readv" : "read", result);
    verify(command, offset, bytes);
    if (!command.has('q'))
        show(command, offset, bytes);
    done(command, "read", offset, length);
}

void Session::write(const IoCommand& command)
{
    u64 offset = 0, length = 0;
    if (!range(command, offset, length) || !writable())
        return;
    if (command.has('n'))
        not_applicable("it forbids falling back from zeroing to writing");
    BlockResult result{BlockFault::out_of_range, {"A request lies beyond the end", "", ""}};
    if (image_->within(offset, length) && command.has('z')) {
        result = image_->zero(offset, length);
        if (result.ok() && command.has('f'))
            result = image_->flush();
    } else if (image_->within(offset, length)) {
        std::vector<u8> bytes(length);
        fill(command, bytes);
        if (!command.has('c')) {
            result = image_->write(offset, bytes, command.has('f'));
        } else {
            const auto compressed = image_->write_compressed(offset, bytes);
            if (!compressed)
                not_applicable("it compresses where something was, which Paddock does by conversion only");
            result = *compressed;
        }
    }
    if (!result.ok())
        return fault(command.name == "writev" ? "writev" : "write", result);
    done(command, "wrote", offset, length);
}

void Session::aio(const IoCommand& command)
{
    u64 offset = 0, length = 0;
    const bool reads = command.name == "aio_read";
    if (!range(command, offset, length) || (!reads && !writable()))
        return;
    if ((offset | length) % 512 || command.has('i'))
        not_applicable("it asks asynchronously for parts of sectors, or for what can't be done");
    Aio* aio = nullptr;
    {
        const std::lock_guard lock(mutex_);
        aio = &under_way_.emplace_back(Aio{command, reads, offset, std::vector<u8>(length), std::nullopt});
    }
    if (!reads)
        fill(command, aio->bytes);
    BlockRequest request{
        .operation = reads ? BlockOperation::read : BlockOperation::write,
        .offset = offset,
        .length = length,
        .segments = {aio->bytes},
        .durable = command.has('f')};
    if (command.has('z'))
        request.operation = BlockOperation::write_zeroes, request.segments.clear();
    image_->begin(std::move(request), [this, aio](BlockResult how) {
        const std::lock_guard lock(mutex_);
        aio->result = std::move(how);
        there_.notify_all();
    });
}

void Session::finish_aio()
{
    std::unique_lock lock(mutex_);
    there_.wait(lock, [&] { return std::all_of(under_way_.begin(), under_way_.end(), [](const Aio& a) { return a.result; }); });
    for (const Aio& aio : under_way_) {
        if (!aio.result->ok()) {
            fault(aio.command.name, *aio.result);
            continue;
        }
        if (aio.reads)
            verify(aio.command, aio.offset, aio.bytes);
        if (aio.reads && !aio.command.has('q'))
            show(aio.command, aio.offset, aio.bytes);
        done(aio.command, aio.reads ? "read" : "wrote", aio.offset, aio.bytes.size());
    }
    under_way_.clear();
}

void Session::flush(const IoCommand&)
{
    if (const BlockResult result = image_->flush(); !result.ok())
        fault("flush", result);
}

void Session::discard(const IoCommand& command)
{
    u64 offset = 0, length = 0;
    if (!range(command, offset, length) || !writable())
        return;
    BlockResult result{BlockFault::out_of_range, {"A request lies beyond the end", "", ""}};
    if (image_->within(offset, length))
        result = image_->discard(offset, length);
    if (!result.ok())
        return fault("discard", result);
    done(command, "discard", offset, length);
}

void Session::alloc(const IoCommand& command)
{
    u64 offset = 0, length = 0;
    IoCommand whole = command;
    if (whole.operands.size() == 1)
        whole.operands.emplace_back("512");
    if (!range(whole, offset, length))
        return;
    if (offset > image_->size()) {
        std::printf("Offset %llu is beyond the end of the image\n", (unsigned long long)offset);
        return;
    }
    length = std::min(length, image_->size() - offset);
    u64 allocated = 0;
    for (u64 at = 0; at < length;) {
        bool own = false;
        const u64 run = image_->allocated(offset + at, length - at, own);
        allocated += own ? run : 0;
        at += run;
    }
    std::printf(
        "%llu/%llu bytes allocated at offset %s\n", (unsigned long long)allocated, (unsigned long long)length,
        size_text(offset).c_str());
}

void Session::map(const IoCommand&)
{
    for (u64 at = 0; at < image_->size();) {
        bool own = false;
        const u64 run = image_->allocated(at, image_->size() - at, own);
        std::printf(
            "%s (0x%llx) bytes %s allocated at offset %s (0x%llx)\n", size_text(run).c_str(), (unsigned long long)run,
            own ? "   " : "not", size_text(at).c_str(), (unsigned long long)at);
        at += run;
    }
}

void Session::truncate(const IoCommand& command)
{
    const auto size = command.operands.empty() ? std::nullopt : bytes_of(command.operands[0]);
    if (!size || command.has('m'))
        not_applicable("it truncates in a way of its own");
    if (!writable())
        return;
    if (const auto resized = image_->resize(*size); !resized) {
        std::fprintf(stderr, "qemu-io: %s\n", resized.error().text().c_str());
        failed_ = true;
    }
}

void Session::close(const IoCommand&)
{
    finish_aio();
    image_.reset();
}

void Session::open_again(const IoCommand& command)
{
    ImageChoice choice;
    // What QEMU looks out for beside its work says nothing of the image.
    const auto known = [](char option, const std::string& value) {
        return option == 'r' || option == 's'
            || (option == 'o'
                && (value == "driver=qcow2" || (value.starts_with("overlap-check") && value.find(',') == value.npos)));
    };
    for (const auto& [option, value] : command.options)
        if (!known(option, value))
            not_applicable(std::string("it opens an image with -") + option + " " + value);
    if (command.operands.size() != 1 || command.operands[0].find(':') != std::string::npos)
        not_applicable("it opens what is no file");
    choice = {command.operands[0], "qcow2", command.has('r'), command.has('s')};
    open(choice);
}

void Session::reopen(const IoCommand& command)
{
    if (command.has('o') || command.has('c'))
        not_applicable("it changes QEMU's options of an open image");
    ImageChoice choice = image_->choice();
    choice.read_only = (choice.read_only || command.has('r')) && !command.has('w');
    finish_aio();
    image_.reset();
    open(choice);
}

void Session::raise_signal(const IoCommand& command)
{
    std::fflush(stdout);
    const auto number = command.operands.empty() ? std::nullopt : bytes_of(command.operands[0]);
    std::raise(int(number.value_or(SIGKILL)));
}

struct Arguments {
    ImageChoice choice;
    std::vector<std::string> commands;
};

Arguments arguments_of(int argc, char** argv)
{
    static const std::map<std::string, std::string> long_names
        = {{"--cmd", "-c"},         {"--format", "-f"},   {"--read-only", "-r"}, {"--snapshot", "-s"},
           {"--cache", "-t"},       {"--aio", "-i"},      {"--nocache", "-n"},   {"--discard", "-d"},
           {"--force-share", "-U"}, {"--misalign", "-m"}, {"--native-aio", "-k"}};
    Arguments result;
    for (int at = 1; at < argc; ++at) {
        std::string word = argv[at];
        if (const auto found = long_names.find(word); found != long_names.end())
            word = found->second;
        const bool has_value = word == "-c" || word == "-f" || word == "-t" || word == "-i" || word == "-d";
        const std::string value = has_value && at + 1 < argc ? argv[++at] : "";
        if (word == "-c")
            result.commands.push_back(value);
        else if (word == "-f")
            result.choice.format = value;
        else if (word == "-r" || word == "-U")
            result.choice.read_only |= word == "-r";
        else if (word == "-s")
            result.choice.temporary = true;
        else if (word[0] == '-' && !has_value && word != "-n" && word != "-m" && word != "-k")
            not_applicable("it starts qemu-io with " + word);
        else if (word[0] != '-')
            result.choice.path = word;
    }
    const std::string& path = result.choice.path;
    if (const auto colon = path.find(':'); colon != std::string::npos && path.find('/') > colon)
        not_applicable("it opens an image by " + path.substr(0, colon) + ":");
    return result;
}

}

int main(int argc, char** argv)
{
    const Arguments arguments = arguments_of(argc, argv);
    Session session;
    if (!arguments.choice.path.empty() && !session.open(arguments.choice))
        return 1;
    bool more = true;
    for (const std::string& command : arguments.commands)
        more = more && session.run(command);
    for (std::string line; arguments.commands.empty() && more && std::getline(std::cin, line);)
        more = session.run(line);
    return session.failed();
}
