#!/bin/sh
# SPDX-License-Identifier: MIT
# install-package-lint.sh FOLDER: unpack package-lint below FOLDER.
#
# Debian 12 has 0.16, which is wrong about (emacs "28.1"); the next release has
# 0.26, which is right, and is plain Lisp that runs on Emacs 28 as well.
# Idempotent, needs no root.  Exit 1: one line says what is missing.
set -u
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
folder=$1
[ -n "$(find "$folder" -name package-lint.el 2>/dev/null | head -n 1)" ] ||
    "$here/apt-unpack.sh" "${PACKAGE_LINT_SUITE:-trixie}" "$folder" \
        elpa-package-lint elpa-compat || exit 1
