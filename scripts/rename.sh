#!/bin/sh
# rename.sh gives the module another path, in go.mod and in every import.
#
#   scripts/rename.sh example.org/switchboard
set -eu

old=$(go list -m)
new=$1
go mod edit -module "$new"
git ls-files '*.go' | xargs sed -i "s#\"$old/#\"$new/#"
git ls-files '*.go' | xargs gofmt -w # imports are sorted by path
echo "The module is now $new."
