#!/bin/sh
# rename.sh gives the module another path, in go.mod and in every import.
#
#   scripts/rename.sh example.org/switchboard
set -eu

old=$(go list -m)
new=$1
go mod edit -module "$new"
( # its requirements and their replacement name the module too
	cd bench/compare
	go mod edit -module "$new/bench/compare" -droprequire "$old" -dropreplace "$old" \
		-require "$new@v0.0.0-00010101000000-000000000000" -replace "$new=../.."
)
git ls-files '*.go' | xargs sed -i "s#\"$old/#\"$new/#"
git ls-files '*.go' | xargs gofmt -w # imports are sorted by path
echo "The module is now $new."
