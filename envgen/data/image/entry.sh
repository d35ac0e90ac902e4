#!/bin/bash
# Starts the command that it is given or, without one, the services that the image declares. Above it runs tini, which
# passes signals on and reaps; exec, Kubernetes' `command:` and Apptainer's `exec` come past both, and lack nothing but
# what is made below: a home that can be written, where the image's own cannot.
#
# `entry --ready` tells whether the services listen.
#
# Beside this file lies `services`: a line for each, NAME, PORT and COMMAND with tabs between, `-` for none. Where SSH is
# one of them, `sshd_config` lies there too: algorithms and forwarding.
set -uo pipefail

readonly grace=1000000 # microseconds from SIGTERM to SIGKILL; engines and people expect an end within two seconds
here=$(cd "$(dirname "$0")" && pwd)
declare -A names=() # process -> service

say() { printf '[%s] %s\n' "$1" "$2"; }

# A folder of this container's own, for what must not be in the image: keys, configuration, a home. Prints its path.
new_folder() {
    local place
    for place in "${TMPDIR:-/tmp}" /run /dev/shm; do
        [ -w "$place" ] && mktemp -d "$place/entry.XXXXXXXX" && return 0
    done
    echo "entry: nothing can be written: give the container a /tmp (--tmpfs /tmp)" >&2
    return 1
}

# Under another uid than the image's, and where the image is read-only, the home may be nobody's.
need_home() {
    [ -n "${HOME:-}" ] && [ "$HOME" != / ] && [ -w "$HOME" ] && return 0
    folder=${folder:-$(new_folder)} || exit 1
    export HOME=$folder/home
    mkdir -p "$HOME"
}

# start NAME COMMAND...: in a process group of its own, everything that it says to stdout.
start() {
    local name=$1
    shift
    set -m # gives the job its own process group, so that what it starts in turn hears signals too
    "$@" </dev/null 2>&1 &
    set +m
    names[$!]=$name
}

signal() {
    local pid
    for pid in "${!names[@]}"; do kill "-$1" -- "-$pid" 2>/dev/null; done
}

is_running() {
    local pid
    for pid in "${!names[@]}"; do
        kill -0 -- "-$pid" 2>/dev/null && return 0 # a bare `return` in a trap gives the status from before the trap
    done
    return 1
}

# finish STATUS: ask all services to stop, make them stop, and end.
finish() {
    trap '' TERM INT
    signal TERM
    local until=$((${EPOCHREALTIME/[.,]/} + grace))
    while is_running && ((${EPOCHREALTIME/[.,]/} < until)); do sleep 0.05; done
    signal KILL
    [ -n "${folder:-}" ] && rm -rf -- "$folder"
    exit "$1"
}

# start_jupyter PORT: with a token always; where none is given, it is made here and told.
start_jupyter() {
    local port=$1 token=${JUPYTER_TOKEN:-}
    local options=(--ip='*' --port="$port" --no-browser --ServerApp.port_retries=0)
    [ -z "$token" ] && [ -n "${JUPYTER_TOKEN_FILE:-}" ] && token=$(<"$JUPYTER_TOKEN_FILE")
    if [ -z "$token" ]; then
        token=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
        say jupyter "http://127.0.0.1:$port/lab?token=$token"
    fi
    [ "$(id -u)" = 0 ] && options+=(--allow-root)
    JUPYTER_TOKEN=$token start jupyter jupyter lab "${options[@]}"
}

