#!/bin/sh
# SPDX-License-Identifier: MIT
# apt-unpack.sh SUITE FOLDER PACKAGE...: unpack Debian packages of another
# release below FOLDER, by name, from the mirror this machine already uses.
# apt gets a configuration of its own: the machine's sources and package lists
# stay as they are, and signatures are checked as always.  Needs no root.
# Exit 0: unpacked.  Exit 1: one line says what is missing.
set -u
suite=$1; folder=$2; shift 2

fail() { echo "$(basename "$0"): $*" >&2; exit 1; }
command -v apt-get >/dev/null 2>&1 || fail "this is not Debian: apt-get is missing"
command -v dpkg-deb >/dev/null 2>&1 || fail "dpkg-deb is missing"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || fail "the package debian-archive-keyring is missing"

work=$(mktemp -d) || fail "no temporary directory"
trap 'rm -rf "$work"' EXIT INT TERM
chmod 755 "$work"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts" "$work/deb"

# The mirror of the main archive: the one that serves this release already.
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 2>/dev/null |
         awk -v release="$release" \
             'index($2, release) == 1 && $1 !~ /security/ { print $1; exit }')
[ -n "$mirror" ] || fail "no apt source for Debian is configured"
printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite" >"$work/sources.list"

apt_here() {
    apt-get -q -o "Dir::Etc::sourcelist=$work/sources.list" \
        -o "Dir::Etc::sourceparts=$work/parts" -o "Dir::State::lists=$work/lists" \
        -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root \
        -o Acquire::Languages=none -o Debug::NoLocking=1 "$@"
}
apt_here update >"$work/log" 2>&1 || fail "apt-get update: $(tail -n 1 "$work/log")"
( cd "$work/deb" && apt_here download "$@" ) >"$work/log" 2>&1 ||
    fail "apt-get download: $(tail -n 1 "$work/log")"
mkdir -p "$folder" || fail "cannot make $folder"
for file in "$work"/deb/*.deb; do
    dpkg-deb -x "$file" "$folder" || fail "cannot unpack $(basename "$file")"
done
