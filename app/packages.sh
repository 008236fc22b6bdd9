# Sourced by app/start and tests/run: what Paddock needs of Debian 12, and why.
# need_packages takes lines "package  why"; it installs what is missing and says so first.

build_packages='
g++                     compiles Paddock
cmake                   describes the build
ninja-build             runs the build
ccache                  makes the next build quick
pkgconf                 finds libepoxy
zlib1g-dev              reads compressed disk images
libzstd-dev             those of the newer kind, and the memory of snapshots
liburing-dev            reads disk images without a thread for each request
qt6-base-dev            windows and dialogs
libqt6opengl6-dev       draws the guest'"'"'s screen
qt6-svg-dev             icons
qt6-l10n-tools          puts the translations into the program
qt6-translations-l10n   the words of dialogs that are Qt'"'"'s own
libepoxy-dev            OpenGL without linking to a driver
libzydis-dev            shows the translator'"'"'s code, and tests the decoder
libgl1-mesa-dri         OpenGL where there is no driver of its own
qt6-wayland             windows on a Wayland desktop
fonts-dejavu-core       letters in the windows
seabios                 the firmware of the virtual machines
ovmf                    UEFI firmware, for machines that are to have it
memtest86+              the demo, a machine to start with one click
'

test_packages='
libgtest-dev            tests of the engine
clang-format            the test of the layout
clang-tidy              the test for common mistakes
qemu-utils              a second opinion on disk images
xvfb                    a display for the tests of the windows
xauth                   lets them into that display
xdotool                 mouse and keyboard in those tests
nasm                    assembles the tests of the processor
xorriso                 writes the CDs that the guest tests boot
cpio                    packs the Linux guest'"'"'s first file system
busybox-static          what is in it
'

need_packages() {
    local package why missing=() sudo=()
    if ! command -v dpkg-query >/dev/null; then
        echo "This is no Debian, so nothing is installed for you. Paddock needs, by their Debian 12 names:$1" >&2
        return 0
    fi
    while read -r package why; do
        [ -n "$package" ] || continue
        [ "$(dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | sort -u)" = installed ] && continue
        [ ${#missing[@]} -gt 0 ] || echo "Paddock installs from Debian's archive:"
        printf '  %-22s %s\n' "$package" "$why"
        missing+=("$package")
    done <<<"$1"
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "Installing them takes root, and there is no sudo here. As root, run: apt-get install ${missing[*]}" >&2
            return 1
        fi
        sudo=(sudo)
    fi
    "${sudo[@]}" apt-get -q update >/dev/null || echo "The package lists could not be refreshed; going on with the ones at hand." >&2
    if ! "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${missing[@]}" >/dev/null; then
        echo "apt-get could not install them. Its reason stands above; put it right and start again." >&2
        return 1
    fi
}
