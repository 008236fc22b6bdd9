#pragma once
// Machines that other programs exported: OVF descriptions (DMTF DSP0243 1.0 to 2.1) and the OVA archives that hold one with its
// disks. What is read is taken for hostile. QtCore only; waits for the host.
//
// A manifest's digests are checked: the description's here, the disks' where they are taken over (appliance_disk.h).
//
// Not modelled: signatures (a manifest without one says that nothing was damaged, not who made it), compressions other than
// gzip's, disks with a parent, deployment configurations (the first counts), machines of a collection beyond the first, network
// cards, USB and sound (said).

#include <vector>

#include <QByteArray>
#include <QCryptographicHash>
#include <QString>
#include <QStringList>

#include "engine/base/result.h"
#include "engine/block/file_pieces.h"

namespace app {

// How a manifest knows a file again.
struct Digest {
    QCryptographicHash::Algorithm algorithm = QCryptographicHash::Sha256;
    QByteArray value;    // empty: nothing is known
};

// A disk that becomes the machine's own.
struct DiskToImport {
    QString name;    // of its file, without a path; its ending says the format where its content doesn't
    engine::PiecedFile file{};    // where it lies
    std::vector<QString> pieceNames{};    // for messages
    std::vector<Digest> digests{};    // of the pieces
};

// A disk as the description has it.
struct DescribedDisk {
    QString name;    // of its file, which lies beside the description
    bool gzip = false;    // the file is compressed
    quint64 size = 0;    // bytes of the file, 0 where it isn't said
    quint64 chunkSize = 0;    // bytes; not 0: it lies in files NAME.000000000, NAME.000000001 … of this size, the last shorter
    quint64 capacity = 0;    // bytes of the disk, 0 where it isn't said
};

struct Appliance {
    QString name;    // "" where it says none
    quint64 memoryMib = 0;    // 0 where it doesn't say
    unsigned cpus = 1;
    std::vector<DescribedDisk> described;    // in order
    std::vector<DiskToImport> disks;    // the same, found
    bool uefi = false;    // its firmware
    QStringList leftOut;    // what a machine here will not have, in words
};

bool isApplianceName(const QString& path);    // .ova, .ovf

// The description alone; `disks` stays empty.
engine::Result<Appliance> parseOvf(const QByteArray& xml, const QString& name);
// Of an .ovf whose disks lie beside it, or an .ova.
engine::Result<Appliance> readAppliance(const QString& path);

}
