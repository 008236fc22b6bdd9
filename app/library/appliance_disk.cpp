#include "app/library/appliance_disk.h"

#include <QFileInfo>

#include "app/library/appliance_words.h"

namespace app {

namespace {

class DigestCheck final : public engine::PieceObserver {
public:
    explicit DigestCheck(const DiskToImport& disk) : m_disk(disk) { begin(0); }

    void bytes(std::span<const engine::u8> part) override
    {
        if (m_hash)
            m_hash->addData(QByteArrayView(part.data(), qsizetype(part.size())));
    }
    engine::Result<void> end_of_piece(std::size_t number) override
    {
        if (m_hash && m_hash->result() != m_disk.digests[number].value)
            return damagedPiece(m_disk.pieceNames[number]);
        begin(number + 1);
        return {};
    }

private:
    void begin(std::size_t number)
    {
        m_hash.reset();
        if (number < m_disk.digests.size() && !m_disk.digests[number].value.isEmpty())
            m_hash = std::make_unique<QCryptographicHash>(m_disk.digests[number].algorithm);
    }

    const DiskToImport& m_disk;
    std::unique_ptr<QCryptographicHash> m_hash;
};

// As it stands in a folder of its own: not in an archive, not split, not compressed.
bool isWhole(const engine::PiecedFile& file)
{
    return file.pieces.size() == 1 && file.pieces[0].offset == 0 && file.packing == engine::FilePacking::none;
}

}

bool liesOpen(const DiskToImport& disk)
{
    return isWhole(disk.file) && disk.digests.at(0).value.isEmpty();
}

engine::Result<QString> takeOut(const DiskToImport& disk, const QString& folder, const std::function<bool(double)>& progress)
{
    if (liesOpen(disk))
        return QString::fromStdString(disk.file.pieces[0].path);
    QString name = disk.name;
    if (disk.file.packing == engine::FilePacking::gzip && name.endsWith(QLatin1String(".gz"), Qt::CaseInsensitive))
        name.chop(3);
    // Its ending says what its content doesn't.
    const QString to = isWhole(disk.file) ? QString() : folder + QStringLiteral("/disk.") + QFileInfo(name).suffix();
    DigestCheck check(disk);
    if (auto copied = engine::copy_pieces(disk.file, to.toStdString(), &check, progress); !copied)
        return copied.error();
    return to.isEmpty() ? QString::fromStdString(disk.file.pieces[0].path) : to;
}

}
