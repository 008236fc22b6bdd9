// debug: for those who work on the engine.

#include <Zydis/Zydis.h>

#include <QJsonArray>
#include <QJsonObject>

#include "app/command_line/commands.h"
#include "app/command_line/output.h"
#include "app/library/problem.h"
#include "app/session/control_socket.h"

namespace app {

namespace {

struct Line {
    quint64 address = 0;
    QString text;
};

// The instructions of `bytes`, which stand at `address`.
std::vector<Line> disassemble(const QByteArray& bytes, quint64 address, int bits)
{
    const ZydisMachineMode mode = bits == 64 ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LEGACY_32;
    std::vector<Line> lines;
    ZydisDisassembledInstruction one;
    for (qsizetype at = 0; at < bytes.size(); at += one.info.length) {
        const auto here = address + quint64(at);
        const bool known
            = ZYAN_SUCCESS(ZydisDisassembleIntel(mode, here, bytes.constData() + at, ZyanUSize(bytes.size() - at), &one));
        if (!known)
            one.info.length = 1;
        lines.push_back(
            {here, known ? QString::fromLatin1(one.text) : QString("db 0x%1").arg(quint8(bytes[at]), 2, 16, QChar('0'))});
    }
    return lines;
}

QString hexadecimal(quint64 value)
{
    return QString::number(value, 16);
}

// The host's code beside the guest's instruction that it is for; behind the last one stands what is out of line.
void sayBlock(const QJsonObject& block)
{
    const auto bytes
        = [&](const char* name) { return QByteArray::fromHex(block.value(QLatin1String(name)).toString().toLatin1()); };
    const auto address = [&](const char* name) { return block.value(QLatin1String(name)).toString().toULongLong(nullptr, 16); };
    const quint64 guestBase = address("guest_address"), hostBase = address("host_address");
    const std::vector<Line> guest = disassemble(bytes("guest"), guestBase, block.value("bits").toInt());
    const std::vector<Line> host = disassemble(bytes("host"), hostBase, 64);
    const QJsonArray starts = block.value("starts").toArray();
    say(QString("processor %1, %2-bit code at %3: %4 bytes became %5")
            .arg(block.value("cpu").toInt())
            .arg(block.value("bits").toInt())
            .arg(hexadecimal(guestBase))
            .arg(bytes("guest").size())
            .arg(bytes("host").size()));
    std::size_t next = 0;
    for (const Line& line : host) {
        QString left;
        if (next < guest.size() && int(next) < starts.size()
            && line.address >= hostBase + quint64(starts[int(next)].toArray().at(1).toInteger())) {
            left = hexadecimal(guest[next].address) + "  " + guest[next].text;
            ++next;
        }
        say(QString("%1 %2  %3").arg(left, -60).arg(hexadecimal(line.address), line.text));
    }
}

int debug(const Arguments& arguments)
{
    const QString& name = arguments.positional(0);
    const QString& what = arguments.positional(1);
    const QString& where = arguments.positional(2);
    if (what != "block")
        return refuse(badValue("WHAT", what, "block"));
    bool sound = false;
    const quint64 address = where.toULongLong(&sound, 16);
    if (!sound)
        return refuse(badValue("ADDRESS", where, "a hexadecimal number, as in ffffffff81000000"));
    const auto answer = callMachine(name, "debug_block", {{"address", hexadecimal(address)}});
    if (!answer)
        return refuse(answer.error());
    if (arguments.has("--json")) {
        sayJson(answer.value());
        return succeeded;
    }
    const QJsonArray blocks = answer.value().toObject().value("blocks").toArray();
    if (blocks.isEmpty())
        return refuse(problem(
            QString("No host code has been made for %1").arg(hexadecimal(address)),
            "the guest has not run it often, it is not 32- or 64-bit code, or the machine does not run on the translator",
            QString("Look for busy code: paddock boot --perf-map, then perf record and perf report")));
    for (const QJsonValue block : blocks)
        sayBlock(block.toObject());
    return succeeded;
}

}

std::vector<RunnableCommand> debugCommands()
{
    return {
        {{"debug",
          {"NAME", "WHAT", "ADDRESS"},
          "Shows what the translator made of a block of the guest's code: WHAT is block, ADDRESS linear and hexadecimal.",
          {{"--json", "", "for programs"}},
          {}},
         debug},
    };
}

}
