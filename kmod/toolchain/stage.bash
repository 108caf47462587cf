# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
# Stages of a long preparation. Each leaves a stamp that holds its key, which
# names everything its result depends on; it runs again when the key changes.
#
# The caller sets STAGE_DIR (stamps and logs) and STAGE_COUNT (how many stages).

stage_number=0
stage_job=

# Kills the running stage with its children when the caller is interrupted.
stage_interrupted() {
    trap - INT TERM HUP
    if [[ -n $stage_job ]]; then
        kill -TERM -- "-$stage_job" 2>/dev/null || true
        wait "$stage_job" 2>/dev/null || true
    fi
    printf '\ninterrupted in stage %s; the same command resumes there\n' "$stage_name" >&2
    exit 130
}

# True when the stage NAME has been done with KEY.
stage_is_done() {
    local stamp=$STAGE_DIR/$1.stamp
    [[ -f $stamp && $(head -n 1 "$stamp") == "$2" ]]
}

# Makes the named stages run again.
stage_forget() {
    local name
    for name in "$@"; do
        rm -f "$STAGE_DIR/$name.stamp"
    done
}

# stage NAME KEY EXPECTATION DESCRIPTION FUNCTION [ARGUMENT...]
# Runs FUNCTION unless the stage is done. Its output goes to NAME.log; what is
# shown is the description, the expectation, and how it proceeds.
stage() {
    stage_name=$1
    local key=$2 expectation=$3 description=$4 start=$EPOCHSECONDS status=0
    shift 4
    stage_number=$((stage_number + 1))
    if stage_is_done "$stage_name" "$key"; then
        return
    fi
    stage_forget "$stage_name"
    printf '[%d/%d] %s: %s (%s)\n' \
        "$stage_number" "$STAGE_COUNT" "$stage_name" "$description" "$expectation"
    local log=$STAGE_DIR/$stage_name.log
    # A job of its own process group, so that all its children can be killed.
    trap stage_interrupted INT TERM HUP
    set -m
    (set -euo pipefail; "$@") >"$log" 2>&1 </dev/null &
    stage_job=$!
    set +m
    stage_watch "$stage_job" "$log" "$start"
    wait "$stage_job" || status=$?
    stage_job=
    trap - INT TERM HUP
    if ((status)); then
        stage_failed "$log" "$status"
        return 1
    fi
    printf '%s\n%d s\n' "$key" "$((EPOCHSECONDS - start))" >"$STAGE_DIR/$stage_name.part"
    mv "$STAGE_DIR/$stage_name.part" "$STAGE_DIR/$stage_name.stamp"
    printf '[%d/%d] %s: done in %d s\n' \
        "$stage_number" "$STAGE_COUNT" "$stage_name" "$((EPOCHSECONDS - start))"
}

# Shows elapsed time and the last line of LOG while the process PID lives:
# in place on a terminal, every 15 seconds elsewhere.
stage_watch() {
    local pid=$1 log=$2 start=$3 shown=$3 line
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        if [[ ! -t 1 ]] && ((EPOCHSECONDS - shown < 15)); then
            continue
        fi
        shown=$EPOCHSECONDS
        line=$(tail -c 400 "$log" | tr '\r' '\n' | sed '/^[[:space:]]*$/d' | tail -n 1)
        if [[ -t 1 ]]; then
            printf '\r\033[K      %3d s  %.*s' "$((EPOCHSECONDS - start))" 60 "$line"
        else
            printf '      %3d s  %s\n' "$((EPOCHSECONDS - start))" "$line"
        fi
    done
    if [[ -t 1 ]]; then
        printf '\r\033[K'
    fi
}

stage_failed() {
    {
        printf 'stage %s failed with status %d; the end of %s:\n' "$stage_name" "$2" "$1"
        tail -n 20 "$1" | sed 's/^/      /'
        printf 'the same command resumes at this stage\n'
    } >&2
}
