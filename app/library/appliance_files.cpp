// Finding what an appliance consists of: in an archive, or beside its description.

#include <functional>
#include <optional>

#include <QFile>
#include <QFileInfo>
#include <QHash>
#include <QRegularExpression>

#include "app/library/appliance.h"
#include "app/library/appliance_words.h"
#include "engine/block/tar_archive.h"

namespace app {

namespace {

constexpr quint64 largest_ovf = 4 * 1024 * 1024, largest_manifest = 4 * 1024 * 1024;    // bytes
constexpr int most_chunks = 100'000;

// Nothing where there is no file of this name.
using Finder = std::function<std::optional<engine::FilePiece>(const QString& name)>;
using Manifest = QHash<QString, Digest>;    // by the file's name

std::optional<QByteArray> contentOf(const engine::FilePiece& piece)
{
    QFile file(QString::fromStdString(piece.path));
    if (!file.open(QIODevice::ReadOnly) || !file.seek(qint64(piece.offset)))
        return std::nullopt;
    QByteArray content = file.read(qint64(piece.size));
    return quint64(content.size()) == piece.size ? std::optional(std::move(content)) : std::nullopt;
}

// DSP0243 2.1, 6.2: lines "SHA256(NAME)= DIGEST".
engine::Result<Manifest> parseManifest(const QByteArray& text, const QString& name)
{
    static const QRegularExpression shape(QStringLiteral(R"(^\s*([A-Za-z0-9-]+)\s*\((.+)\)\s*=\s*([0-9A-Fa-f]+)\s*$)"));
    static const QHash<QString, QCryptographicHash::Algorithm> algorithms{
        {QStringLiteral("SHA1"), QCryptographicHash::Sha1},
        {QStringLiteral("SHA256"), QCryptographicHash::Sha256},
        {QStringLiteral("SHA512"), QCryptographicHash::Sha512},
    };
    Manifest manifest;
    for (const QByteArray& line : text.split('\n')) {
        if (line.trimmed().isEmpty())
            continue;
        const auto match = shape.match(QString::fromUtf8(line));
        const auto algorithm = algorithms.constFind(match.captured(1).toUpper().remove(u'-'));
        const QByteArray value = QByteArray::fromHex(match.captured(3).toLatin1());
        if (algorithm == algorithms.constEnd() || value.size() != QCryptographicHash::hashLength(*algorithm))
            return unusableAppliance(
                name,
                ApplianceWords::tr("its manifest has a line that is not understood: “%1”")
                    .arg(QString::fromUtf8(line.left(100)).trimmed()));
        manifest.insert(match.captured(2), {*algorithm, value});
    }
    return manifest;
}

engine::Result<Manifest> readManifest(const Finder& find, const QString& description, const QString& name)
{
    const auto piece = find(description.chopped(4) + QStringLiteral(".mf"));
    if (!piece)
        return Manifest();
    const auto text = piece->size <= largest_manifest ? contentOf(*piece) : std::nullopt;
    if (!text)
        return unusableAppliance(name, ApplianceWords::tr("its manifest cannot be read"));
    return parseManifest(*text, name);
}

// The files of one disk.
engine::Result<DiskToImport>
findDisk(const DescribedDisk& disk, const Finder& find, const Manifest& manifest, const QString& name)
{
    DiskToImport found{disk.name};
    quint64 size = 0;
    for (int n = 0; n < most_chunks; ++n) {
        const QString part = disk.chunkSize ? disk.name + QStringLiteral(".%1").arg(n, 9, 10, QLatin1Char('0')) : disk.name;
        const auto piece = find(part);
        if (!piece || (n > 0 && disk.chunkSize == 0))
            break;
        // All but the last are full.
        if (disk.chunkSize && (piece->size > disk.chunkSize || size % disk.chunkSize))
            return unusableAppliance(name, ApplianceWords::tr("%1 does not have the size of a part of its disk").arg(part));
        size += piece->size;
        found.file.pieces.push_back(*piece);
        found.pieceNames.push_back(part);
        found.digests.push_back(manifest.value(part));
    }
    if (size == 0)
        return unusableAppliance(name, ApplianceWords::tr("its disk %1 is missing").arg(disk.name));
    if (disk.chunkSize && disk.size && size != disk.size)
        return unusableAppliance(name, ApplianceWords::tr("parts of its disk %1 are missing").arg(disk.name));
    if (disk.gzip) {
        // A file format needs a little more than the disk that it holds.
        constexpr quint64 overhead = 64 * 1024 * 1024;
        found.file.packing = engine::FilePacking::gzip;
        if (disk.capacity)
            found.file.most = 2 * disk.capacity + overhead;
    }
    return found;
}

engine::Result<Appliance> readFrom(const Finder& find, const QString& description, const QString& name)
{
    const auto piece = find(description);
    const auto xml = piece && piece->size <= largest_ovf ? contentOf(*piece) : std::nullopt;
    if (!xml)
        return unusableAppliance(name, ApplianceWords::tr("there is no description of a machine in it"));
    const auto manifest = readManifest(find, description, name);
    if (!manifest)
        return manifest.error();
    const Digest digest = manifest.value().value(description);
    if (!digest.value.isEmpty() && QCryptographicHash::hash(*xml, digest.algorithm) != digest.value)
        return damagedPiece(description);
    auto appliance = parseOvf(*xml, name);
    if (!appliance)
        return appliance;
    for (const DescribedDisk& disk : appliance->described) {
        auto found = findDisk(disk, find, manifest.value(), name);
        if (!found)
            return found.error();
        appliance->disks.push_back(std::move(*found));
    }
    return appliance;
}

engine::Result<Appliance> readOva(const QString& path, const QString& name)
{
    const auto entries = engine::read_tar(path.toStdString());
    if (!entries)
        return entries.error();
    QHash<QString, const engine::TarEntry*> byName;
    QString description;
    for (const engine::TarEntry& entry : entries.value()) {
        const QString whole = QString::fromStdString(entry.name);
        const QString bare = whole.startsWith(QLatin1String("./")) ? whole.mid(2) : whole;
        byName.insert(bare, &entry);
        if (description.isEmpty() && bare.endsWith(QLatin1String(".ovf"), Qt::CaseInsensitive))
            description = bare;
    }
    const auto find = [&](const QString& wanted) -> std::optional<engine::FilePiece> {
        const engine::TarEntry* const entry = byName.value(wanted);
        return entry ? std::optional(engine::FilePiece{path.toStdString(), entry->offset, entry->size}) : std::nullopt;
    };
    return readFrom(find, description, name);
}

engine::Result<Appliance> readOvf(const QString& path, const QString& name)
{
    const QString folder = QFileInfo(path).absolutePath() + u'/';
    const auto find = [&](const QString& wanted) -> std::optional<engine::FilePiece> {
        const QFileInfo info(folder + wanted);
        return info.isFile() ? std::optional(engine::FilePiece{info.filePath().toStdString(), 0, quint64(info.size())})
                             : std::nullopt;
    };
    return readFrom(find, name, name);
}

}

bool isApplianceName(const QString& path)
{
    const QString suffix = QFileInfo(path).suffix().toLower();
    return suffix == QLatin1String("ova") || suffix == QLatin1String("ovf");
}

engine::Result<Appliance> readAppliance(const QString& path)
{
    const QFileInfo info(path);
    if (!info.isFile())
        return problem(
            ApplianceWords::tr("%1 cannot be imported").arg(info.fileName()), ApplianceWords::tr("there is no such file"),
            ApplianceWords::tr("Choose an OVA or OVF file"));
    auto appliance
        = info.suffix().toLower() == QLatin1String("ova") ? readOva(path, info.fileName()) : readOvf(path, info.fileName());
    if (appliance && appliance->name.isEmpty())
        appliance->name = info.completeBaseName();
    return appliance;
}

}
