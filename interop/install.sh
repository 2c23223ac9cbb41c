#!/bin/sh
# Installs the pinned npm packages and compiles better-sqlite3 against the node that is on PATH.
# Needs node >= 20 with its C++ headers, npm, python3, make and a C++ compiler; fetches nothing but npm packages.
set -eu
cd "$(dirname "$0")"

stamp=node_modules/.installed
wanted="$(node -p '[process.version, process.arch].join(" ")') $(cat package-lock.json install.sh | cksum)"
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

npm ci

# Not the package's own install script: it downloads a binary, then node-gyp downloads headers. Both are here already.
prefix="$(node -p 'path.dirname(path.dirname(fs.realpathSync(process.execPath)))')"
if [ -f "$prefix/include/node/node.h" ]; then
    npm run --silent build-native -- --nodedir="$prefix"
else
    npm run --silent build-native
fi

node -e 'new (require("better-sqlite3"))(":memory:").close()'
echo "$wanted" > "$stamp"
