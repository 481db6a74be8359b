#!/bin/sh
# chromium.sh prints the path of a Chromium for the tests that need a browser.
# Without one it installs Debian's, if it may.
set -eu

find_chromium() {
	if [ -n "${CHROMIUM:-}" ]; then
		command -v "$CHROMIUM" && return
		echo "CHROMIUM is set to \"$CHROMIUM\", which cannot be run." >&2
		exit 1
	fi
	for name in chromium chromium-browser google-chrome google-chrome-stable; do
		command -v "$name" && return
	done
	return 1
}

find_chromium && exit

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "Chromium is missing: install it (Debian: sudo apt-get install chromium), or set CHROMIUM to the path of one." >&2
	exit 1
fi

export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update && apt-get install --yes --no-install-recommends chromium; } >&2; then
	echo "Chromium is missing, and apt-get could not install it; what it said stands above." >&2
	exit 1
fi
find_chromium
