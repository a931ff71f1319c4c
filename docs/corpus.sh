#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetches pairs of consecutive public releases, to measure patches on:
#
#   corpus.sh DIR [PAIR...]    makes DIR/pairs/PAIR/{old,new}, of all pairs or of these
#   waybill delta bench DIR
#
# Wants npm and sha256sum, and for the pairs of PostgreSQL a Debian 12 with apt-get.
# All pairs take 1 GB, and fetching them 1 GB more for a while. A pair that is there already is not fetched again; one that
# is not as it was in corpus.sha256, beside this file, is an error. Nothing of it is
# ever run.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: corpus.sh DIR [PAIR...]" >&2; exit 2; }
sums=$(cd "$(dirname "$0")" && pwd)/corpus.sha256
mkdir -p "$1/pairs"
dir=$(cd "$1" && pwd)
shift
work=$(mktemp -d "$dir/fetching.XXXXXX")
trap 'rm -rf "$work"' EXIT

# What to fetch: the pair, where from, the package, its versions, and the file in
# it ("-" is the package file itself, "+" the same unpacked from gzip).
list() {
	cat <<-'END'
		rust-rollup            npm @rollup/rollup-linux-x64-gnu   4.68.6       4.68.7       rollup.linux-x64-gnu.node
		rust-lightningcss      npm lightningcss-linux-x64-gnu     1.32.0       1.33.0       lightningcss.linux-x64-gnu.node
		rust-swc-packed        npm @swc/core-linux-x64-gnu        1.16.21      1.16.22      swc.linux-x64-gnu.node
		rust-biome             npm @biomejs/cli-linux-x64         2.6.7        2.6.8        biome
		go-esbuild-patch       npm @esbuild/linux-x64             0.28.1       0.28.2       bin/esbuild
		go-esbuild-minor       npm @esbuild/linux-x64             0.27.7       0.28.1       bin/esbuild
		go-esbuild-pe          npm @esbuild/win32-x64             0.28.1       0.28.2       esbuild.exe
		go-esbuild-macho-arm64 npm @esbuild/darwin-arm64          0.28.1       0.28.2       bin/esbuild
		zig-bun                npm @oven/bun-linux-x64            1.4.4        1.4.5        bin/bun
		cpp-workerd            npm @cloudflare/workerd-linux-64   1.20261110.1 1.20261117.1 bin/workerd
		jar-closure            npm google-closure-compiler-java   20261011.0.0 20261015.0.0 compiler.jar
		apk-uia2               npm appium-uiautomator2-server     10.6.4       10.6.6       apks/appium-uiautomator2-server-vVERSION.apk
		tgz-typescript         npm typescript                     5.9.2        5.9.3        -
		dir-typescript         npm typescript                     5.9.2        5.9.3        +
		tgz-esbuild            npm @esbuild/linux-x64             0.28.1       0.28.2       -
		c-postgres             deb postgresql-15     15.18-0+deb12u1 15.20-0+deb12u1        usr/lib/postgresql/15/bin/postgres
		deb-postgres           deb postgresql-15     15.18-0+deb12u1 15.20-0+deb12u1        -
	END
}

# package npm|deb NAME VERSION: the path of the package file, fetched once.
package() {
	local at="$work/${2//\//_}-$3"
	if [ ! -d "$at" ]; then
		mkdir "$at"
		case $1 in
		npm) (cd "$at" && npm pack --silent "$2@$3" >/dev/null) ;;
		deb) (cd "$at" && apt-get download -qq "$2=$3" >/dev/null) ;;
		esac || return
	fi
	echo "$at"/*
}

# extract npm|deb NAME VERSION FILE OUT
extract() {
	local from file=${4//VERSION/$3}
	from=$(package "$1" "$2" "$3") || return
	case $1:$4 in
	*:-) cp "$from" "$5" ;;
	*:+) gzip -dc "$from" >"$5" ;;
	npm:*) tar -xzOf "$from" --wildcards --no-wildcards-match-slash "*/$file" >"$5" ;;
	deb:*) dpkg-deb --fsys-tarfile "$from" | tar -xOf - "./$file" >"$5" ;;
	esac
}

chosen() {
	[ $# = 1 ] || [[ " ${*:2} " == *" $1 "* ]]
}

for pair in "$@"; do
	list | grep -q "^$pair " || { echo "no pair $pair; there are:" && list | cut -d' ' -f1; exit 2; } >&2
done

failed=0
while read -r pair from name old new file; do
	if [ -d "$dir/pairs/$pair" ] || ! chosen "$pair" "$@"; then
		continue
	fi
	mkdir "$work/$pair"
	if [ "$from" = deb ] && ! { command -v apt-get && command -v dpkg-deb; } >/dev/null; then
		echo "$pair: left out: it wants a Debian" >&2
	elif ! extract "$from" "$name" "$old" "$file" "$work/$pair/old" || ! extract "$from" "$name" "$new" "$file" "$work/$pair/new"; then
		echo "$pair: left out: $name $old and $new could not be fetched" >&2
		failed=1
	elif ! (cd "$work" && grep " $pair/" "$sums" | sha256sum --check --quiet); then
		echo "$pair: left out: not the files that were measured" >&2
		failed=1
	else
		mv "$work/$pair" "$dir/pairs/$pair"
		echo "$pair"
	fi
done < <(list)
exit $failed
