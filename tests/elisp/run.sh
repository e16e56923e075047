#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh EMACS [SELECTOR]: run the ERT tests in EMACS and print ERT's summary.
set -u
emacs=${1:-emacs}; selector=${2:-t}
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
set --
for file in "$here"/checks.el "$here"/*-test.el; do set -- "$@" -l "$file"; done
exec "$emacs" -Q --batch -L "$here" "$@" \
    --eval "(ert-run-tests-batch-and-exit (car (read-from-string \"$selector\")))"
