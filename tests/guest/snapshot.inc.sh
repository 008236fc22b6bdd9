# Sourced by the tests of snapshots: a machine of the library, what it shows, and what it answers.
export XDG_DATA_HOME=$work/data XDG_RUNTIME_DIR=$work/run
mkdir -m 700 "$XDG_RUNTIME_DIR"
patience=$((120 * ${PADDOCK_PATIENCE:-1}))
trap '"$PADDOCK" stop guest --force >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

# machine MEMORY FIELD=VALUE…: fields of machine.json
machine() {
    "$PADDOCK" create guest --memory "$1" --disk 64M --accel "$accelerator"
    shift
    python3 - "$XDG_DATA_HOME/paddock/machines/guest/machine.json" "$@" <<'PY'
import json, sys
machine = json.load(open(sys.argv[1]))
machine.update(field.split("=", 1) for field in sys.argv[2:])
json.dump(machine, open(sys.argv[1], "w"))
PY
}

screen() {
    python3 - "$XDG_RUNTIME_DIR/paddock/guest.sock" <<'PY'
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"screen_text"}\n')
print(json.loads(s.makefile().readline())["result"]["text"])
PY
}

# shows PATTERN: waits until the screen does
shows() {
    local until=$((SECONDS + patience))
    until grep -q "$1" <<<"$(screen)"; do
        ((SECONDS < until)) || { echo "The screen never showed “$1”, but:"; screen; exit 1; }
        sleep 0.3
    done
}

# says COMMAND EXPECTED: types a command and waits for what it has to say
says() {
    "$PADDOCK" type guest "$1
"
    shows "$2"
}

start() { "$PADDOCK" start guest --headless "$@"; }

# Saved and closed; the process has ended.
save() {
    "$PADDOCK" save guest
    while "$PADDOCK" info guest --json | grep -q running; do sleep 0.2; done
}