# start_ssh PORT: for the keys in SSH_AUTHORIZED_KEYS, /etc/ssh/authorized_keys and ~/.ssh/authorized_keys.
start_ssh() {
    local port=$1 account key keys=()
    if ! account=$(id -un 2>/dev/null); then
        say ssh "off: uid $(id -u) has no account; run as the image's own user, or mount an /etc/passwd that has one"
        return 0
    fi
    [ "$account" = root ] && account=$USER # root comes in never, the image's user does where root runs the image
    folder=${folder:-$(new_folder)} || exit 1
    chmod 711 "$folder" # sshd reads a user's keys as that user
    for key in /etc/ssh/ssh_host_*_key; do # mounted, to outlive the container
        [ -r "$key" ] || continue
        case $(ssh-keygen -lf "$key") in
        *'(ED25519)' | *'(RSA)') keys+=("$key") ;;
        *) say ssh "$key is not used: a host key has to be ED25519 or RSA" ;;
        esac
    done
    if [ ${#keys[@]} = 0 ]; then
        ssh-keygen -q -t ed25519 -N '' -C '' -f "$folder/host_key" && keys=("$folder/host_key")
    fi
    printf '%s\n' "${SSH_AUTHORIZED_KEYS:-}" >"$folder/authorized_keys"
    (umask 077 && sshd_config "$port" "${keys[@]}" >"$folder/sshd_config")
    if ! grep -qs '^[^#]' "$folder/authorized_keys" /etc/ssh/authorized_keys ~/.ssh/authorized_keys; then
        say ssh "nobody can come in yet: set SSH_AUTHORIZED_KEYS, or mount /etc/ssh/authorized_keys"
    fi
    say ssh "port $port, user $account, host key $(ssh-keygen -lf "${keys[0]}" | cut -d' ' -f2)"
    start ssh /usr/sbin/sshd -D -e -f "$folder/sshd_config"
}

# sshd_config PORT HOST_KEY...
sshd_config() {
    printf 'Port %s\nPidFile none\n' "$1"
    shift
    printf 'HostKey %s\n' "$@"
    printf 'AuthorizedKeysFile %s\n' "$folder/authorized_keys /etc/ssh/authorized_keys .ssh/authorized_keys"
    printf 'SetEnv'
    variables
    printf '\nInclude %s/sshd_config\nInclude /etc/ssh/sshd_config\n' "$here"
}

# What a session sees of this container's variables: sshd starts it with none. Quoted for sshd_config, on one line.
variables() {
    local pair
    while IFS= read -r -d '' pair; do
        case $pair in
        *$'\n'* | HOME=* | USER=* | LOGNAME=* | SHELL=* | PWD=* | OLDPWD=* | SHLVL=* | _=* | TERM=* | HOSTNAME=*) ;;
        JUPYTER_TOKEN=* | SSH_AUTHORIZED_KEYS=* | BASH_FUNC_*) ;;
        *) pair=${pair//\\/\\\\} && printf ' "%s"' "${pair//\"/\\\"}" ;;
        esac
    done < <(env -0)
}

# ready: whether every service that listens does so; for probes, which come past the entrypoint.
ready() {
    local name port command
    while IFS=$'\t' read -r name port command; do
        [ "$port" = - ] && continue
        [ "$name" = ssh ] && ! id -un >/dev/null 2>&1 && continue # off, see `start_ssh`
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || {
            say "$name" "does not listen on port $port yet"
            return 1
        }
    done <"$here/services"
}

if [ "${1:-}" = --ready ]; then
    ready
    exit
fi
need_home
[ $# -gt 0 ] && exec "$@"
[ -s "$here/services" ] || exec /bin/bash

[ -w . ] || cd "$HOME" || exit 1
asked=
trap 'asked=143' TERM
trap 'asked=130' INT
while IFS=$'\t' read -r name port command; do
    case $name in
    jupyter) start_jupyter "$port" ;;
    ssh) start_ssh "$port" ;;
    *) say "$name" "$command" && start "$name" /bin/bash -c "$command" ;;
    esac
done <"$here/services"
unset JUPYTER_TOKEN

[ ${#names[@]} = 0 ] && exit 1
trap 'finish 143' TERM
trap 'finish 130' INT
[ -n "$asked" ] && finish "$asked"
wait -n -p ended "${!names[@]}"
status=$?
say "${names[$ended]}" "ended with status $status, so the container ends"
finish "$status"
