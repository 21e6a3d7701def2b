#!/usr/bin/env bash
# Installs the linters of the contracts from the lock file, and Node first where
# it is missing and can be installed. Exit code 1 says that it could not; the
# reason is on stderr by then.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# npm writes the second file last.
[ package-lock.json -nt node_modules/.package-lock.json ] || exit 0

missing() { ! command -v node >/dev/null || ! command -v npm >/dev/null; }
if missing; then
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo 'node and npm are missing: apt-get install nodejs npm (Node 18.18 or newer)' >&2
		exit 1
	fi
	echo 'installing nodejs and npm'
	export DEBIAN_FRONTEND=noninteractive
	install=(apt-get install -y --no-install-recommends nodejs npm)
	"${install[@]}" >/dev/null || { apt-get update >/dev/null && "${install[@]}" >/dev/null; } || true
	if missing; then
		echo 'nodejs and npm could not be installed' >&2
		exit 1
	fi
fi
# Scripts of packages are not run: nothing here needs one.
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
touch node_modules/.package-lock.json
