#!/bin/sh
# SPDX-License-Identifier: MIT
# Put Emacs 30.1 beside the Emacs of Debian 12, as /usr/bin/emacs30.
#
# The files come from Debian's backports, by package name, through apt and from
# the mirror this machine already uses.  They are unpacked, not installed:
# emacs-nox of two versions exclude each other.  An apt configuration of our own
# leaves the machine's package lists and sources as they are.
# Idempotent.  Exit 0: /usr/bin/emacs30 runs.  Exit 1: one line says what is missing.
set -u

target=/usr/bin/emacs30
suite=${EMACS30_SUITE:-bookworm-backports}

fail() { echo "install-emacs30: $*" >&2; exit 1; }
works() { [ -x "$target" ] && "$target" --batch -Q --eval '(kill-emacs 0)' >/dev/null 2>&1; }

works && { echo "install-emacs30: $target is there"; exit 0; }
command -v apt-get >/dev/null 2>&1 || fail "this is not Debian: install Emacs 30 by hand"
command -v dpkg-deb >/dev/null 2>&1 || fail "dpkg-deb is missing"
if [ "$(id -u)" = 0 ]; then as_root=''
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then as_root='sudo -n'
else fail "needs root or sudo without a password: run it once as root"
fi

work=$(mktemp -d) || fail "no temporary directory"
trap 'rm -rf "$work"' EXIT INT TERM
chmod 755 "$work"

# The mirror of the main archive: the one that serves this release already.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 2>/dev/null |
         awk '$2 ~ /^bookworm/ && $1 !~ /security/ { print $1; exit }')
[ -n "$mirror" ] || fail "no apt source for Debian 12 is configured"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || fail "the package debian-archive-keyring is missing"

mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts" "$work/deb" "$work/root"
printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite" > "$work/sources.list"
apt_here() {
    command="$1"; shift
    # shellcheck disable=SC2086
    "$command" -q -o "Dir::Etc::sourcelist=$work/sources.list" -o "Dir::Etc::sourceparts=$work/parts" \
        -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" \
        -o APT::Sandbox::User=root -o Acquire::Languages=none "$@"
}
apt_here apt-get update >"$work/log" 2>&1 || fail "apt-get update: $(tail -n 1 "$work/log")"
( cd "$work/deb" && apt_here apt-get download emacs-nox emacs-bin-common emacs-common emacs-el ) \
    >"$work/log" 2>&1 || fail "apt-get download: $(tail -n 1 "$work/log")"

for file in "$work"/deb/*.deb; do
    dpkg-deb -x "$file" "$work/root" || fail "cannot unpack $(basename "$file")"
done
version=$(basename "$(ls -d "$work"/root/usr/share/emacs/[0-9]* | head -n 1)")
[ -n "$version" ] || fail "the packages hold no Emacs"
binary=$(ls "$work"/root/usr/bin/emacs-nox* 2>/dev/null | head -n 1)
[ -n "$binary" ] || fail "the packages hold no emacs-nox"

# Libraries that the newer binary wants beside those of the older one.
$as_root apt-get -qq update >"$work/log" 2>&1 || :
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
    libtree-sitter0 libgccjit0 libsqlite3-0 libjansson4 libgnutls30 libxml2 liblcms2-2 \
    >"$work/log" 2>&1 || fail "apt-get install of its libraries: $(tail -n 1 "$work/log")"

for part in share libexec lib; do
    [ -d "$work/root/usr/$part/emacs/$version" ] || continue
    $as_root mkdir -p "/usr/$part/emacs" &&
    $as_root cp -a --no-preserve=ownership "$work/root/usr/$part/emacs/$version" "/usr/$part/emacs/" ||
        fail "cannot write /usr/$part/emacs/$version"
done
# It finds its compiled files from /usr/bin only.
$as_root install -m 755 "$binary" "$target" || fail "cannot write $target"
works || fail "$target does not start: $("$target" --batch -Q --eval '(kill-emacs 0)' 2>&1 | head -n 1)"
echo "install-emacs30: $("$target" --version | head -n 1) is $target"
