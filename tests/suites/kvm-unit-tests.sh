#!/usr/bin/env bash
# kvm-unit-tests, each entry in a machine of its own.
#
#     tests/suites/kvm-unit-tests.sh FOLDER…
#
# Each FOLDER is a build of it, for x86_64 or for i386. The entries, their processors, memory and arguments are those of its
# unittests.cfg; of QEMU's options only -m and -smp mean something here. Entries that ask not to be run by default are left out.
. "$(dirname "$0")/suite.inc.sh"

: "${1:?the folder of a build of kvm-unit-tests}"

# entries FOLDER ARCHITECTURE: name, file, processors, memory in MiB, seconds, and arguments, parted by tabs
entries() {
    awk -v architecture="$2" '
        function flush() {
            if (name != "" && (wanted == "" || wanted == architecture) && groups !~ /nodefault/)
                printf "%s\t%s\t%d\t%d\t%d\t%s\n", name, file, cpus, memory, seconds, arguments
        }
        /^\[/ { flush(); name = substr($1, 2, length($1) - 2); file = wanted = groups = arguments = ""; cpus = 1; memory = 128; seconds = 90 }
        { value = $0; sub(/^[^=]*= */, "", value) }
        $1 == "file" { file = value }
        $1 == "arch" { wanted = value }
        $1 == "groups" { groups = value }
        $1 == "smp" { cpus = value }
        $1 == "timeout" { seconds = value }
        $1 == "test_args" { gsub(/^["\x27]|["\x27]$/, "", value); gsub(/`[^`]*`/, systime(), value); arguments = value }
        $1 ~ /^(qemu_params|extra_params)$/ && match(value, /-m [0-9]+g?/) {
            memory = substr(value, RSTART + 3, RLENGTH - 3)
            if (memory ~ /g/) memory *= 1024
        }
        END { flush() }' "$1/x86/unittests.cfg"
}

# What an entry wants and no machine here has, by its name.
lacking() {
    case $1 in
        vmexit_vmcall | hypercall) echo "wants KVM's calls" ;;
        vmware_backdoors) echo "wants VMware's calls" ;;
        hyperv_*) echo "wants Hyper-V's test device" ;;
        s3) echo "wants suspension to RAM" ;;
        intel_iommu) echo "wants an IOMMU" ;;
    esac
}

pass=0 fail=0 skip=0
for folder; do
    architecture=$(sed -n 's/^ARCH=//p' "$folder/config.mak")
    entries "$folder" "$architecture" >"$work/entries"
    while IFS=$'\t' read -r entry file cpus memory seconds arguments; do
        log=$results/$name-$architecture-$entry status=0
        why=$(lacking "$entry")
        [ -r "$folder/x86/$file" ] || why="$file is not built"
        if [ -n "$why" ]; then
            echo "skip $architecture/$entry $why"
            : $((skip += 1))
            continue
        fi
        "$PADDOCK" boot --headless --accel "$accelerator" --timeout $((seconds * ${PADDOCK_PATIENCE:-1})) --cpus "$cpus" \
            --memory "$memory" --kernel "$folder/x86/$file" ${arguments:+--append "$arguments"} --test-device --serial stdio \
            --screenshot "$log.png" </dev/null 2>&1 | tr -d '\r' >"$log.serial" || status=$?
        failures=$(grep -a '^FAIL' "$log.serial" | head -n 3 | tr '\n' ';' || true)
        # The suite's own exit codes as they leave the port: all passed, skipped, and an exception. The APIC's entries call KVM
        # before their last parts.
        case $status,$entry,$failures in
            1,*) how=pass why= ;;
            77,*) how=skip why=$(grep -a -v '^SUMMARY\|^$' "$log.serial" | tail -n 1) ;;
            127,x*apic,) how=skip why="wants KVM's calls midway" ;;
            *) how=fail why="ends with $status: ${failures:-$(tail -n 1 "$log.serial")}" ;;
        esac
        echo "$how $architecture/$entry${why:+ $why}"
        : $(($how += 1))
    done <"$work/entries"
done
echo "$name: $pass pass, $fail fail, $skip skip"
[ $fail = 0 ] && [ $pass != 0 ]
