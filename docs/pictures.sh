#!/usr/bin/env bash
# Takes the README's pictures of the reports with headless Chromium.
# Use: docs/pictures.sh WORKSPACE, where WORKSPACE is what `ferflow demo --workspace WORKSPACE` has made.
set -euo pipefail
workspace=$(realpath "$1")
pictures=$(realpath "$(dirname "$0")")/pictures

picture() { # picture PAGE NAME HEIGHT
    local profile
    profile=$(mktemp -d)
    chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --user-data-dir="$profile" --hide-scrollbars \
        --window-size="1180,$3" --screenshot="$pictures/$2.png" "file://$workspace/$1" 2>/dev/null
    rm -rf "$profile"
}

picture "reports/index.html#model-1" models 1500
picture reports/data_quality/index.html data-quality 1500
