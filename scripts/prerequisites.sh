#!/bin/sh
# prerequisites.sh checks that the tools named on its command line are there,
# and new enough. Each one that is not gets a sentence that says how to get it.
#
#   scripts/prerequisites.sh go node npm
set -u

status=0

missing() {
	echo "$*" >&2
	status=1
}

# The first number of what "node --version" says, such as 20 of v20.20.2.
node_major() { node --version | sed 's/^v\([0-9]*\).*/\1/'; }

for tool in "$@"; do
	case $tool in
	go)
		command -v go >/dev/null ||
			missing "go is missing: get Go 1.26 or newer from https://go.dev/dl/."
		;;
	node)
		if ! command -v node >/dev/null; then
			missing "node is missing: get Node.js 20 or newer from https://nodejs.org/ (Debian: sudo apt-get install nodejs)."
		elif [ "$(node_major)" -lt 20 ]; then
			missing "node is too old ($(node --version)): get Node.js 20 or newer from https://nodejs.org/."
		fi
		;;
	npm)
		command -v npm >/dev/null ||
			missing "npm is missing: it comes with Node.js from https://nodejs.org/ (Debian: sudo apt-get install npm)."
		;;
	*)
		command -v "$tool" >/dev/null ||
			missing "$tool is missing: install it (Debian: sudo apt-get install $tool)."
		;;
	esac
done

exit $status
