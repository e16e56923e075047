#!/bin/sh
# SPDX-License-Identifier: MIT
# Put Emacs 30.1 beside the Emacs of Debian 12, as /usr/bin/emacs30.
#
# The files come from Debian's backports, by package name.  They are unpacked,
# not installed: emacs-nox of two versions exclude each other.
# Idempotent.  Exit 0: /usr/bin/emacs30 runs.  Exit 1: one line says what is missing.
set -u

here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
target=/usr/bin/emacs30
suite=${EMACS30_SUITE:-bookworm-backports}

fail() { echo "install-emacs30: $*" >&2; exit 1; }
works() { [ -x "$target" ] && "$target" --batch -Q --eval '(kill-emacs 0)' >/dev/null 2>&1; }

works && { echo "install-emacs30: $target is there"; exit 0; }
command -v apt-get >/dev/null 2>&1 || fail "this is not Debian: install Emacs 30 by hand"
if [ "$(id -u)" = 0 ]; then as_root=''
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then as_root='sudo -n'
else fail "needs root, or sudo without a password: run it once as root"
fi

work=$(mktemp -d) || fail "no temporary directory"
trap 'rm -rf "$work"' EXIT INT TERM
"$here/apt-unpack.sh" "$suite" "$work/root" \
    emacs-nox emacs-bin-common emacs-common emacs-el || exit 1
version=$(basename "$(ls -d "$work"/root/usr/share/emacs/[0-9]* | head -n 1)")
binary=$(ls "$work"/root/usr/bin/emacs-nox* 2>/dev/null | head -n 1)
[ -n "$version" ] && [ -n "$binary" ] || fail "the packages hold no Emacs"

# Libraries that the newer binary wants beside those of the older one.
$as_root apt-get -qq update >"$work/log" 2>&1 || :
$as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install -y --no-install-recommends \
    libtree-sitter0 libgccjit0 libsqlite3-0 libgnutls30 libxml2 liblcms2-2 libgpm2 \
    >"$work/log" 2>&1 || fail "apt-get install of its libraries: $(tail -n 1 "$work/log")"

for part in share libexec lib; do
    [ -d "$work/root/usr/$part/emacs/$version" ] || continue
    $as_root mkdir -p "/usr/$part/emacs" &&
    $as_root cp -a --no-preserve=ownership \
        "$work/root/usr/$part/emacs/$version" "/usr/$part/emacs/" ||
        fail "cannot write /usr/$part/emacs/$version"
done
# It finds its compiled files from /usr/bin only.
$as_root install -m 755 "$binary" "$target" || fail "cannot write $target"
works || fail "it does not start: $("$target" --batch -Q --eval '(kill-emacs 0)' 2>&1 | head -n 1)"
echo "install-emacs30: $("$target" --version | head -n 1) is $target"
