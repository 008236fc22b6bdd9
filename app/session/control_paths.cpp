// Where sockets and locks are, and who holds them.

#include "app/session/control_socket.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <QCoreApplication>
#include <QCryptographicHash>
#include <QFile>

#include "app/library/machine_library.h"
#include "app/library/problem.h"
#include "engine/base/file_descriptor.h"

namespace app {

namespace {

struct ControlPathsWords {
    Q_DECLARE_TR_FUNCTIONS(app::ControlPathsWords)
};

engine::Result<QString> pathFor(const QString& machine, const QString& ending)
{
    if (const auto named = MachineLibrary::checkName(machine); !named)
        return named.error();
    const auto folder = socketFolder();
    if (!folder)
        return folder.error();
    const QString path = folder.value() + u'/' + machine + ending;
    // sockaddr_un has little room; sixteen digits of a hash stand in for a long name.
    if (QFile::encodeName(path).size() < qsizetype(sizeof(sockaddr_un::sun_path)))
        return path;
    const QByteArray hash = QCryptographicHash::hash(machine.toUtf8(), QCryptographicHash::Sha256).toHex().left(16);
    return folder.value() + u'/' + QString::fromLatin1(hash) + ending;
}

struct flock wholeFile(short type)
{
    struct flock lock { };
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return lock;
}

}

engine::Result<QString> socketFolder()
{
    const QByteArray runtime = qgetenv("XDG_RUNTIME_DIR");
    const QByteArray folder = runtime.startsWith('/') ? runtime + "/paddock" : "/tmp/paddock-" + QByteArray::number(::getuid());
    struct stat status { };
    const bool made = ::mkdir(folder.constData(), 0700) == 0 || errno == EEXIST;
    const int error = errno;
    if (!made || ::lstat(folder.constData(), &status) != 0)
        return problem(
            ControlPathsWords::tr("The folder for control sockets cannot be made"),
            QString::fromStdString(engine::system_error_text(made ? errno : error)),
            ControlPathsWords::tr("Allow writing in %1, or unset XDG_RUNTIME_DIR")
                .arg(QFile::decodeName(runtime.isEmpty() ? "/tmp" : runtime)));
    if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 077) != 0)
        return problem(
            ControlPathsWords::tr("The folder for control sockets cannot be trusted"),
            ControlPathsWords::tr("%1 is not a folder that belongs to you alone").arg(QFile::decodeName(folder)),
            ControlPathsWords::tr("Remove it"));
    return QFile::decodeName(folder);
}

engine::Result<QString> socketPath(const QString& machine)
{
    return pathFor(machine, QStringLiteral(".sock"));
}

engine::Result<MachineLock> MachineLock::take(const QString& machine)
{
    const auto path = pathFor(machine, QStringLiteral(".lock"));
    if (!path)
        return path.error();
    const int fd = ::open(QFile::encodeName(path.value()).constData(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return problem(
            ControlPathsWords::tr("“%1” cannot be reserved").arg(machine),
            QString::fromStdString(engine::system_error_text(errno)),
            ControlPathsWords::tr("Allow writing to %1").arg(path.value()));
    MachineLock lock(fd);
    struct flock whole = wholeFile(F_WRLCK);
    if (::fcntl(fd, F_OFD_SETLK, &whole) != 0)
        return problem(
            ControlPathsWords::tr("“%1” is running already").arg(machine),
            ControlPathsWords::tr("another process of Paddock runs it"),
            ControlPathsWords::tr("Use its window, or stop it with `paddock stop`"));
    return lock;
}

MachineLock::~MachineLock()
{
    if (m_fd >= 0)
        ::close(m_fd);
}

bool isMachineRunning(const QString& machine)
{
    const auto path = pathFor(machine, QStringLiteral(".lock"));
    if (!path)
        return false;
    const engine::FileDescriptor file(::open(QFile::encodeName(path.value()).constData(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    struct flock whole = wholeFile(F_WRLCK);
    return file.valid() && ::fcntl(file.get(), F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

}
