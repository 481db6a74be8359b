#!/bin/sh
# npm-ci.sh installs the npm packages of a folder as its lock file says, unless
# they are there already.
#
#   scripts/npm-ci.sh examples/chat
set -eu

cd "$1"
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
	echo "Installing the npm packages of $1."
	npm ci --no-progress --loglevel=error
	touch node_modules/.package-lock.json
fi
