#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetches three consecutive real releases of a program, for the acceptance tests:
#
#   releases.sh DIR        makes DIR/VERSION/esbuild for each version
#
# What is there already is not fetched again. A version appears as a whole or not
# at all.
set -euo pipefail

package=@esbuild/linux-x64
versions="0.28.0 0.28.1 0.28.2"

[ $# = 1 ] || { echo "usage: releases.sh DIR" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
work=$(mktemp -d "$dir/fetching.XXXXXX")
trap 'rm -rf "$work"' EXIT

for version in $versions; do
	[ -x "$dir/$version/esbuild" ] && continue
	(cd "$work" && npm pack --silent "$package@$version" >/dev/null)
	mkdir "$work/$version"
	tar -xzf "$work"/*-"$version".tgz -C "$work/$version" --strip-components=2 package/bin/esbuild
	chmod 755 "$work/$version/esbuild"
	mv "$work/$version" "$dir/$version"
done
